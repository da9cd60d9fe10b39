package acceptance

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// deadline is how long anything that a test waits for may take.
const deadline = 30 * time.Second

// run runs devcluster and returns its standard output. It fails the test where the program fails.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, stderr, err := try(t, args...)
	if err != nil {
		t.Fatalf("devcluster %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return out
}

func try(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// binary is the program under test. It is built by hand, since that takes minutes.
func binary(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("../../bin/devcluster")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: build it with: cd e2e/cluster && go build -ldflags='-s -w' -o ../bin/devcluster .", err)
	}
	return path
}

// up starts a cluster that ends with the test, and returns its folder and an administrator's client.
func up(t *testing.T, args ...string) (dir string, client *kubernetes.Clientset) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "cluster")
	t.Cleanup(func() { run(t, "down", "--dir", dir) })
	path := strings.TrimSpace(run(t, append([]string{"up", "--dir", dir}, args...)...))
	return dir, connect(t, path)
}

func connect(t *testing.T, kubeconfig string) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// until waits for a pod with this label to satisfy ok, and returns it.
func until(t *testing.T, client kubernetes.Interface, app string, ok func(corev1.Pod) bool) corev1.Pod {
	t.Helper()
	var last []corev1.Pod
	err := wait.PollUntilContextTimeout(t.Context(), 100*time.Millisecond, deadline, true,
		func(ctx context.Context) (bool, error) {
			list, err := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
			if err != nil {
				return false, nil // the API server may be away
			}
			last = list.Items
			return len(last) > 0 && ok(last[0]), nil
		})
	if err != nil {
		t.Fatalf("wait for pod of %q: %v\nlast seen: %+v", app, err, statuses(last))
	}
	return last[0]
}

func statuses(pods []corev1.Pod) (out []corev1.PodStatus) {
	for _, p := range pods {
		out = append(out, p.Status)
	}
	return out
}

// processes returns the processes whose command line names dir.
func processes(t *testing.T, dir string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) || !bytes.Contains(b, []byte(dir)) {
			continue
		}
		found = append(found, string(bytes.ReplaceAll(b, []byte{0}, []byte(" "))))
	}
	return found
}

package acceptance

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// The three tests with a cluster each run side by side, which is itself a part of what they test.

func TestPodsBehaveAsAsked(t *testing.T) {
	t.Parallel()
	_, client := up(t)
	testFailures(t, client)
	testJobs(t, client)
	t.Run("a pod has logs", func(t *testing.T) {
		pod := until(t, client, "fine", ready)
		logs, err := client.CoreV1().Pods("default").GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
		if err != nil || !strings.Contains(string(logs), "listening on :8080\n") {
			t.Errorf("got logs %q, error %v", logs, err)
		}
	})
	t.Run("a deleted pod is gone and replaced at once", func(t *testing.T) { testDelete(t, client) })
}

func testDelete(t *testing.T, client kubernetes.Interface) {
	pods := client.CoreV1().Pods("default")
	old := until(t, client, "fine", ready)
	if err := pods.Delete(t.Context(), old.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 3*time.Second, true,
		func(ctx context.Context) (bool, error) {
			_, err := pods.Get(ctx, old.Name, metav1.GetOptions{})
			return apierrors.IsNotFound(err), nil
		})
	if err != nil {
		t.Errorf("pod %q is still there: %v", old.Name, err)
	}
	until(t, client, "fine", func(p corev1.Pod) bool { return p.UID != old.UID && ready(p) })
}

func TestClusterSurvivesItsComponents(t *testing.T) {
	t.Parallel()
	dir, client := up(t, "--nodes", "2")
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 2 {
		t.Fatalf("got %d nodes, error %v; want 2", len(nodes.Items), err)
	}
	deploy(t, client, "before", "web:1", nil)
	uid := until(t, client, "before", ready).UID
	for _, name := range []string{"kube-controller-manager", "kube-apiserver"} {
		run(t, "stop", "--dir", dir, "--component", name)
	}
	if _, err := client.Discovery().ServerVersion(); err == nil {
		t.Error("the API server answered after it was stopped")
	}
	if _, stderr, err := try(t, "up", "--dir", dir); err == nil || !strings.Contains(stderr, "without kube-apiserver") {
		t.Errorf("up of half a cluster: got %v, %q", err, stderr)
	}
	for _, name := range []string{"kube-apiserver", "kube-controller-manager"} {
		run(t, "start", "--dir", dir, "--component", name)
	}
	until(t, client, "before", func(p corev1.Pod) bool { return p.UID == uid && ready(p) })
	deploy(t, client, "after", "web:1", nil)
	until(t, client, "after", ready)
	run(t, "up", "--dir", dir) // says that it is up already

	run(t, "down", "--dir", dir, "--keep-logs")
	if left := processes(t, dir); len(left) != 0 {
		t.Errorf("left running: %q", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "audit.log")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "kubeconfig")); err == nil {
		t.Error("the kubeconfig is still there")
	}
}

func TestServiceAccountHasItsOwnRightsOnly(t *testing.T) {
	t.Parallel()
	dir, admin := up(t)
	out := filepath.Join(t.TempDir(), "kubeconfig")
	run(t, "kubeconfig", "--dir", dir, "--service-account", "default/default", "--out", out)
	_, err := connect(t, out).CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("got %v; want forbidden", err)
	}
	version, err := admin.Discovery().ServerVersion()
	if err != nil || !strings.HasPrefix(version.GitVersion, "v1.") {
		t.Errorf("got version %v, error %v", version, err)
	}
	audit, err := os.ReadFile(filepath.Join(dir, "audit.log"))
	if err != nil || !strings.Contains(string(audit), `"username":"system:serviceaccount:default:default"`) {
		t.Errorf("the request is not in the audit log (error %v)", err)
	}
}

func TestInterruptedUpEndsWhatItStarted(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cluster")
	cmd := exec.Command(binary(t), "up", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, deadline, true,
		func(context.Context) (bool, error) {
			_, err := os.Stat(filepath.Join(dir, "kube-apiserver.pid"))
			return err == nil, nil
		})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("an interrupted up exits with 0")
	}
	if left := processes(t, dir); len(left) != 0 {
		t.Errorf("left running: %q", left)
	}
	run(t, "down", "--dir", dir)
	run(t, "down", "--dir", dir) // may be repeated
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder is still there")
	}
}

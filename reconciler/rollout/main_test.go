package rollout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

const devcluster = "../../e2e/bin/devcluster"

// patience bounds how long a test waits for something that must happen.
const patience = 60 * time.Second

// control is the control plane of this package's tests: set by TestMain, never changed.
var control *rest.Config

func TestMain(m *testing.M) { os.Exit(withCluster(m)) }

func withCluster(m *testing.M) int {
	if _, err := os.Stat(devcluster); errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(os.Stderr, "%s is missing: build it first, as e2e/README.md says\n", filepath.Clean(devcluster))
		return 1
	}
	dir, err := os.MkdirTemp("", "rollout")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	defer func() { _ = exec.Command(devcluster, "down", "--dir", dir).Run() }()
	up := exec.Command(devcluster, "up", "--dir", dir)
	up.Stderr = os.Stderr
	out, err := up.Output()
	if err == nil {
		control, err = clientcmd.BuildConfigFromFlags("", lastLine(out))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "start cluster:", err)
		return 1
	}
	control.QPS = -1
	return m.Run()
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

var (
	configMaps  = schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}
	secrets     = schema.GroupVersionKind{Version: "v1", Kind: "Secret"}
	deployments = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "Deployment"}
)

// world is an Observer that runs, and a namespace of its own.
type world struct {
	t         *testing.T
	kube      *client
	observer  *Observer
	namespace string
	key       Key

	mu    sync.Mutex
	woken []wake
	moved chan struct{}
}

// newWorld starts an Observer, which looks as the given identity (nil: the administrator).
func newWorld(t *testing.T, as *rest.Config, change ...func(*Config)) *world {
	t.Helper()
	kube, err := newClient(control)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := kube.core.Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "rollout-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, kube: kube, namespace: ns.Name, key: Key{"shop", ns.Name}, moved: make(chan struct{}, 1)}
	if as == nil {
		as = control
	}
	config := Config{REST: as, Agent: ns.Name, Hash: projection, Wake: w.wake}
	config.Log = slog.New(slog.NewTextHandler(w, nil))
	for _, c := range change {
		c(&config)
	}
	w.observer = New(config)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.observer.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run did not return")
		}
		background := metav1.DeletePropagationBackground
		_ = kube.core.Namespaces().Delete(context.Background(), w.namespace, metav1.DeleteOptions{PropagationPolicy: &background})
	})
	return w
}

// projection stands for the real one: it needs managedFields, and changes with contents but not with status.
func projection(live *unstructured.Unstructured) string {
	if len(live.GetManagedFields()) == 0 {
		return "managedFields were dropped too early"
	}
	spec, _, _ := unstructured.NestedMap(live.Object, "spec")
	return fmt.Sprint(spec, live.Object["data"])
}

func (w *world) wake(k Key, r Reason) {
	w.mu.Lock()
	w.woken = append(w.woken, wake{k, r})
	w.mu.Unlock()
	poke(w.moved)
}

// Write gets what the Observer logs: then something may have changed that wakes nobody.
func (w *world) Write(line []byte) (int, error) {
	poke(w.moved)
	return len(line), nil
}

// forget drops the wake-ups so far.
func (w *world) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.woken = nil
}

func (w *world) reasons(key Key) []Reason {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []Reason
	for _, k := range w.woken {
		if k.key == key {
			found = append(found, k.reason)
		}
	}
	return found
}

// until asks again at each wake-up: what is not woken for is not seen.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	late := time.After(patience)
	for !done() {
		select {
		case <-w.moved:
		case <-late:
			w.t.Fatalf("not seen: %s (woken: %v)", what, w.reasons(w.key))
		}
	}
}

func (w *world) untilWoken(key Key, reason Reason) {
	w.t.Helper()
	w.until(fmt.Sprintf("wake of %v for %s", key, reason), func() bool {
		for _, r := range w.reasons(key) {
			if r == reason {
				return true
			}
		}
		return false
	})
}

// watch watches a kind and waits until it is listed.
func (w *world) watch(gvk schema.GroupVersionKind, fallback *rest.Config) {
	w.t.Helper()
	w.observer.Watch(gvk, plural(gvk), true, w.namespace, fallback)
	w.until(gvk.Kind+" synced", func() bool { return w.observer.Await(w.key, gvk, w.namespace) })
	w.forget()
}

func plural(gvk schema.GroupVersionKind) schema.GroupVersionResource {
	return gvk.GroupVersion().WithResource(strings.ToLower(gvk.Kind) + "s")
}

// object reads YAML, and gives it the namespace and the owner labels of the world.
func (w *world) object(text string) *unstructured.Unstructured {
	w.t.Helper()
	live := parse(w.t, text)
	live.SetNamespace(w.namespace)
	labels := live.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[LabelApplication], labels[LabelEnvironment], labels[LabelAgent] = w.key.Application, w.key.Environment, w.namespace
	live.SetLabels(labels)
	return live
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	live := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &live.Object); err != nil {
		t.Fatal(err)
	}
	raw, err := live.MarshalJSON() // numbers as a server's answer has them
	if err == nil {
		err = live.UnmarshalJSON(raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	return live
}

// apply applies text and returns the server's answer.
func (w *world) apply(text string) *unstructured.Unstructured {
	w.t.Helper()
	o := w.object(text)
	answer, err := w.kube.dynamic.Resource(plural(o.GroupVersionKind())).Namespace(w.namespace).
		Apply(w.t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "sluice", Force: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return answer
}

func (w *world) delete(gvk schema.GroupVersionKind, name string) {
	w.t.Helper()
	err := w.kube.dynamic.Resource(plural(gvk)).Namespace(w.namespace).Delete(w.t.Context(), name, metav1.DeleteOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) id(gvk schema.GroupVersionKind, name string) ID {
	return ID{Group: gvk.Group, Kind: gvk.Kind, Namespace: w.namespace, Name: name}
}

func (w *world) seen(id ID) bool {
	_, ok := w.observer.Get(id)
	return ok
}

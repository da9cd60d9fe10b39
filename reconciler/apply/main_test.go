package apply

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// server is the API server of all tests of the package. It has no controllers: nothing collects garbage, and
// namespaces stay.
var server *rest.Config

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

func withServer(m *testing.M) int {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets, _ = filepath.Abs("../../e2e/bin")
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(assets, name)); err != nil {
			fmt.Fprintf(os.Stderr, "FAIL: tests of apply need a real API server: %v\nBuild it as e2e/README.md says, or set KUBEBUILDER_ASSETS\n", err)
			return 1
		}
	}
	env := &envtest.Environment{BinaryAssetsDirectory: assets}
	config, err := env.Start()
	if err != nil {
		fmt.Fprintf(os.Stderr, "FAIL: start the API server: %v\n", err)
		return 1
	}
	defer func() {
		if err := env.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "stop the API server: %v\n", err)
		}
	}()
	config.QPS = -1
	server = config
	return m.Run()
}

var namespaces atomic.Int64

// fixture is a namespace, with a cluster that is seen by an agent of its own and counts what it asks.
type fixture struct {
	*testing.T
	ns      string
	owner   Owner
	cluster *Cluster
	client  *Client
	raw     dynamic.Interface // as an administrator, past Sluice
	wire    *wire
}

func setUp(t *testing.T) *fixture {
	t.Helper()
	t.Parallel()
	f := &fixture{T: t, ns: fmt.Sprintf("test-%d", namespaces.Add(1)), owner: Owner{Application: "shop", Environment: "staging"}, wire: &wire{}}
	f.raw = must(dynamic.NewForConfig(server))(t)
	f.put(`{apiVersion: v1, kind: Namespace, metadata: {name: NS}}`)
	f.put(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: deployer, namespace: NS}}`)
	f.put(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NS}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: deployer, namespace: NS}]`)
	f.cluster = f.agent("test")
	f.client = f.cluster.As(f.ns + "/deployer")
	return f
}

// agent is the cluster as seen by an agent of another name, over the same wire.
func (f *fixture) agent(name string) *Cluster {
	f.Helper()
	config := rest.CopyConfig(server)
	config.Wrap(func(rt http.RoundTripper) http.RoundTripper { return &tap{wire: f.wire, next: rt} })
	return must(New(f.Context(), Config{REST: config, Agent: name, HashKey: []byte("key")}))(f.T)
}

// wire sees every request that a cluster makes.
type wire struct {
	mu   sync.Mutex
	seen []string
	// answer replaces the server's where it returns one.
	answer func(r *http.Request) (*http.Response, error)
}

type tap struct {
	wire *wire
	next http.RoundTripper
}

func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	t.wire.mu.Lock()
	line := r.Method + " " + r.URL.Path
	if dryRun(r) {
		line = "dry " + line
	}
	t.wire.seen = append(t.wire.seen, line)
	answer := t.wire.answer
	t.wire.mu.Unlock()
	if answer != nil {
		if made, err := answer(r); made != nil || err != nil {
			return made, err
		}
	}
	return t.next.RoundTrip(r)
}

func dryRun(r *http.Request) bool { return r.URL.Query().Get("dryRun") != "" }

func isWrite(r *http.Request) bool { return r.Method != http.MethodGet && !dryRun(r) }

// took returns the requests since the last call.
func (w *wire) took() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

func (w *wire) answers(f func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// manifests parses YAML documents; NS stands for the namespace of the test.
func (f *fixture) manifests(docs ...string) []*unstructured.Unstructured {
	f.Helper()
	var made []*unstructured.Unstructured
	for _, doc := range docs {
		for _, one := range strings.Split(doc, "\n---\n") {
			raw := must(yaml.YAMLToJSON([]byte(strings.ReplaceAll(one, "NS", f.ns))))(f.T)
			obj := &unstructured.Unstructured{}
			if err := obj.UnmarshalJSON(raw); err != nil {
				f.Fatal(err)
			}
			made = append(made, obj)
		}
	}
	return made
}

func (f *fixture) resource(id ID, version string) dynamic.ResourceInterface {
	f.Helper()
	gvr := resourceOf(schema.GroupVersionKind{Group: id.Group, Version: version, Kind: id.Kind})
	if id.Namespace == "" {
		return f.raw.Resource(gvr)
	}
	return f.raw.Resource(gvr).Namespace(id.Namespace)
}

// resourceOf forms the plural of the kinds that the tests use.
func resourceOf(gvk schema.GroupVersionKind) schema.GroupVersionResource {
	plural := strings.ToLower(gvk.Kind) + "s"
	if strings.HasSuffix(plural, "ss") {
		plural = strings.TrimSuffix(plural, "s") + "es"
	}
	return gvk.GroupVersion().WithResource(plural)
}

// put creates objects as kubectl create does, past Sluice.
func (f *fixture) put(docs ...string) {
	f.Helper()
	for _, obj := range f.manifests(docs...) {
		id := IDOf(obj)
		_, err := f.resource(id, obj.GroupVersionKind().Version).Create(context.Background(), obj, metav1.CreateOptions{FieldManager: "kubectl-create"})
		if err != nil {
			f.Fatalf("create %s: %v", id, err)
		}
	}
}

// edit merges a change into a live object as some field manager.
func (f *fixture) edit(id ID, manager, patch string, sub ...string) {
	f.Helper()
	raw := must(yaml.YAMLToJSON([]byte(patch)))(f.T)
	_, err := f.resource(id, "v1").Patch(context.Background(), id.Name, types.MergePatchType, raw, metav1.PatchOptions{FieldManager: manager}, sub...)
	if err != nil {
		f.Fatalf("edit %s: %v", id, err)
	}
}

func (f *fixture) patchJSON(id ID, manager, patch string) {
	f.Helper()
	_, err := f.resource(id, "v1").Patch(context.Background(), id.Name, types.JSONPatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		f.Fatalf("patch %s: %v", id, err)
	}
}

// applyAs applies an object server-side as some other manager.
func (f *fixture) applyAs(manager, doc string) {
	f.Helper()
	for _, obj := range f.manifests(doc) {
		id := IDOf(obj)
		opts := metav1.ApplyOptions{FieldManager: manager, Force: true}
		if _, err := f.resource(id, obj.GroupVersionKind().Version).Apply(context.Background(), id.Name, obj, opts); err != nil {
			f.Fatalf("apply %s: %v", id, err)
		}
	}
}

func (f *fixture) live(id ID) *unstructured.Unstructured {
	f.Helper()
	obj, err := f.resource(id, "v1").Get(context.Background(), id.Name, metav1.GetOptions{})
	if err != nil {
		f.Fatalf("get %s: %v", id, err)
	}
	return obj
}

func (f *fixture) exists(id ID) bool {
	f.Helper()
	_, err := f.resource(id, "v1").Get(context.Background(), id.Name, metav1.GetOptions{})
	return err == nil
}

func (f *fixture) id(kind, name string) ID {
	groups := map[string]string{"Deployment": "apps", "StatefulSet": "apps", "Job": "batch", "Lease": "coordination.k8s.io"}
	return ID{Group: groups[kind], Kind: kind, Namespace: f.ns, Name: name}
}

func (f *fixture) request(docs ...string) Request {
	f.Helper()
	return Request{Owner: f.owner, Objects: f.manifests(docs...)}
}

func (f *fixture) plan(req Request) *Plan {
	f.Helper()
	return must(f.client.Plan(f.Context(), req))(f.T)
}

// apply plans and applies, and returns the result.
func (f *fixture) apply(req Request) *Result {
	f.Helper()
	return must(f.client.Apply(f.Context(), f.plan(req)))(f.T)
}

// again applies other manifests over what was applied.
func (f *fixture) again(result *Result, docs ...string) *Result {
	f.Helper()
	req := f.request(docs...)
	req.Inventory = result.Entries
	return f.apply(req)
}

func actions(changes []Change) map[string]Action {
	made := map[string]Action{}
	for _, c := range changes {
		made[c.ID.Kind+"/"+c.ID.Name] = c.Action
	}
	return made
}

func planned(plan *Plan) map[string]Action {
	made := map[string]Action{}
	for _, c := range plan.Changes {
		made[c.ID.Kind+"/"+c.ID.Name] = c.Action
	}
	return made
}

func nested(obj *unstructured.Unstructured, path ...string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(obj.Object, path...)
	return value
}

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "shop:1", ports: [{containerPort: 80}], resources: {requests: {cpu: 1000m}}}]`

const configMap = `
apiVersion: v1
kind: ConfigMap
metadata: {name: config, namespace: NS}
data: {a: "1", b: "2"}`

// delete removes an object past Sluice.
func (f *fixture) delete(id ID) {
	f.Helper()
	if err := f.resource(id, "v1").Delete(context.Background(), id.Name, metav1.DeleteOptions{}); err != nil {
		f.Fatalf("delete %s: %v", id, err)
	}
}

// served waits until a definition is served, by its own watch.
func (f *fixture) served(id ID) {
	f.Helper()
	opts := metav1.ListOptions{FieldSelector: "metadata.name=" + id.Name}
	watch := must(f.resource(id, "v1").Watch(f.Context(), opts))(f.T)
	defer watch.Stop()
	for event := range watch.ResultChan() {
		crd, _ := event.Object.(*unstructured.Unstructured)
		conditions, _ := nested(crd, "status", "conditions").([]any)
		for _, c := range conditions {
			if m := c.(map[string]any); m["type"] == "Established" && m["status"] == "True" {
				return
			}
		}
	}
	f.Fatalf("%s is not served", id)
}

// planned plans as often as it takes until what is defined is served: the server tells of a definition a moment
// before it answers for it.
func (f *fixture) planned(req Request) *Plan {
	f.Helper()
	for f.Context().Err() == nil {
		plan, err := f.client.Plan(f.Context(), req)
		if err == nil && !plan.Definitions {
			return plan
		}
		if err != nil && Final(err) && !strings.Contains(err.Error(), "no such kind") {
			f.Fatal(err)
		}
	}
	f.Fatal("it is never served")
	return nil
}

// refuse is an answer of the API server.
func refuse(r *http.Request, code int, reason, message string) *http.Response {
	body := fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q,"code":%d}`, message, reason, code)
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// owned are the ConfigMaps and Leases that bear labels of ours.
func (f *fixture) owned() []*unstructured.Unstructured {
	f.Helper()
	var made []*unstructured.Unstructured
	for _, id := range []ID{f.id("ConfigMap", ""), f.id("Lease", "")} {
		list := must(f.resource(id, "v1").List(context.Background(), metav1.ListOptions{LabelSelector: LabelAgent}))(f.T)
		for i := range list.Items {
			made = append(made, &list.Items[i])
		}
	}
	return made
}

func (f *fixture) putObject(obj *unstructured.Unstructured) {
	f.Helper()
	must(f.resource(IDOf(obj), "v1").Create(context.Background(), obj, metav1.CreateOptions{}))(f.T)
}

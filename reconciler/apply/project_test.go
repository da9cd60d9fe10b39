package apply

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/google/go-cmp/cmp"
)

func TestLesson28_DriftWithoutNoise(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(f *fixture, id ID)
		fields []string
	}{
		"Nothing": {"an answer and a fresh look are the same", func(*fixture, ID) {}, nil},
		"Status": {"status is the controllers'", func(f *fixture, id ID) {
			f.edit(id, "kube-controller-manager", `{status: {observedGeneration: 1, replicas: 2, readyReplicas: 2}}`, "status")
		}, nil},
		"OtherField": {"a field that Git has not", func(f *fixture, id ID) { f.edit(id, "kubectl-edit", `{spec: {minReadySeconds: 5}}`) }, nil},
		"OtherLabel": {"a label that Git has not", func(f *fixture, id ID) { f.edit(id, "kubectl-label", `{metadata: {labels: {team: a}}}`) }, nil},
		"OtherApply": {"another manager applies what is its own", func(f *fixture, id ID) {
			f.applyAs("team", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: NS, annotations: {team: a}}}`)
		}, nil},
		"SharedApply": {"and what Git says too", func(f *fixture, id ID) {
			f.applyAs("team", `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: NS}, spec: {paused: false}}`)
		}, nil},
		"Autoscaler": {"the number belongs to whoever set it", func(f *fixture, id ID) { f.edit(id, "kube-controller-manager", `{spec: {replicas: 9}}`, "scale") }, nil},
		"Restart": {"kubectl rollout restart adds what Git has not", func(f *fixture, id ID) {
			f.edit(id, "kubectl-rollout", `{spec: {template: {metadata: {annotations: {kubectl.kubernetes.io/restartedAt: now}}}}}`)
		}, nil},
		"Image": {"a field of ours", func(f *fixture, id ID) {
			f.patchJSON(id, "kubectl-set", `[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"evil:1"}]`)
		}, []string{"spec.template.spec.containers[web].image"}},
		"Two": {"two fields of ours, one taken away", func(f *fixture, id ID) {
			f.patchJSON(id, "kubectl-edit", `[{"op":"remove","path":"/spec/template/spec/containers/0/resources"},{"op":"replace","path":"/metadata/labels/sluice.dev~1agent","value":"other"}]`)
		}, []string{"metadata.labels[sluice.dev/agent]", "spec.template.spec.containers[web].resources.requests"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			id := f.id("Deployment", "web")
			doc := strings.ReplaceAll(deployment, "  replicas: 2", "  replicas: 2\n  paused: false")
			first := f.apply(f.request(doc))
			entry := first.Entries[0]
			tc.change(f, id)
			if same := f.cluster.Hash(f.live(id)) == entry.Hash; same != (tc.fields == nil) {
				t.Errorf("%s: the hash is the same: %v", tc.reason, same)
			}
			if hash := must(f.client.LiveHash(f.Context(), entry))(t); hash != f.cluster.Hash(f.live(id)) {
				t.Errorf("live hash %s", hash)
			}
			fields := must(f.client.Drift(f.Context(), f.owner, f.manifests(doc)[0], entry))(t)
			if diff := cmp.Diff(tc.fields, fields); diff != "" {
				t.Errorf("%s: fields -want +got\n%s", tc.reason, diff)
			}
			if tc.fields != nil && name != "Two" { // which is another agent's now
				req := f.request(doc)
				req.Inventory, req.Drifted = first.Entries, map[ID]string{id: "changed"}
				if got := f.apply(req).Entries[0]; got != entry {
					t.Errorf("repaired it is %+v; want %+v", got, entry)
				}
			}
		})
	}
}

func object(fields, value map[string]any) *unstructured.Unstructured {
	value["metadata"] = map[string]any{"managedFields": []any{
		map[string]any{"manager": "other", "operation": "Apply", "fieldsV1": map[string]any{"f:x": map[string]any{}}},
		map[string]any{"manager": Manager, "operation": "Update", "fieldsV1": map[string]any{"f:x": map[string]any{}}},
		map[string]any{"manager": Manager, "operation": "Apply", "subresource": "status", "fieldsV1": map[string]any{"f:x": map[string]any{}}},
		map[string]any{"manager": Manager, "operation": "Apply", "fieldsV1": fields},
	}}
	return &unstructured.Unstructured{Object: value}
}

type m = map[string]any

func TestProject(t *testing.T) {
	cases := map[string]struct {
		reason        string
		fields, value map[string]any
		want          string
	}{
		"Scalar":     {"a field is its value", m{"f:a": m{}}, m{"a": int64(1), "b": int64(2)}, `{"f:a":1}`},
		"Float":      {"a whole number is one, however it was decoded", m{"f:a": m{}}, m{"a": 1.0}, `{"f:a":1}`},
		"Missing":    {"a field that is gone is not one that is null or false, and nor is what holds only such", m{"f:a": m{}, "f:b": m{}, "f:c": m{}, "f:d": m{"f:e": m{}}}, m{"b": nil, "c": false, "d": m{}}, `{"f:b":null,"f:c":false}`},
		"Atomic":     {"a field without children is owned as a whole", m{"f:a": m{}}, m{"a": m{"y": "2", "x": []any{true, "s"}}}, `{"f:a":{"x":[true,"s"],"y":"2"}}`},
		"Children":   {"one with children is owned in part", m{"f:a": m{".": m{}, "f:x": m{}}}, m{"a": m{"x": "1", "y": "2"}}, `{"f:a":{".":present,"f:x":"1"}}`},
		"Keys":       {"list items are found by their keys, in any order", m{"f:l": m{`k:{"port":80,"protocol":"TCP"}`: m{"f:name": m{}}}}, m{"l": []any{m{"port": int64(81), "protocol": "TCP", "name": "no"}, m{"protocol": "TCP", "port": int64(80), "name": "yes"}}}, `{"f:l":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{"f:name":"yes"}}}`},
		"Set":        {"members of a set are there or not", m{"f:l": m{`v:"a"`: m{}, `v:"b"`: m{}, `v:1`: m{}}}, m{"l": []any{"b", int64(1)}}, `{"f:l":{"v:\"b\"":"b","v:1":1}}`},
		"Index":      {"items may be known by their place", m{"f:l": m{"i:1": m{}, "i:7": m{}}}, m{"l": []any{"a", "b"}}, `{"f:l":{"i:1":"b"}}`},
		"Replicas":   {"the number of replicas does not count, others of that name do", m{"f:spec": m{"f:replicas": m{}, "f:a": m{"f:replicas": m{}}}, "f:data": m{"f:replicas": m{}}}, m{"spec": m{"replicas": int64(3), "a": m{"replicas": int64(4)}}, "data": m{"replicas": "5"}}, `{"f:data":{"f:replicas":"5"},"f:spec":{"f:a":{"f:replicas":4}}}`},
		"WrongShape": {"what is not as the fields say is absent", m{"f:a": m{"f:x": m{}}, "f:l": m{`k:{"n":"x"}`: m{}, "k:broken": m{}}}, m{"a": "s", "l": []any{"x"}}, `{}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := string(Project(object(tc.fields, tc.value), Manager)); got != tc.want {
				t.Errorf("%s:\ngot  %s\nwant %s", tc.reason, got, tc.want)
			}
		})
	}
}

func TestHash(t *testing.T) {
	made := func(kind, value string) *unstructured.Unstructured {
		return object(m{"f:data": m{"f:a": m{}}}, m{"kind": kind, "apiVersion": "v1", "data": m{"a": value}})
	}
	key, other := []byte("key"), []byte("other")
	if Hash(made("Secret", "1"), key) == Hash(made("Secret", "1"), other) {
		t.Error("the hash of a Secret does not depend on the key")
	}
	if Hash(made("ConfigMap", "1"), key) != Hash(made("ConfigMap", "1"), other) {
		t.Error("the hash of a ConfigMap depends on the key")
	}
	if Hash(made("ConfigMap", "1"), key) == Hash(made("ConfigMap", "2"), key) {
		t.Error("two values have one hash")
	}
	none := made("ConfigMap", "1")
	unstructured.RemoveNestedField(none.Object, "metadata", "managedFields")
	if got := Hash(none, key); got != "" {
		t.Errorf("an object of which we own nothing has hash %q", got)
	}
}

// BenchmarkHash: it runs for each event of a watch.
func BenchmarkHash(b *testing.B) {
	container := func(name string) m {
		return m{"name": name, "image": "shop:1", "ports": []any{m{"containerPort": int64(80), "protocol": "TCP"}},
			"env": []any{m{"name": "A", "value": "1"}, m{"name": "B", "value": "2"}}, "resources": m{"requests": m{"cpu": "1"}}}
	}
	fields := m{".": m{}, "f:name": m{}, "f:image": m{}, "f:ports": m{`k:{"containerPort":80,"protocol":"TCP"}`: m{".": m{}, "f:containerPort": m{}}},
		"f:env": m{`k:{"name":"A"}`: m{".": m{}, "f:name": m{}, "f:value": m{}}, `k:{"name":"B"}`: m{".": m{}, "f:name": m{}, "f:value": m{}}}, "f:resources": m{"f:requests": m{"f:cpu": m{}}}}
	obj := object(
		m{"f:metadata": m{"f:labels": m{"f:a": m{}, "f:b": m{}}}, "f:spec": m{"f:replicas": m{}, "f:selector": m{}, "f:template": m{"f:spec": m{"f:containers": m{`k:{"name":"web"}`: fields, `k:{"name":"side"}`: fields}}}}},
		m{"kind": "Deployment", "apiVersion": "apps/v1", "spec": m{"replicas": int64(2), "selector": m{"matchLabels": m{"app": "web"}}, "template": m{"spec": m{"containers": []any{container("web"), container("side")}}}}})
	b.ReportAllocs()
	for b.Loop() {
		Hash(obj, nil)
	}
}

package render

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fleet is a tree of n overlays, each with a base of five objects.
func fleet(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		at := fmt.Sprintf("apps/%d/", i)
		files[at+"base/kustomization.yaml"] = "resources: [all.yaml, web.yaml]\n"
		files[at+"base/all.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n" +
			"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n" +
			"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: web}\n" +
			"---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec: {rules: []}\n"
		files[at+"base/web.yaml"] = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n" +
			"  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: \"example.org/web:1\"}]}\n"
		files[at+"overlay/kustomization.yaml"] = fmt.Sprintf("namePrefix: s%d-\nresources: [../base]\nimages: [{name: example.org/web, newTag: \"%d\"}]\n", i, i) +
			"patches:\n- target: {kind: Deployment}\n  patch: '[{\"op\": \"add\", \"path\": \"/spec/replicas\", \"value\": 2}]'\n"
	}
	return files
}

func TestRendersSideBySide(t *testing.T) {
	tree := open(t, folder(t, with(fleet(8), "chart/Chart.yaml", chartYAML)))
	want := map[int]string{}
	for i := range 8 {
		want[i] = mustRender(t, tree, overlay(i)).Digest
	}
	var wg sync.WaitGroup
	got := make([]string, 8)
	for i := range 8 {
		wg.Go(func() {
			r, err := Render(context.Background(), tree, overlay(i))
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = r.Digest
		})
	}
	wg.Wait()
	for i, digest := range got {
		if digest != want[i] {
			t.Errorf("overlay %d: digest %s side by side, %s alone", i, digest, want[i])
		}
	}
}

func overlay(i int) Request {
	return Request{Application: "shop", Environment: "staging", Namespace: "shop",
		Source: Source{Kustomize: &Kustomize{Path: fmt.Sprintf("apps/%d/overlay", i)}}}
}

// A schema that one kustomization brings must not be seen by the next; the library keeps it in a variable.
func TestOpenAPIOfOneBuildStaysThere(t *testing.T) {
	const schema = `{"definitions":{"org.example.Thing":{"type":"object","x-kubernetes-group-version-kind":[{"group":"example.org","kind":"Thing","version":"v1"}],
"properties":{"spec":{"type":"object","properties":{"parts":{"type":"array","x-kubernetes-patch-merge-key":"name","x-kubernetes-patch-strategy":"merge","items":{"type":"object"}}}}}}}}`
	files := map[string]string{
		"base/kustomization.yaml":   "resources: [a.yaml]\n",
		"base/a.yaml":               "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\nspec: {parts: [{name: one, x: 1}, {name: two, x: 2}]}\n",
		"without/patch.yaml":        "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\nspec: {parts: [{name: two, y: 3}]}\n",
		"with/patch.yaml":           "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: a}\nspec: {parts: [{name: two, y: 3}]}\n",
		"with/schema.json":          schema,
		"without/kustomization.yml": "resources: [../base]\npatches: [{path: patch.yaml}]\n",
		"with/kustomization.yml":    "resources: [../base]\npatches: [{path: patch.yaml}]\nopenapi: {path: schema.json}\n",
	}
	tree := open(t, folder(t, files))
	build := func(path string) *Result {
		return mustRender(t, tree, Request{Application: "shop", Source: Source{Kustomize: &Kustomize{Path: path}}})
	}
	before := build("without").Digest
	merged := build("with")
	if merged.Digest == before {
		t.Fatal("the schema made no difference; the test tests nothing")
	}
	if after := build("without").Digest; after != before {
		t.Error("the schema of one kustomization changed the next one's render")
	}
}

func TestObjectsBelongToTheCaller(t *testing.T) {
	tree := open(t, folder(t, everything()))
	req := Request{Application: "shop", Source: chartSource, Labels: map[string]string{"a": "b"}}
	first := mustRender(t, tree, req)
	digest := first.Digest
	first.Objects[0].SetName("changed")
	first.Objects[0].SetLabels(map[string]string{"x": "y"})
	if again := mustRender(t, tree, req); again.Digest != digest {
		t.Error("changing a result changed the next render")
	}
	if diff := cmp.Diff(map[string]string{"a": "b"}, req.Labels); diff != "" {
		t.Error(diff)
	}
}

// BenchmarkFleet renders 100 overlays of five objects, the cost that a push to all of a monorepo has.
func BenchmarkFleet(b *testing.B) {
	dir := b.TempDir()
	for name, content := range fleet(100) {
		put(b, dir, name, content)
	}
	tree, err := DirTree(dir)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		for i := range 100 {
			if _, err := Render(context.Background(), tree, overlay(i)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkHolds asks one trace of an overlay.
func BenchmarkHolds(b *testing.B) {
	dir := b.TempDir()
	for name, content := range fleet(1) {
		put(b, dir, name, content)
	}
	tree, err := DirTree(dir)
	if err != nil {
		b.Fatal(err)
	}
	r, err := Render(context.Background(), tree, overlay(0))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(r.Trace.paths)), "paths")
	for b.Loop() {
		if !r.Trace.Holds(tree, overlay(0)) {
			b.Fatal("does not hold")
		}
	}
}

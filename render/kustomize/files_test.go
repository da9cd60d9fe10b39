package kustomize

import (
	"context"
	"encoding/json"
	"math"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

func named(name string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n"
}

// TestFilesOfObjects: each object has its file, whether its name says so or the library must be asked.
func TestFilesOfObjects(t *testing.T) {
	tests := map[string]struct {
		reason string
		files  map[string]string
		want   map[string]string // by the object's name
	}{
		"Plain": {"one name is part of another", map[string]string{
			"kustomization.yaml": "resources: [a.yaml, b.yaml]\nnamePrefix: x-\nnameSuffix: -y\n", "a.yaml": named("web"), "b.yaml": named("web-api"),
		}, map[string]string{"x-web-y": "a.yaml", "x-web-api-y": "b.yaml"}},
		"SameNameInTwoBases": {"only the library knows", map[string]string{
			"kustomization.yaml": "resources: [a, b]\n", "a/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: a-\n",
			"b/kustomization.yaml": "resources: [b.yaml]\nnamePrefix: b-\n", "a/a.yaml": named("web"), "b/b.yaml": named("web"),
		}, map[string]string{"a-web": "a/a.yaml", "b-web": "b/b.yaml"}},
		"APrefixMakesTheNameOfAnother": {"the longest name is not the right one", map[string]string{
			"kustomization.yaml": "resources: [a, b]\n", "a/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: my-\n",
			"b/kustomization.yaml": "resources: [b.yaml]\nnameSuffix: -two\n", "a/a.yaml": named("web"), "b/b.yaml": named("my-web"),
		}, map[string]string{"my-web": "a/a.yaml", "my-web-two": "b/b.yaml"}},
		"Generated": {"by the kustomization that makes it, not by one that adds to it", map[string]string{
			"kustomization.yaml":   "resources: [a]\ngeneratorOptions: {disableNameSuffixHash: true}\nconfigMapGenerator: [{name: settings, behavior: merge, literals: [b=c]}]\n",
			"a/kustomization.yaml": "configMapGenerator: [{name: settings, literals: [a=b]}]\n",
		}, map[string]string{"settings": "a/kustomization.yaml"}},
		"Plugin": {"nothing here says what it makes", map[string]string{
			"kustomization.yaml": "generators: [g.yaml]\n",
			"g.yaml":             "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: made}\noptions: {disableNameSuffixHash: true}\nliterals: [a=b]\n",
		}, map[string]string{"made": "g.yaml"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{}
			for name, text := range tc.files {
				tree[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
			}
			objects, err := Build(context.Background(), Input{Tree: tree, Dir: "."})
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]string{}
			for _, o := range objects {
				got[o.GetName()] = o.Path
				if annotations := o.GetAnnotations(); len(annotations) > 0 {
					t.Errorf("%s has annotations %v", o.GetName(), annotations)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestAsJSON holds what YAML decodes to against the same by way of JSON.
func TestAsJSON(t *testing.T) {
	const text = `
{text: a, empty: "", yes: true, none: null, int: 7, negative: -7, hex: 0x10, octal: 0o17, large: 9223372036854775807,
 larger: 9223372036854775808, float: 1.5, whole: 2.0, tiny: 1e-7, huge: 1e300, date: 2001-02-03, time: 2001-02-03T04:05:06Z,
 list: [1, [2.0, {a: 3}]], map: {a: {b: 4}}}`
	var decoded, again map[string]any
	if err := yaml.Unmarshal([]byte(text), &decoded); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(decoded)
	if err != nil {
		t.Fatal(err)
	}
	if err := utiljson.Unmarshal(raw, &again); err != nil {
		t.Fatal(err)
	}
	got, size, err := asJSON(decoded)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(any(again), got); diff != "" {
		t.Errorf("(-JSON +got):\n%s", diff)
	}
	if size < len(raw)/3 || size > 3*len(raw) {
		t.Errorf("size is %d, of JSON %d", size, len(raw))
	}
	for _, value := range []any{math.NaN(), math.Inf(1), map[any]any{1: 2}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), []any{func() {}}} {
		if made, _, err := asJSON(map[string]any{"a": value}); err == nil {
			t.Errorf("%v became %v", value, made)
		}
	}
}

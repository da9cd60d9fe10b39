package reconciler

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestRemovePointer(t *testing.T) {
	cases := map[string]struct {
		reason, document, pointer, want string
	}{
		"Field":         {"a field goes, its neighbours stay", `{spec: {replicas: 3, paused: true}}`, "/spec/replicas", `{spec: {paused: true}}`},
		"Item":          {"list items count from 0", `{a: [1, 2, 3]}`, "/a/1", `{a: [1, 3]}`},
		"InsideAList":   {"the way leads through lists", `{a: [{b: 1, c: 2}]}`, "/a/0/b", `{a: [{c: 2}]}`},
		"Escaped":       {"~1 is a slash and ~0 a tilde", `{metadata: {annotations: {"a/b~c": x, keep: y}}}`, "/metadata/annotations/a~1b~0c", `{metadata: {annotations: {keep: y}}}`},
		"TildeOne":      {"~01 is ~1, not a slash (RFC 6901)", `{"~1": x, "/": y}`, "/~01", `{"/": y}`},
		"NotThere":      {"a pointer to nothing changes nothing", `{a: {b: 1}}`, "/a/c/d", `{a: {b: 1}}`},
		"OutsideAList":  {"an index that is not there changes nothing", `{a: [1]}`, "/a/1", `{a: [1]}`},
		"NoNumber":      {"- is no item", `{a: [1]}`, "/a/-", `{a: [1]}`},
		"ThroughAValue": {"a value has no fields", `{a: text}`, "/a/b", `{a: text}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			document, want := parsed(t, tc.document), parsed(t, tc.want)
			removePointer(document, tc.pointer)
			if diff := cmp.Diff(want, document); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func parsed(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestDifferences: fields with their values, and never those of a Secret.
func TestDifferences(t *testing.T) {
	type fields = map[string]any
	list := func(names ...string) (items []any) {
		for _, name := range names {
			items = append(items, fields{"name": name})
		}
		return items
	}
	cases := map[string]struct {
		reason, kind  string
		before, after fields
		want          []Field
	}{
		"Nothing": {"numbers are equal whatever their type", "ConfigMap", fields{"a": int64(1)}, fields{"a": float64(1)}, nil},
		"Server":  {"what the API server counts is no difference", "ConfigMap", fields{"status": fields{"a": "b"}}, fields{}, nil},
		"Values": {"changed, new and gone, by path", "ConfigMap", fields{"data": fields{"a": "1", "b": "2"}}, fields{"data": fields{"b": "3", "c": "4"}},
			[]Field{{Path: "data.a", Before: "1"}, {Path: "data.b", Before: "2", After: "3"}, {Path: "data.c", After: "4"}}},
		"Items": {"an item of a name is told by it", "Pod", fields{"c": list("web", "old")}, fields{"c": list("web", "new")},
			[]Field{{Path: "c[new]", After: fields{"name": "new"}}, {Path: "c[old]", Before: fields{"name": "old"}}}},
		"Order": {"the order of named items is a difference of its own", "Pod", fields{"c": list("a", "b")}, fields{"c": list("b", "a")},
			[]Field{{Path: "c", Before: list("a", "b"), After: list("b", "a"), Reordered: true}}},
		"Secret": {"no value is told, and in which form it was written is nothing", "Secret",
			fields{"stringData": fields{"same": "hunter22", "gone": "a"}, "type": "Opaque"},
			fields{"data": fields{"same": "aHVudGVyMjI=", "new": "Yg=="}, "type": "other"},
			[]Field{{Path: "data.gone", Before: HiddenValue}, {Path: "data.new", After: HiddenValue}, {Path: "type", Before: "Opaque", After: "other"}}},
		"SecretWhole": {"nor those of all of it, nor a copy in an annotation", "Secret",
			fields{"metadata": fields{"annotations": fields{"last": "hunter22"}}}, fields{"metadata": fields{}, "data": fields{"a": "Yg=="}},
			[]Field{{Path: "data", After: HiddenValue}, {Path: "metadata.annotations", Before: HiddenValue}}},
		"SecretBroken": {"what the API server would refuse is hidden too", "Secret", fields{"stringData": "hunter22"}, fields{"stringData": "hunter23"},
			[]Field{{Path: "stringData", Before: HiddenValue, After: HiddenValue}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			object := func(of fields) *unstructured.Unstructured {
				o := &unstructured.Unstructured{Object: fields{"apiVersion": "v1", "kind": tc.kind}}
				for key, value := range of {
					o.Object[key] = value
				}
				return o
			}
			if diff := cmp.Diff(tc.want, Differences(object(tc.before), object(tc.after))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

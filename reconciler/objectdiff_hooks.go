package reconciler

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

// hooks adds the hooks that differ: they are a release of their own. One is the same as that of its name, or where several have
// one name, of the same number among them.
func (made *ObjectDiff) hooks(before, after []*unstructured.Unstructured, secrets secretTexts) {
	was := map[string][]*unstructured.Unstructured{}
	for _, o := range before {
		id := apply.IDOf(o).String()
		was[id] = append(was[id], o)
	}
	for _, o := range after {
		id := apply.IDOf(o).String()
		shown := DiffObject{Object: id, Reason: hookReason(o)}
		if len(was[id]) == 0 {
			made.Created = append(made.Created, shown)
			continue
		}
		fields := slices.DeleteFunc(apply.Differences(was[id][0], o), func(f apply.Field) bool {
			return f.Path == "metadata.annotations["+hookAnnotation+"]" // the chart's own says it too
		})
		if was[id] = was[id][1:]; len(fields) > 0 {
			shown.Fields = shownFields(fields, secrets)
			made.Changed = append(made.Changed, shown)
		}
	}
	for id, left := range was {
		for _, o := range left {
			made.Deleted = append(made.Deleted, DiffObject{Object: id, Reason: hookReason(o)})
		}
	}
}

func hookReason(o *unstructured.Unstructured) string {
	return "a hook, " + strings.Join(momentsOf(o), ", ")
}

// hooksOnly are the hooks among objects, but for tests alone: one that changes makes no release.
func hooksOnly(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool {
		return !isHook(o) || slices.Equal(momentsOf(o), []string{string(policies.Test)})
	})
}

package render

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// HookAnnotation marks an object of [Result.All] as a hook; its value are the hook's moments, with commas between.
const HookAnnotation = "sluice.dev/hook"

// All are the objects, and behind them hooks and tests in the order in which they run, each a copy that is marked.
func (r *Result) All() []*unstructured.Unstructured {
	all := slices.Clone(r.Objects)
	for _, h := range InOrder(r.Hooks, r.Tests) {
		o := h.Object.DeepCopy()
		annotations := o.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[HookAnnotation] = strings.Join(h.Events, ",")
		o.SetAnnotations(annotations)
		all = append(all, o)
	}
	return all
}

// InOrder are hooks and tests together in the order in which they run.
func InOrder(hooks, tests []Hook) []Hook {
	all := slices.Concat(hooks, tests)
	slices.SortStableFunc(all, func(a, b Hook) int { return cmp.Compare(a.Weight, b.Weight) })
	return all
}

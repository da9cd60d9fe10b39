package apply

import (
	"cmp"
	"slices"

	"github.com/fluxcd/pkg/ssa"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	ssautils "github.com/fluxcd/pkg/ssa/utils"
)

// class is a group of objects that are applied at once. A class begins when the one before is done.
type class string

const (
	definitions class = "definitions" // of kinds and namespaces; cluster roles, which others aggregate
	classes     class = "classes"     // StorageClass and its like
	groundwork  class = "groundwork"  // what pods need, and would fail without: accounts, rights, configuration
	main        class = "main"        // all others
	webhooks    class = "webhooks"    // last, or they would call what does not run yet
)

// inOrder lists the classes as they are applied; they are pruned the other way round.
func inOrder() []class { return []class{definitions, classes, groundwork, main, webhooks} }

func classOf(id ID, version string) class {
	obj := &unstructured.Unstructured{Object: map[string]any{}}
	obj.SetGroupVersionKind(id.groupKind().WithVersion(version))
	switch first := slices.Index(ssa.ReconcileOrder.First, id.Kind); {
	case ssautils.IsClusterDefinition(obj):
		return definitions
	case ssautils.IsClassDefinition(obj):
		return classes
	case slices.Contains(ssa.ReconcileOrder.Last, id.Kind):
		return webhooks
	case first >= 0 && first < slices.Index(ssa.ReconcileOrder.First, "Deployment"):
		return groundwork
	}
	return main
}

// rank is the place of a kind in the order of Flux; the lower, the earlier.
func rank(kind string) int {
	if i := slices.Index(ssa.ReconcileOrder.First, kind); i >= 0 {
		return i
	}
	if i := slices.Index(ssa.ReconcileOrder.Last, kind); i >= 0 {
		return len(ssa.ReconcileOrder.First) + 1 + i
	}
	return len(ssa.ReconcileOrder.First)
}

func sortSteps(steps []*step) {
	place := map[class]int{}
	for i, c := range inOrder() {
		place[c] = i
	}
	slices.SortStableFunc(steps, func(a, b *step) int {
		return cmp.Or(cmp.Compare(place[a.class], place[b.class]), cmp.Compare(rank(a.ID.Kind), rank(b.ID.Kind)),
			a.ID.compare(b.ID))
	})
}

// Defines reports whether an object is applied before those that it defines the kind or namespace of.
func Defines(obj *unstructured.Unstructured) bool {
	return classOf(IDOf(obj), obj.GroupVersionKind().Version) == definitions
}

// Groundwork reports whether an object is one that pods may need when they start, such as configuration, an account or
// its rights, or a definition.
func Groundwork(obj *unstructured.Unstructured) bool {
	return slices.Contains([]class{definitions, classes, groundwork}, classOf(IDOf(obj), obj.GroupVersionKind().Version))
}

func isDefinitionOfKind(id ID) bool {
	return id.Kind == "CustomResourceDefinition" && id.Group == "apiextensions.k8s.io"
}

func isNamespace(id ID) bool { return id.Kind == "Namespace" && id.Group == "" }

// precious reports whether deleting an object deletes what cannot be had again: data, or all that lies in it.
func precious(id ID) bool {
	return isDefinitionOfKind(id) || isNamespace(id) || id.Kind == "PersistentVolumeClaim" && id.Group == ""
}

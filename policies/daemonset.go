package policies

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// daemonSet writes the form into a DaemonSet's spec: as long as a release is not settled its controller replaces no pod by
// itself, and the pods are deleted one by one, see [State.Leaving]. A pod that is born meanwhile, on a new node or for one
// that somebody deleted, is of the template that was sent last: nothing can hold it.
func (s Shape) daemonSet(spec map[string]any) {
	spec["updateStrategy"] = map[string]any{"type": "OnDelete"}
}

func stageableDaemonSet(o *unstructured.Unstructured, nodes int) string {
	strategy, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type")
	switch {
	case strategy == "OnDelete":
		return onDeleteOfItsOwn
	case nodes == 1:
		return "a DaemonSet has no extra pods, so the one on its only node would be the first to go: have no canary"
	}
	return ""
}

// onward is the proven pod of a DaemonSet that goes next: when none is missing, nor one too many of a node that went, and
// every new one is Ready, as long as the stage asks for more. One that is well goes before one that is not: a sick pod is often so for its node's sake, and any
// release would look bad there.
func (w Workload) onward(pods int) []Pod {
	if w.New.There >= pods || w.New.Ready < w.New.There || len(w.Each) != w.Replicas {
		return nil
	}
	var first *Pod
	for i := range w.Each {
		p := &w.Each[i]
		if !p.New && (first == nil || p.Ready && !first.Ready || p.Ready == first.Ready && p.Name < first.Name) {
			first = p
		}
	}
	if first == nil {
		return nil
	}
	return []Pod{*first}
}

// silent says which DaemonSet has pods on nodes that do not answer. They are neither counted nor waited for: nobody can replace
// them, large clusters always have such a node, and it is no fault of a release. Its pod is replaced when the node answers,
// and gone when it is.
func silent(staged []Staged, o Observation) string {
	for i, w := range o.Workloads {
		if i < len(staged) && w.Silent > 0 {
			return fmt.Sprintf("%s: %d on nodes that do not answer, which are not waited for", staged[i].Name, w.Silent)
		}
	}
	return ""
}

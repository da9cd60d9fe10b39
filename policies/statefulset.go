package policies

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The kinds that are staged, as they begin the name of what is [Staged].
const (
	deploymentKind  = "Deployment"
	statefulSetKind = "StatefulSet"
	daemonSetKind   = "DaemonSet"
)

// kind is the one that the name says; a Deployment where it says none.
func (w Staged) kind() string {
	if kind, _, named := strings.Cut(w.Name, "/"); named && (kind == statefulSetKind || kind == daemonSetKind) {
		return kind
	}
	return deploymentKind
}

// InPlace reports whether the workload of this name, as people write it, can have no extra pods: its stages replace proven
// ones, one at a time.
func InPlace(name string) bool { return Staged{Name: name}.kind() != deploymentKind }

// Capacity is where the pods of its stages come from: only a Deployment can have extra ones.
func (w Staged) Capacity(c *Canary) Capacity {
	if w.kind() != deploymentKind {
		return Replace
	}
	return c.capacity()
}

// sized is the StatefulSet at the last of these steps. A smaller number of pods does shrink a stage, unlike a Deployment's:
// where it is scaled down there are fewer new ones, and always a proven one.
func (w Staged) sized(steps []CanaryStep) Staged {
	for i, step := range steps {
		if n := step.Pods(w.Replicas, Replace); i == 0 || n > w.Pods {
			w.Pods = n
		}
	}
	w.Pods = min(w.Pods, max(w.Replicas-1, 1))
	return w
}

// statefulSet writes the form into a StatefulSet's spec. The pods from the partition on are new, those below it are
// proven. It counts from 0, whatever number the replicas have: both go in one apply, and while a stage is held Git's
// number waits, or the partition would be of another one. Everything else is Git's.
func (s Shape) statefulSet(spec map[string]any) {
	partition := 0
	if s.Form.Held() {
		partition = max(min(s.Replicas, 1), s.Replicas-max(s.Pods, 1)) // one stays proven, whoever scales it meanwhile
		if _, says := spec["replicas"]; says {
			spec["replicas"] = int64(s.Replicas)
		}
	}
	strategy, _, _ := unstructured.NestedMap(spec, "updateStrategy", "rollingUpdate")
	if strategy == nil {
		strategy = map[string]any{}
	}
	strategy["partition"] = int64(partition)
	spec["updateStrategy"] = map[string]any{"type": "RollingUpdate", "rollingUpdate": strategy}
}

func stageableStatefulSet(o *unstructured.Unstructured, replicas int) string {
	strategy, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type")
	partition, _, _ := unstructured.NestedInt64(o.Object, "spec", "updateStrategy", "rollingUpdate", "partition")
	switch {
	case strategy == "OnDelete":
		return onDeleteOfItsOwn
	case partition > 0:
		return "its own partition keeps pods as they are, and the stages need it: leave it out, or have no canary"
	case replicas == 1:
		return "a StatefulSet has no extra pods, so its only one would be the first to go: use two replicas, or no canary"
	}
	return ""
}

const onDeleteOfItsOwn = "updateStrategy OnDelete leaves it to people which pods are replaced, so there are no stages: " +
	"use RollingUpdate, or no canary"

// stuck says which StatefulSet stands still for a proven pod that is not Ready, or not there. Its controller replaces the pods in order,
// and none while one of them, old or new, is not well. That is no fault of the release.
func stuck(staged []Staged, o Observation) string {
	for i, w := range o.Workloads {
		if i < len(staged) && w.Ordered {
			if why := standsStill(staged[i], w); why != "" {
				return why
			}
		}
	}
	return ""
}

// standsStill says why a workload does not go on, where that is no fault of the release; empty: nothing says so.
func standsStill(staged Staged, w Workload) string {
	proven := max(w.Proven.There, w.Proven.Want)
	switch {
	case w.Gone || !w.Seen:
	case w.Ordered && w.Proven.Ready < proven:
		return fmt.Sprintf("%s: %d of its %d proven pods are not Ready, and until they are its controller replaces none",
			staged.Name, proven-w.Proven.Ready, proven)
	case w.Excuse != "":
		return fmt.Sprintf("%s: %s", staged.Name, w.Excuse)
	}
	return ""
}

// tells says in the reason that a workload stands still, and no more when it does not.
func (s State) tells(p Plan, stands string) State {
	if s.Phase != Progressing || s.Stage > len(p.Canary.steps()) {
		return s
	}
	s.Reason = p.Canary.tell(s.Stage) + s.inPlace(p)
	if stands != "" {
		s.Reason += "; " + stands
	}
	return s
}

// counted reports whether the pods of all StatefulSets are known that a release would change.
func counted(o Observation) bool {
	for i, w := range o.Changed {
		if w.kind() == statefulSetKind && w.Replicas > 0 && (i >= len(o.Workloads) || !o.Workloads[i].Seen) {
			return false
		}
	}
	return true
}

// begins says what keeps the first stage from beginning.
func begins(o Observation) string {
	for _, w := range o.Changed {
		if w.Replicas == 0 {
			return w.Name + " has no replicas: the stages begin when it has"
		}
	}
	if why := stuck(o.Changed, o); why != "" {
		return why + ": the stages begin then"
	}
	return ""
}

// inPlace says of which workloads the surge that the rules ask for cannot be kept, and of which no number of new pods.
func (s State) inPlace(p Plan) string {
	var replaced, born []string
	for _, w := range s.Staged {
		if p.Canary.capacity() == Surge && w.Capacity(p.Canary) == Replace {
			replaced = append(replaced, w.Name)
		}
		if w.kind() == daemonSetKind {
			born = append(born, w.Name)
		}
	}
	text := ""
	if len(replaced) > 0 {
		text += fmt.Sprintf(" (in place of proven pods, as %s can have no extra ones)", strings.Join(replaced, ", "))
	}
	if len(born) > 0 {
		text += fmt.Sprintf(" (at least, as pods of %s that are born meanwhile are new too)", strings.Join(born, ", "))
	}
	return text
}

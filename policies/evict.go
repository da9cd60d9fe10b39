package policies

import (
	"cmp"
	"slices"
	"time"
)

// Pod is one of a workload's whose controller leaves pods that are to go.
type Pod struct {
	Name, UID string
	New       bool // not of the proven template
	Ready     bool
	Ordinal   int // counted from 0, of a StatefulSet's
	Born      time.Time
}

// stuckFor is how long a way back waits for a pod on which nothing is made anew: one that is only restarted is Ready by
// then.
const stuckFor = 10 * time.Second

// Leaving are the pods of a staged workload that are to be deleted now, since its controller would leave them. The same
// observation gives the same pods, so that to delete them twice is to delete them once.
//
// A DaemonSet's controller deletes none while a release is staged. A StatefulSet's does, but not the sick ones that stand
// in its way; and not new ones below the partition, which come where somebody scales it in the middle of a stage.
func (s State) Leaving(o Observation, name string) []Pod {
	i := slices.IndexFunc(s.Staged, func(w Staged) bool { return w.Name == name })
	if i < 0 || i >= len(o.Workloads) || !s.Applied {
		return nil
	}
	staged, w, form := s.Staged[i], o.Workloads[i], s.form(s.Staged[i])
	if form == Settled || form == Closing || form.RouteAlone() {
		return nil
	}
	switch kind := staged.kind(); {
	case w.Gone || !w.Seen || kind == deploymentKind:
		return nil
	case s.Back:
		patience := returnFor
		if w.Ordered && w.Proven.Ready < w.Proven.There {
			patience = stuckFor
		}
		return w.backward(s.Form == Aborting && o.Now.Sub(s.since()) >= patience, func(p Pod) bool { return p.New })
	case form == Wave:
		return slices.DeleteFunc(slices.Clone(w.Each), func(p Pod) bool { return p.New || p.Ready }) // its controller replaces the others
	case kind == daemonSetKind && form == Finishing:
		return w.onward(w.Replicas)
	case kind == daemonSetKind:
		return w.onward(min(staged.Pods, max(w.Replicas-1, 0))) // nodes may have gone: one pod stays proven
	case form.Held() && w.Proven.Want >= staged.Replicas-staged.Pods: // those below it come back proven
		return w.backward(false, func(p Pod) bool { return p.New && p.Ordinal < staged.Replicas-staged.Pods })
	}
	return nil
}

// evicts reports whether a pod is to be deleted.
func (s State) evicts(o Observation) bool {
	return slices.ContainsFunc(s.Staged, func(w Staged) bool { return len(s.Leaving(o, w.Name)) > 0 })
}

// since is when the stage, or the way back, began, or a pod last got where it is to be: StatefulSets and DaemonSets
// replace one pod after the other, and each has its time.
func (s State) since() time.Time {
	if s.Moved.After(s.StageBegan) {
		return s.Moved
	}
	return s.StageBegan
}

// moved notes that a pod more is Ready: a new one, or on the way back a proven one.
func (s State) moved(o Observation) State {
	s.Staged = slices.Clone(s.Staged)
	for i := range s.Staged {
		w := &s.Staged[i]
		if w.kind() == deploymentKind || i >= len(o.Workloads) || !o.Workloads[i].Seen {
			continue
		}
		ready := o.Workloads[i].New.Ready
		if s.Back {
			ready = o.Workloads[i].Proven.Ready
		}
		if ready > w.Ready {
			w.Ready, s.Moved = ready, o.Now
		}
	}
	return s
}

// unmoved lets the counting begin anew.
func (s State) unmoved() State {
	s.Staged, s.Moved = slices.Clone(s.Staged), time.Time{}
	for i := range s.Staged {
		s.Staged[i].Ready = 0
	}
	return s
}

// backward are the pods among those that are to go that go next. One that is not Ready serves nobody and goes at once. Of the
// others one goes at a time, the highest or else the youngest, when none is missing and those that came after it are Ready;
// all go where that stands still.
func (w Workload) backward(all bool, goes func(Pod) bool) []Pod {
	var sick, well []Pod
	for _, p := range w.Each {
		switch {
		case !goes(p):
		case p.Ready && !all:
			well = append(well, p)
		default:
			sick = append(sick, p)
		}
	}
	slices.SortFunc(sick, lastFirst)
	if len(well) == 0 || len(sick) > 0 || len(w.Each) != w.Replicas {
		return sick
	}
	next := slices.MinFunc(well, lastFirst)
	if slices.ContainsFunc(w.Each, func(p Pod) bool { return !p.Ready && p.Born.After(next.Born) }) {
		return nil
	}
	return []Pod{next}
}

// lastFirst puts the highest ordinal first, then the youngest.
func lastFirst(a, b Pod) int {
	return cmp.Or(b.Ordinal-a.Ordinal, b.Born.Compare(a.Born), cmp.Compare(a.Name, b.Name))
}

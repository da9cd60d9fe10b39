package policies

import (
	"slices"
	"time"
)

// Staging is where a staged release stands. The zero value: nothing is staged.
type Staging struct {
	// Versioned: the configuration that pods of Release read has names of its content, see [Versioned]. It is decided when
	// the release begins: rules that change later restart no pod. Plain are the workloads that read it under plain names all
	// the same, see [KeepPlain].
	Versioned bool     `json:"versioned,omitempty"`
	Plain     []string `json:"plain,omitempty"`
	// Assess: it is to be found out which workloads are staged. Nothing of the release was sent yet.
	Assess bool `json:"assess,omitempty"`
	// Form is how the workloads in Staged are sent, and Back that the proven release is sent instead of the one in the
	// state. Aborting and Returning imply Back; Held, Finishing and Wave exclude it.
	Form Form `json:"form,omitempty"`
	Back bool `json:"back,omitempty"`
	// From is the release that Release left by a roll-back which is not over; zero: it is none. It excludes Back.
	From Release `json:"from,omitzero"`
	// Told is by whose word it did, beside Git's.
	Told string `json:"told,omitempty"`
	// Stage counts from 1; one more than there are steps while the release finishes; 0: it is not staged.
	Stage int `json:"stage,omitempty"`
	// StageBegan is when the stage was begun. Reached is since when all its pods are Ready without a break, Unready since
	// when some are not that were, and Lost since when the proven pods are fewer than the stage leaves.
	StageBegan time.Time `json:"stageBegan,omitzero"`
	Reached    time.Time `json:"reached,omitzero"`
	Unready    time.Time `json:"unready,omitzero"`
	Lost       time.Time `json:"lost,omitzero"`
	// Closed: a window keeps what comes next from beginning, and Opens is when that ends; zero: not within a year.
	Closed bool      `json:"closed,omitempty"`
	Opens  time.Time `json:"opens,omitzero"`
	// Stood: nobody could act while the release was in its stage, which was paused or whose rules were not known.
	Stood bool `json:"stood,omitempty"`
	// Moved is when a pod of a StatefulSet or DaemonSet last got where it is to be, see Staged.Ready.
	Moved time.Time `json:"moved,omitzero"`
	// Staged are the workloads that move through the stages together, and Order up to which of their orders they have come in
	// this one.
	Staged []Staged `json:"staged,omitempty"`
	Order  int      `json:"order,omitempty"`
	// Measured is what the samples of the stage came to since Reached; after it, what those of the last one did.
	Measured []Tally `json:"measured,omitempty"`
	// Split is how a route shares out the traffic meanwhile.
	Split Split `json:"split,omitzero"`
}

// Staged is a workload whose pods a release replaces.
type Staged struct {
	// Name is as people write it, Kind/namespace/name.
	Name string `json:"name"`
	// Proven is the hash of the proven pods' template.
	Proven string `json:"proven"`
	// Order is its place in each stage: it waits until those of a lower one have their pods.
	Order int `json:"order,omitempty"`
	// Replicas is the number that it was last seen to ask for: 0 is one that somebody scaled away. Pods is how many new ones
	// the stage has of them: a number that only ever grows, since a smaller one shrinks nothing. 0: it was not begun.
	Replicas int `json:"replicas"`
	Pods     int `json:"pods,omitempty"`
	// Silent is how many of its pods were last seen on nodes that do not answer. Only a DaemonSet has some.
	Silent int `json:"silent,omitempty"`
	// Ready is the most pods that were Ready of those that the stage, or the way back, is for. A Deployment has none.
	Ready int `json:"ready,omitempty"`
	// Deadline is how long a stage may take until its pods are Ready: the manifest's progressDeadlineSeconds.
	Deadline time.Duration `json:"deadline"`
	// Routed: the route sends to its pods, and shares its traffic out.
	Routed bool `json:"routed,omitempty"`
}

// Workload is what is seen of a staged workload.
type Workload struct {
	// Gone: it is not there. Seen: its controller has seen what was sent last, and the counts are those of then.
	Gone, Seen bool
	// Replicas is the number that the workload asks for.
	Replicas int
	// Proven counts the pods of the proven template, New all others.
	Proven, New Pods
	// Hash names the template of the new pods; empty while that is not known.
	Hash string
	// Fault is why new pods never will be well; empty: nothing says so.
	Fault string
	// Unwell is why new pods are not well now, and Excuse why that is no fault of the release: a full cluster, a quota, a lost
	// node, a registry that does not answer. With a Fault there is none.
	Unwell, Excuse string
	// Ordered: its controller does nothing while a pod that is there is not Ready.
	Ordered bool
	// Silent counts pods of a DaemonSet on nodes that do not answer. Neither they nor their nodes are counted elsewhere.
	Silent int
	// Each are the pods that are not being deleted, of a StatefulSet or DaemonSet.
	Each []Pod
}

// Pods counts pods of a workload by template.
type Pods struct {
	Want  int // that the controller is to keep
	There int
	Ready int
}

// Shape is how the staged workload of this name is sent.
func (s State) Shape(p Plan, name string) Shape {
	i := slices.IndexFunc(s.Staged, func(w Staged) bool { return w.Name == name })
	if i < 0 {
		return Shape{}
	}
	w := s.Staged[i]
	shape := Shape{Form: s.form(w), Capacity: w.Capacity(p.Canary), Pods: w.Pods, Replicas: w.Replicas}
	switch {
	case shape.Form == Wave:
		shape.Pods = max(w.Replicas/2, 1)
	case !s.inPlaceRouted(p, i):
	case shape.Form.Held():
		shape.Pods = min(w.Pods, max(w.Replicas-1, 1)) // one stays proven
	case shape.Form == Finishing:
		shape.Pods = p.Canary.stride(w.Replicas)
	default: // half of them bear what all do, for as long as a pod takes to start
		shape.Pods = max(w.Replicas/2, 1)
	}
	return shape
}

// form is that of the state, but for a workload that waits for those of a lower order: it stays as the stage before left it.
func (s State) form(w Staged) Form {
	switch {
	case s.Back || w.Order <= s.Order:
		return s.Form
	case w.Pods == 0:
		return Settled
	}
	return Held
}

// size notes how many replicas the workloads ask for and how many new pods the stage has of them. It reports whether
// there are to be more than were sent, or the same of another number: what a StatefulSet is sent is of its replicas, and
// for new pods of a DaemonSet whose node does not answer any more there are to be others.
func (s State) size(p Plan, o Observation) (State, bool) {
	grown := false
	s.Staged = slices.Clone(s.Staged)
	for i := range s.Staged {
		w := &s.Staged[i]
		before := *w
		if i < len(o.Workloads) && o.Workloads[i].Seen {
			w.Replicas = o.Workloads[i].Replicas
		}
		lost := false
		if i < len(o.Workloads) {
			w.Silent = o.Workloads[i].Silent
			lost = w.Silent > before.Silent && o.Workloads[i].New.There < w.Pods
		}
		if w.Order > s.Order {
			// It waits with the pods that it has; what holds a StatefulSet's is a number of its replicas.
			grown = grown || w.Pods > 0 && w.kind() == statefulSetKind && w.Replicas != before.Replicas
			continue
		}
		if w.kind() == statefulSetKind {
			*w = w.sized(p.Canary.steps()[:min(s.Stage, len(p.Canary.steps()))])
			grown = grown || w.Pods != before.Pods || w.Replicas != before.Replicas
		} else if n, asked := s.asks(p, i, w.Replicas); asked {
			w.Pods = max(w.Pods, n)
		}
		grown = grown || w.Pods > before.Pods || lost
	}
	return s, grown
}

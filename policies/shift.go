package policies

import (
	"fmt"
	"time"
)

// warming is what a stage waits for while its weight rises.
const warming = "the weight rises"

// openUp lets the proven pods have all traffic before there are others, in two steps: a Service, and when it has its pods
// the route.
func openUp(s State, p Plan, o Observation) State {
	s.Form, s.Stage, s.StageBegan, s.Reason = Opening, 1, o.Now, "the proven pods get all traffic before stage 1"
	return s.share(o, func(split *Split) {
		*split = Split{By: p.Canary.Traffic, Stable: s.Staged[s.behind()].Proven, Whole: true}
	})
}

// open waits until they have it.
func open(s State, p Plan, o Observation, told []Record) (State, []Record) {
	if len(o.Workloads) < len(s.Staged) {
		return s, told
	}
	if name := scaledAway(s, o); name != "" {
		return takeBack(s, o, Aborting, Holding, name+" has no replicas: the stages begin when it has", told)
	}
	w := o.Workloads[s.behind()]
	switch {
	case !w.Seen:
		return s, told
	case s.Split.Whole && o.Traffic.Stable < w.Proven.Ready:
		return s.awaitRoute(o, s.Split.lacks(s.Split.By.Stable(), o.Traffic.Stable, w.Proven.Ready), told)
	case s.Split.Whole:
		return s.share(o, func(split *Split) { split.Whole = false }), told
	case s.Split.Routed.IsZero():
		return s.awaitRoute(o, o.Traffic.Why, told)
	}
	return onward(s, p, o, told)
}

func (s Split) lacks(service string, have, want int) string {
	return fmt.Sprintf("Service %s has %d of %d Ready endpoints", service, have, want)
}

// shift brings the traffic to where the stage wants it: new pods get weight when their Service has them, and the weight
// counts when the route is accepted. It says what is waited for; empty: it is there.
func (s State) shift(p Plan, o Observation) (State, string) {
	if !s.Split.on() {
		return s, ""
	}
	w, split := o.Workloads[s.behind()], &s.Split
	want, _ := s.asks(p, s.behind(), w.Replicas)
	if w.Hash == "" {
		return s, "the new pods' template is not known yet"
	}
	if split.Canary != w.Hash { // it is known now, or somebody changed it
		known := func(split *Split) { split.Canary, split.Weight, split.Warm = w.Hash, 0, time.Time{} }
		return s.share(o, known), "the Services are made"
	}
	if o.Traffic.Canary < max(want, 1) {
		return s, split.lacks(split.By.Canary(), o.Traffic.Canary, max(want, 1))
	}
	target := s.target(p, w.Replicas)
	if split.Warm.IsZero() && split.By.WarmUp > 0 && target > split.Weight {
		split.Warm, split.From = o.Now, split.Weight
	}
	due := split.risen(target, o.Now)
	switch {
	case split.Routed.IsZero():
		return s, o.Traffic.Why
	case due != split.Weight && o.Traffic.Stable < w.Proven.Ready:
		return s, split.lacks(split.By.Stable(), o.Traffic.Stable, w.Proven.Ready)
	case due != split.Weight:
		return s.share(o, func(split *Split) { split.Weight = due }), "the route gets its weight"
	case due != target:
		return s, warming
	}
	return s, ""
}

// target is the weight of the stage.
func (s State) target(p Plan, replicas int) int {
	steps, i := p.Canary.steps(), s.behind()
	switch {
	case s.Form == Filling && s.inPlaceRouted(p, i):
		return s.Split.fills(s.Staged[i].Pods, replicas)
	case s.Form == Filling:
		return 100
	case s.Stage > len(steps):
		return s.Split.Weight
	}
	return steps[s.Stage-1].share(replicas, s.Staged[i].Capacity(p.Canary))
}

// asks is how many new pods the stage asks for of a staged workload with so many replicas; false: of its own it asks for
// none.
func (s State) asks(p Plan, i, replicas int) (pods int, asked bool) {
	steps, routed := p.Canary.steps(), s.Split.on() && s.Staged[i].Routed
	switch {
	case s.Form == Filling && s.inPlaceRouted(p, i):
		return min(s.Staged[i].Pods, max(replicas-1, 1)), true
	case s.Form == Filling && routed:
		return replicas, true
	case s.Form == Filling || s.Stage > len(steps):
		return 0, false
	case routed:
		return steps[s.Stage-1].RoutedPods(replicas, s.Staged[i].Capacity(p.Canary)), true
	}
	return steps[s.Stage-1].Pods(replicas, s.Staged[i].Capacity(p.Canary)), true
}

// holds is how long the stage must be well.
func (s State) holds(p Plan) time.Duration {
	steps := p.Canary.steps()
	switch {
	case s.Form == Filling:
		return s.Split.By.Drain // of the proven pods, which go next
	case s.Stage <= len(steps):
		return steps[s.Stage-1].Hold
	}
	return 0
}

// awaitRoute waits for the route while all pods are well: it is not the release's fault, and has no end. People are told.
func (s State) awaitRoute(o Observation, why string, told []Record) (State, []Record) {
	s.Unready = time.Time{}
	if !s.Reached.IsZero() { // the time of the stage begins anew
		s.Reached, s.StageBegan = time.Time{}, o.Now
	}
	if s.Split.Waits.IsZero() {
		s.Split.Waits = o.Now
	}
	if why == warming || o.Now.Before(s.tellAt()) {
		return s, told
	}
	return enter(s, Holding, fmt.Sprintf("stage %d waits for its traffic: %s", s.Stage, why), o, told)
}

// arrived ends the wait for the route.
func (s State) arrived(p Plan) State {
	if s.Split.Waits.IsZero() {
		return s
	}
	s.Split.Waits = time.Time{}
	if s.Phase == Holding && s.Stage <= len(p.Canary.steps()) {
		s.Phase, s.Reason = Progressing, p.Canary.tell(s.Stage)
	} else if s.Phase == Holding {
		s.Phase, s.Reason = Promoting, wellText
	}
	return s
}

// retreat is how traffic goes back with the pods. While the hold stands it leaves the new ones first; where no proven pods
// wait for it, Git's route shares it among all there are.
func (s State) retreat(was Form, o Observation) State {
	if !s.Split.on() {
		return s
	}
	s.Split.Waits = time.Time{}
	whole := func(split *Split) { split.Whole, split.Weight = true, 0 }
	none := func(split *Split) { split.Weight = 0 }
	switch {
	case was == Opening:
		s.Form = Settled
		return s.share(o, whole)
	case s.Form != Aborting:
		return s.share(o, whole)
	case s.Split.Weight == 0:
		return s
	case len(o.Workloads) == len(s.Staged) && scaledAway(s, o) == "":
		if s.few(o) {
			s.Form = Returning
			return s.share(o, whole)
		}
		s.Form = Draining
	}
	return s.share(o, none)
}

// Gently is the state where the proven pods do not come back as they were, so that they are made anew before others go.
func (s State) Gently(now time.Time) State {
	s.Form, s.StageBegan = Returning, now
	return s.retreat(Aborting, Observation{Now: now})
}

// drain keeps new pods until they have ended what they were at.
func drain(s State, o Observation, told []Record) (State, []Record) {
	if s.drained(o) {
		s.Form, s.Applied = Aborting, false
	}
	return s, told
}

// shut gives all traffic to the stable Service, which selects the pods that are proven now, and then to Git's route.
func shut(s State, o Observation, told []Record) (State, []Record) {
	if name, fault := faulty(s, o); fault != "" {
		return takeBack(s, o, Returning, Failed, name+": "+fault, told)
	}
	if o.Health == Degraded {
		return takeBack(s, o, Returning, Failed, o.HealthReason, told)
	}
	if len(o.Workloads) < len(s.Staged) {
		return s, told
	}
	switch w := o.Workloads[s.behind()]; {
	case s.Split.Weight > 0 && (!w.Seen || o.Traffic.Stable < w.New.Ready):
		return s, told
	case s.Split.Weight > 0:
		return s.share(o, func(split *Split) { split.Weight = 0 }), told
	case s.drained(o):
		return s.settle(o), told
	}
	return s, told
}

// settle ends the stages, or the way back: everything as it was rendered.
func (s State) settle(o Observation) State {
	s.Form, s.Applied = Settled, false
	if s.Split.on() {
		s = s.share(o, func(split *Split) { split.Whole, split.Weight = true, 0 })
	}
	return s
}

// unsplit takes the Services away when nothing is sent to them any more; true: that is not over.
func unsplit(s State, o Observation) (State, bool) {
	if !s.Split.on() {
		return s, false
	}
	s.Split.Over = s.Split.Over || s.drained(o)
	if s.Split.Over && o.Traffic.Services == 0 {
		s.Split = Split{}
	}
	return s, s.Split.on()
}

package policies

import (
	"slices"
	"time"
)

// With Replace the new pods of a route cannot all stand beside the proven ones before they get all traffic. They take the
// places of those a few at a time instead, and their weight follows their share, until one proven pod is left.

// inPlaceRouted reports whether the new pods of a workload that the route sends to take the place of proven ones.
func (s State) inPlaceRouted(p Plan, i int) bool {
	return s.Split.on() && i >= 0 && s.Staged[i].Routed && s.Staged[i].Capacity(p.Canary) == Replace
}

// stride is how many pods may be missing at once when the stages are over: as many as were in one of them, but at most half.
func (c *Canary) stride(replicas int) int {
	most := 1
	for _, step := range c.steps() {
		most = max(most, step.Pods(replicas, Replace))
	}
	return min(most, max(replicas/2, 1))
}

// fills is the weight of so many new pods in place of proven ones: their share, rounded down, and never less than they have
// already. The last proven pod is left without any before it goes.
func (s Split) fills(pods, replicas int) int {
	if pods >= replicas-1 {
		return 100
	}
	return max(s.Weight, 100*pods/replicas)
}

// fillUp lets more new pods take the place of proven ones, when those before bear their share. As the proven ones that stay
// bear theirs meanwhile, at most half of them go at once, so that none bears more than double.
func (s State) fillUp(p Plan, o Observation) (State, bool) {
	i := s.behind()
	if s.Form != Filling || !s.inPlaceRouted(p, i) {
		return s, false
	}
	w, pods := o.Workloads[i], s.Staged[i].Pods
	left := w.Replicas - pods
	switch {
	case left <= 1:
		return s, false
	case w.New.Want > pods: // somebody scaled it, and new ones got their part: they bear their share first
		pods = min(w.New.Want, w.Replicas-1)
	default:
		pods += min(p.Canary.stride(w.Replicas), max(left/2, 1))
	}
	s.Staged = slices.Clone(s.Staged)
	s.Staged[i].Pods = pods
	s.StageBegan, s.Reached, s.Unready = o.Now, time.Time{}, time.Time{}
	return s.share(o, func(split *Split) { split.Waits, split.Warm = time.Time{}, time.Time{} }), true
}

// few reports whether the proven pods that are kept are too few to bear all traffic: each would bear more than double.
func (s State) few(o Observation) bool {
	w := o.Workloads[s.behind()]
	return 2*w.Proven.Want < w.Replicas
}

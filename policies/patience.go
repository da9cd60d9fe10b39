package policies

import (
	"fmt"
	"slices"
	"time"
)

// The patience of a stage.
const (
	// unreadyFor is how long pods of a stage that were Ready may not be.
	unreadyFor = 30 * time.Second
	// lostFor is how long the proven pods may seem fewer: the counts of two objects do not arrive at once.
	lostFor = 2 * time.Second
)

// faulty returns the first workload whose new pods never will be well.
func faulty(s State, o Observation) (name, fault string) {
	for i, w := range o.Workloads {
		if w.Fault != "" {
			return s.Staged[i].Name, w.Fault
		}
	}
	return "", ""
}

// scaledAway says which workload has too few pods to protect any.
func scaledAway(s State, o Observation) string {
	for i, w := range o.Workloads {
		switch staged := s.Staged[i]; {
		case w.Gone || w.Replicas == 0:
			return staged.Name + " has no replicas: the stages begin anew when it has"
		case w.Replicas == 1 && staged.kind() != deploymentKind:
			return staged.Name + " has one pod only, which a stage would replace: the stages begin anew when it has more"
		}
	}
	return ""
}

// lost notes since when the proven pods are fewer than the stage leaves. A hold protects only while they are there.
func lost(s State, p Plan, o Observation) State {
	fewer := false
	for i, w := range o.Workloads {
		leaves, staged := w.Replicas, s.Staged[i]
		if staged.Capacity(p.Canary) == Replace {
			pods := staged.Pods
			if s.Form == Filling && staged.Routed { // where it was scaled up, new ones got their part
				pods = max(pods, w.New.Want)
			}
			leaves -= min(pods, max(w.Replicas-1, 0)) // however few it was scaled down to, one of them is proven
		}
		if staged.kind() != daemonSetKind { // whose pods are born new, and nothing holds them
			fewer = fewer || w.Seen && w.Proven.Want < leaves
		}
	}
	switch {
	case !fewer:
		s.Lost = time.Time{}
	case s.Lost.IsZero():
		s.Lost = o.Now
	}
	return s
}

// seen reports whether all staged workloads are.
func (s State) seen(o Observation) bool {
	return len(o.Workloads) == len(s.Staged) && !slices.ContainsFunc(o.Workloads, func(w Workload) bool { return !w.Seen })
}

// blind reports whether somebody who has just begun to look has not seen all staged workloads yet. That is no evidence of
// anything: nobody decides by it, until a list should have come.
func (s State) blind(o Observation) bool { return !s.seen(o) && o.fresh() }

// fresh reports whether somebody has just begun to look.
func (o Observation) fresh() bool { return o.Now.Sub(o.Watched) < unreadyFor }

// missing says which workload has not all Ready pods that the stage asks for, and why; last one of which it is no fault of
// the release, and then what keeps it from going on.
func (s State) missing(p Plan, o Observation) (missing, why, stands string) {
	if len(o.Workloads) < len(s.Staged) {
		return "the workloads", "they were not seen yet", ""
	}
	for i, w := range o.Workloads {
		if s.Staged[i].Order > s.Order {
			continue
		}
		want := s.Staged[i].Pods
		if n, asked := s.asks(p, i, w.Replicas); asked {
			want = min(want, n) // it may have been scaled down since
		}
		if w.Seen && w.New.Ready >= want {
			continue
		}
		lacks := fmt.Sprintf("%s: %d of %d new pods are Ready", s.Staged[i].Name, w.New.Ready, want)
		if blameless := standsStill(s.Staged[i], w); blameless == "" {
			return lacks, w.Unwell, ""
		} else if missing == "" {
			missing, why, stands = lacks, w.Unwell, blameless
		}
	}
	return missing, why, stands
}

// wait bounds how long pods may be missing; not what the release is no fault of.
func (s State) wait(o Observation, missing, why, stands string, told []Record) (State, []Record) {
	since, limit := s.since(), s.deadline()
	if !s.Reached.IsZero() || !s.Unready.IsZero() || !s.Split.Waits.IsZero() { // they were Ready, and the time of the stage begins anew
		if s.Unready.IsZero() {
			s.Unready = o.Now
		}
		s.Reached, s.Split.Waits, s.Measured, since, limit = time.Time{}, time.Time{}, nil, s.Unready, unreadyFor
	}
	if stands != "" {
		s.Moved, s.Unready = o.Now, time.Time{}
		return s, told
	}
	if o.Now.Sub(since) < limit {
		return s, told
	}
	reason := fmt.Sprintf("stage %d: %s after %s", s.Stage, missing, limit)
	if why != "" {
		reason += ": " + why
	}
	return takeBack(s, o, Aborting, Failed, reason, told)
}

func (s State) deadline() time.Duration {
	var longest time.Duration
	for _, w := range s.Staged {
		longest = max(longest, w.Deadline)
	}
	return longest
}

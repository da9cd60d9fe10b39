package policies

// Effect is something to carry out. Effects are idempotent.
type Effect string

// The effects, in the order in which they are carried out.
const (
	Assess  Effect = "assess"  // find out, by dry-runs, which workloads a release would replace the pods of
	Hook    Effect = "hook"    // begin the hook that is due, see [Hooking]
	Keep    Effect = "keep"    // take a pod or two that failed out of everything that selects them
	Apply   Effect = "apply"   // apply the objects of the live release, in the form of the state
	Measure Effect = "measure" // begin to take the samples of [State.Measuring]
	Repair  Effect = "repair"  // apply again those that drifted
	Evict   Effect = "evict"   // delete the pods that are [State.Leaving]; not by the eviction API, since sick ones are among them
	Unsplit Effect = "unsplit" // delete the Services that a route's traffic was split with
	Prune   Effect = "prune"   // delete owned objects that Git no longer has
	Clear   Effect = "clear"   // delete the pods that were kept
	Unhook  Effect = "unhook"  // delete what is left of hooks
)

// effects are those that are due, in order.
func effects(s State, p Plan, o Observation, prune bool) []Effect {
	var due []Effect
	over := s.Scene.over(o.Now)
	if !over && !s.Scene.Until.IsZero() && !s.Scene.Tried && s.Form != Draining { // a route may still send to them
		due = append(due, Keep)
	}
	if s.Hooking.Moment().before() { // nothing of the release is sent before they are over
		if s.Hooking.Runs() {
			due = append(due, Hook)
		}
		if over {
			due = append(due, Clear)
		}
		return due
	}
	if s.Assess {
		if due = append(due, Assess); over {
			due = append(due, Clear)
		}
		return due
	}
	if s.seen(o) && len(s.Measuring(p, o.Now)) > 0 {
		due = append(due, Measure)
	}
	if !s.Applied {
		due = append(due, Apply)
	} else if o.Drifted > 0 && p.Repair {
		due = append(due, Repair)
	}
	if s.evicts(o) {
		due = append(due, Evict)
	}
	if s.Split.Over && o.Traffic.Services > 0 {
		due = append(due, Unsplit)
	}
	if prune {
		due = append(due, Prune)
	}
	if s.Hooking.Runs() {
		due = append(due, Hook)
	}
	if over { // nothing waits for it
		due = append(due, Clear)
	}
	return due
}

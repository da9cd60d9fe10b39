package policies

import (
	"time"
)

// Ends is when the stage has had its time, or its patience, as people are told it. Zero: no time ends it.
func (s State) Ends(p Plan) time.Time {
	switch {
	case s.Closed:
		return s.Opens
	case s.Form == Returning:
		return s.since().Add(returnFor)
	case s.Form.Held() && !s.Unready.IsZero():
		return s.Unready.Add(unreadyFor)
	case s.Form.Held() && !s.Reached.IsZero():
		return s.Reached.Add(s.holds(p))
	case s.Form.Held() && s.Split.Waits.IsZero(), s.Form == Finishing, s.Form == Wave:
		return s.since().Add(s.deadline())
	}
	return time.Time{}
}

// Due is when Step may decide otherwise by time alone, after now: what was due before was decided. Zero: never.
func (s State) Due(p Plan, now time.Time) time.Time {
	var first time.Time
	soonest := func(at time.Time) {
		if at.After(now) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	soonest(s.windowDue(now))
	soonest(s.routeDue(now))
	soonest(s.Scene.Until)
	if s.rolls() && s.Stage > 0 {
		soonest(s.since().Add(returnFor))
	}
	soonest(s.soakDue(p))
	switch s.Form {
	case Returning:
		soonest(s.since().Add(returnFor))
		return first
	case Aborting:
		soonest(s.since().Add(stuckFor))
		return first
	case Settled, Opening, Held, Filling, Finishing, Wave, Closing, Draining:
	}
	if !s.Form.Held() && s.Form != Finishing && s.Form != Wave {
		return first
	}
	if !s.Lost.IsZero() {
		soonest(s.Lost.Add(lostFor))
	}
	switch {
	case !s.Unready.IsZero():
		soonest(s.Unready.Add(unreadyFor))
	case !s.Split.Waits.IsZero():
	case s.Reached.IsZero():
		soonest(s.since().Add(s.deadline()))
	case s.Form.Held():
		soonest(s.Reached.Add(s.holds(p)))
		for _, a := range p.Canary.Measured(s.Stage) {
			soonest(a.due(s.tally(a.Name), s.Reached))
		}
	}
	return first
}

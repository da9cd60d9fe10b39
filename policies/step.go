package policies

import (
	"strings"
	"time"
)

// Record is a line that Git is to be told. It belongs to the state it was returned with and is saved with
// it, so that it is told once.
type Record struct {
	Phase   Phase   `json:"phase"`
	Release Release `json:"release"`
	Reason  string  `json:"reason,omitempty"`
	// Began is when the release began; zero for Blocked.
	Began time.Time `json:"began,omitzero"`
	// Measured is what was measured of the stage that this is about, or that it ends.
	Measured []Tally `json:"measured,omitempty"`
	// Soaked is how long a proven release was well since; zero where this does not attest it.
	Soaked time.Duration `json:"soaked,omitempty"`
}

// SlowAfter is when a release that is neither healthy nor failed is told once as Progressing, with what it waits for:
// most are healthy by then, and each line is a push.
const SlowAfter = 30 * time.Second

// Step returns the next state, the effects still to carry out, in order, and the lines to record. It reads no
// clock, file or network: o.Now is the only time it knows. An effect is returned at every call until o
// shows that it landed, so that none is lost when the process dies.
func Step(s State, p Plan, o Observation) (State, []Effect, []Record) {
	if p.Paused {
		return s.stood(), nil, nil
	}
	var told []Record
	if p.Absent {
		if s, told = awaitLeave(s, p, o, told); s.Waiting != (Waiting{}) {
			return s.stood(), nil, told
		}
		return leave(s, p, o, told)
	}
	if s.Hooking.Leaves { // it is not to be deleted any more
		s.Hooking = Hooking{}
	}
	p = s.barred(p)
	s, told = refuse(s, p, told)
	if p.Idle && (s.Assess || s.Hooking.Runs() || s.Stage > 0 && s.Phase != Healthy) {
		return s.stood(), nil, told
	}
	s = s.goesOn(o)
	if p.Release != (Release{}) && isNew(s, p.Release) {
		moved := false
		if s, told, moved = arrive(s, p, o, told); moved {
			return s, effects(s, p, Observation{Now: o.Now}, false), s.tell(told) // what was observed is of what was sent before
		}
	} else {
		s, told = s.unasked(p, told)
	}
	if s.Phase == "" {
		return s, nil, told
	}
	phase := s.Phase
	s, told = advance(s, p, o, told)
	s = kept(s, phase, p, o)
	held := s.Held
	s, prune := pruned(s, p, o)
	if s.Held != "" && s.Held != held {
		told = append(told, Record{Phase: Holding, Release: s.Release, Reason: s.Held, Began: s.Began})
	}
	return s, effects(s, p, o, prune), s.tell(told)
}

// advance moves the release by what is seen of it.
func advance(s State, p Plan, o Observation, told []Record) (State, []Record) {
	if s.Hooking.Moment().before() {
		return hook(s, p, o, told)
	}
	if s.Assess {
		return assess(s, p, o, told)
	}
	if !s.Applied {
		switch o.Apply {
		case ApplyRefused:
			return refused(s, o, told)
		case ApplyDone:
			s.Applied = true
			if s.Stage == 0 && !s.Back {
				s.Reason = ""
			}
		case NotApplied, ApplyLater:
			return s, told
		}
	}
	switch s = s.routed(o); s.Form {
	case Opening:
		return open(s, p, o, told)
	case Held, Filling:
		return hold(s, p, o, told)
	case Finishing, Wave:
		return finish(s, p, o, told)
	case Closing:
		return shut(s, o, told)
	case Draining:
		return drain(s, o, told)
	case Aborting, Returning:
		return cleared(s, o, told)
	case Settled:
	}
	if s.Back || o.Health != Degraded {
		busy := false
		if s, busy = unsplit(s, o); busy {
			return s, told
		}
	}
	if s.Back {
		return isBack(s, o, told)
	}
	return roll(s, p, o, told)
}

// refused ends a release whose objects the API server refuses. A staged one goes back; on the way back there is nothing
// else to do than to try again.
func refused(s State, o Observation, told []Record) (State, []Record) {
	switch {
	case s.Form == Draining && s.drained(o): // the pods leave all the same
		return drain(s, o, told)
	case s.Back:
		return s, told
	case s.Form.Held():
		return takeBack(s, o, Aborting, Failed, o.ApplyReason, told)
	case s.Stage > 0:
		return takeBack(s, o, Returning, Failed, o.ApplyReason, told)
	}
	return enter(s, Failed, o.ApplyReason, o, told)
}

// roll moves a release that is not staged, or whose stages are over.
func roll(s State, p Plan, o Observation, told []Record) (State, []Record) {
	switch {
	case s.Phase == Healthy:
		return s.soak(p, o, told)
	case s.Hooking.Failed: // however well its objects are
		return s, told
	case o.Health != Degraded && (s.Hooking.Runs() || o.Health == Current && len(s.Hooking.Ahead) > 0):
		return hook(s, p, o, told)
	case o.Health == Current:
		s, told = enter(s, Healthy, s.rolled(), o, told)
		s = s.prove(p, o.Now)
		s.Staging = Staging{Versioned: s.Versioned, Plain: s.Plain}
		return s.soak(p, o, told)
	case o.Health == Degraded && s.Stage > 0:
		return takeBack(s, o, Returning, Failed, o.HealthReason, told)
	case o.Health == Degraded && p.TakesBack && s.Proven != (Release{}) && !s.Proven.Same(s.Release):
		return takeBack(s, o, Settled, Failed, o.HealthReason, told)
	case o.Health == Degraded:
		return enter(s, Failed, o.HealthReason, o, told)
	case s.Phase == Progressing && !s.Slow && o.Now.Sub(s.Began) >= SlowAfter:
		s.Slow = true
		told = append(told, Record{Phase: Progressing, Release: s.Release, Reason: o.HealthReason, Began: s.Began})
	}
	return s, told
}

// enter moves the release to a closing phase and records it; the same phase again changes nothing.
func enter(s State, phase Phase, reason string, o Observation, told []Record) (State, []Record) {
	if s.Phase == phase {
		return s, told
	}
	s.Phase, s.Reason, s.Since = phase, reason, o.Now
	if phase == Failed {
		s = s.withdraw(s.Release, "it failed")
	}
	return s, append(told, Record{Phase: phase, Release: s.Release, Reason: reason, Began: s.Began, Measured: s.Measured})
}

// leave deletes all that an absent environment owns.
func leave(s State, p Plan, o Observation, told []Record) (State, []Effect, []Record) {
	s.Scene = s.Scene.end(o.Now)
	s.Scene = kept(s, s.Phase, Plan{}, o).Scene
	var hooks bool
	if s, told, hooks = leaveHook(s, p, o, told); hooks {
		if !s.Hooking.Runs() {
			return s, nil, told
		}
		return s, []Effect{Hook}, told
	}
	switch {
	case o.Owned > 0:
		return s, []Effect{Prune}, told
	case !s.Scene.Until.IsZero():
		return s, []Effect{Clear}, told
	case o.Hooks > 0:
		return s, []Effect{Unhook}, told
	case s.Phase == "":
		s.Hooking = Hooking{}
		return s, nil, told
	}
	reason := strings.TrimSuffix("the environment is absent: all its objects were deleted; "+s.Hooking.Why, "; ")
	return State{}, nil, append(told, Record{Phase: Superseded, Release: s.Release, Reason: reason, Began: s.Began})
}

func short(revision string) string { return revision[:min(7, len(revision))] }

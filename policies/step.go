package policies

import (
	"fmt"
	"time"
)

// Effect is something to carry out. Effects are idempotent.
type Effect string

// The effects, in the order in which they are carried out.
const (
	Assess  Effect = "assess"  // find out, by dry-runs, which workloads a release would replace the pods of
	Keep    Effect = "keep"    // take a pod or two that failed out of everything that selects them
	Apply   Effect = "apply"   // apply the objects of the live release, in the form of the state
	Measure Effect = "measure" // begin to take the samples of [State.Measuring]
	Repair  Effect = "repair"  // apply again those that drifted
	Evict   Effect = "evict"   // delete the pods that are [State.Leaving]; not by the eviction API, since sick ones are among them
	Unsplit Effect = "unsplit" // delete the Services that a route's traffic was split with
	Prune   Effect = "prune"   // delete owned objects that Git no longer has
	Clear   Effect = "clear"   // delete the pods that were kept
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
		return leave(s, o)
	}
	p = s.barred(p)
	s, told = refuse(s, p, told)
	if p.Idle && (s.Assess || s.Stage > 0 && s.Phase != Healthy) {
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

// arrive lets the release begin that Git asks for: after an unproven one was taken back, and when the windows let it. False:
// what is live stays as it is.
func arrive(s State, p Plan, o Observation, told []Record) (State, []Record, bool) {
	form, back, now := s.Form, s.Back, o.Now
	s, told, busy := turnBack(s, p, o, told)
	if !busy && s.waits(p, now) && s.unproven(p) {
		s.Assess = false
		s, told = takeBack(s, o, Settled, Superseded, s.supersededText(p), told)
	}
	s, told, waits := await(s, p, now, told)
	if busy || waits {
		return s, told, s.Form != form || s.Back != back
	}
	s, told = begin(s, p, o, told)
	return s, told, true
}

// refuse notes that no release can be made of a revision; what runs stays. A later revision that asks for what runs says
// so, or Git's last word would be that the environment is Blocked.
func refuse(s State, p Plan, told []Record) (State, []Record) {
	if p.Refused == s.Refused {
		return s, told
	}
	if p.Refused == (Refusal{}) && p.Release == (Release{}) {
		return s, told // Git cannot be asked: what was known stays known
	}
	s.Refused = p.Refused
	switch {
	case p.Refused != (Refusal{}):
		r := Release{Revision: p.Refused.Revision, Trigger: p.Refused.Trigger}
		told = append(told, Record{Phase: Blocked, Release: r, Reason: p.Refused.Reason})
	case !isNew(s, p.Release) && (s.Phase == Healthy || s.Phase == Failed || s.Phase == RolledBack):
		told = append(told, Record{Phase: s.Phase, Release: p.Release, Reason: s.same()})
	}
	return s, told
}

// begin starts the release that Git asks for and closes the older one.
func begin(s State, p Plan, o Observation, told []Record) (State, []Record) {
	if s.Phase != "" && !s.Phase.Closing() {
		reason := fmt.Sprintf("superseded by %s", short(p.Release.Revision))
		told = append(told, Record{Phase: Superseded, Release: s.Release, Reason: reason, Began: s.Began})
	}
	// What is live is proven; also where that came back a moment ago.
	proven := s.Back && o.Apply != ApplyRefused || s.Assess || s.Phase == Healthy || s.goesBack(s.Release) && s.Phase != Failed
	s.Release, s.Phase, s.Reason, s.Applied, s.Held, s.Slow = s.Waiting.told(p.Release), Progressing, "", false, "", false
	s.Scene, s.Soak = s.Scene.end(o.Now), Soak{}
	s.Began, s.Since, s.Staging = o.Now, o.Now, s.names(p)
	s.Waiting, s.Overridden = Waiting{}, p.Openness(o.Now).Override
	if from := s.Leaves(p, s.Release); from != (Release{}) {
		return s.rollBack(p, from), told
	}
	first := s.Proven == (Release{})
	s.Assess = p.Canary != nil && (proven && !first || first && (p.Adopts || o.Owned > 0)) // pods that run keep their names
	return s, told
}

// names are those that the configuration of a new release has until more is known. Versions are read for good, also where
// the rules stage nothing any more.
func (s State) names(p Plan) Staging {
	if p.Canary != nil {
		return Staging{Versioned: true}
	}
	return Staging{Versioned: s.Versioned, Plain: s.Plain}
}

// isNew reports whether a release is another one than that in the state. A failed one is tried again when a
// new trigger brings it.
func isNew(s State, r Release) bool {
	if !s.Release.Same(r) {
		return true
	}
	if s.Phase == Superseded { // it is on its way back, and Git asks for it again
		return true
	}
	return (s.Phase == Failed || s.Phase == RolledBack) && s.Release.Trigger != r.Trigger
}

// advance moves the release by what is seen of it.
func advance(s State, p Plan, o Observation, told []Record) (State, []Record) {
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

// pruned decides whether what Git no longer has may go: after health, and never a large share of an
// application without a person's word. So may what only a release that was taken back had.
func pruned(s State, p Plan, o Observation) (State, bool) {
	back := s.Phase == RolledBack && s.Applied && s.Scene.Until.IsZero() // what is kept may need what it was started with
	if s.Phase != Healthy && !back || o.Stale == 0 {
		s.Held = ""
		return s, false
	}
	if LargePrune(o.Stale, o.Owned, p.PruneLimit) && !permitted(s.Release, p.Permit) {
		why := "are no longer in Git"
		if back {
			why = "are not in " + short(s.Proven.Revision)
		}
		s.Held = fmt.Sprintf("%d of %d objects %s, more than %d%%: they stay until the release file "+
			"says prune: {revision: %s}", o.Stale, o.Owned, why, p.PruneLimit, s.Release.Revision)
		return s, false
	}
	s.Held = ""
	return s, true
}

func permitted(r Release, revision string) bool {
	return revision != "" && (revision == r.Revision || revision == r.Trigger)
}

func effects(s State, p Plan, o Observation, prune bool) []Effect {
	var due []Effect
	over := s.Scene.over(o.Now)
	if !over && !s.Scene.Until.IsZero() && !s.Scene.Tried && s.Form != Draining { // a route may still send to them
		due = append(due, Keep)
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
	if over { // nothing waits for it
		due = append(due, Clear)
	}
	return due
}

// leave deletes all that an absent environment owns.
func leave(s State, o Observation) (State, []Effect, []Record) {
	s.Scene = s.Scene.end(o.Now)
	s.Scene = kept(s, s.Phase, Plan{}, o).Scene
	if o.Owned > 0 {
		return s, []Effect{Prune}, nil
	}
	if !s.Scene.Until.IsZero() {
		return s, []Effect{Clear}, nil
	}
	if s.Phase == "" {
		return s, nil, nil
	}
	told := Record{Phase: Superseded, Release: s.Release, Reason: "the environment is absent: all its objects were deleted", Began: s.Began}
	return State{}, nil, []Record{told}
}

func short(revision string) string { return revision[:min(7, len(revision))] }

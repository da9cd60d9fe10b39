package policies

import (
	"fmt"
	"time"
)

// Waiting is a release that windows keep from beginning, or, where Release is the one in the state, the deletion of all that
// an absent environment owns.
type Waiting struct {
	Release Release `json:"release,omitzero"`
	Reason  string  `json:"reason,omitempty"`
	// Opens is when it may begin; zero: not within a year.
	Opens time.Time `json:"opens,omitzero"`
}

// lookAgain is when a window is looked at again that does not open within a year.
const lookAgain = 24 * time.Hour

// goesBack reports whether a release is what was proven here last: windows are not for the way back.
func (s State) goesBack(r Release) bool { return s.Proven.Same(r) }

// waits reports whether windows keep the release that is asked for from beginning. They keep no roll-back.
func (s State) waits(p Plan, now time.Time) bool {
	return !p.Known && !s.goesBack(p.Release) && s.Leaves(p, p.Release) == (Release{}) && !p.Openness(now).Open
}

// await lets a new release wait while windows are closed; false: it may begin.
func await(s State, p Plan, now time.Time, told []Record) (State, []Record, bool) {
	if !s.waits(p, now) {
		if !s.Waiting.Release.asked(p.Release) {
			s, told = s.replaced(p.Release, told)
		}
		return s, told, false
	}
	at := p.Openness(now)
	reason := "the release waits: " + at.Reason
	if s.Waiting.Release.asked(p.Release) {
		s.Waiting.Reason, s.Waiting.Opens = reason, at.Until
		return s, told, true
	}
	s, told = s.replaced(p.Release, told)
	s.Waiting = Waiting{Release: p.Release, Reason: reason, Opens: at.Until}
	return s, append(told, Record{Phase: Pending, Release: p.Release, Reason: reason}), true
}

// awaitLeave is the same for the deletion of all that an absent environment owns.
func awaitLeave(s State, p Plan, o Observation, told []Record) (State, []Record) {
	at := p.Openness(o.Now)
	if at.Open || s.Phase == "" && o.Owned == 0 {
		return s.replaced(Release{}, told)
	}
	reason, known := "the deletion of all that the environment owns waits: "+at.Reason, s.Waiting.Reason != "" && s.Waiting.Release == s.Release
	if !known {
		s, told = s.replaced(Release{}, told)
		told = append(told, Record{Phase: Pending, Release: s.Release, Reason: reason})
	}
	s.Waiting = Waiting{Release: s.Release, Reason: reason, Opens: at.Until}
	return s, told
}

// asked reports whether a release is the one that is asked for, by the same trigger.
func (r Release) asked(by Release) bool { return r.Same(by) && r.Trigger == by.Trigger }

// told is the release that is asked for, as Git was told of it when it began to wait: the tip may have moved on since, and the
// commit that was called Pending is to be told how it ended.
func (w Waiting) told(r Release) Release {
	if w.Release.asked(r) {
		r.Revision = w.Release.Revision
	}
	return r
}

// replaced ends the waiting of a release that another one takes the place of, or none.
func (s State) replaced(by Release, told []Record) (State, []Record) {
	if r := s.Waiting.Release; r != (Release{}) && !r.asked(s.Release) {
		reason := "the environment is absent: it never began"
		if by != (Release{}) {
			reason = fmt.Sprintf("superseded by %s before it began", short(by.Revision))
		}
		told = append(told, Record{Phase: Superseded, Release: r, Reason: reason})
	}
	s.Waiting = Waiting{}
	return s, told
}

// unasked ends the waiting where Git asks for what is live. Its last word would be that something waits, were that not said.
func (s State) unasked(p Plan, told []Record) (State, []Record) {
	if s.Waiting == (Waiting{}) || p.Release == (Release{}) {
		return s, told
	}
	reason := s.same()
	if s.Waiting.Release == s.Release {
		reason = "it is not to be deleted any more"
	}
	s, told = s.replaced(p.Release, told)
	if s.Phase.Decides() {
		told = append(told, Record{Phase: s.Phase, Release: p.Release, Reason: reason})
	}
	return s, told
}

// same says that a revision asks for what is there already, and how that is.
func (s State) same() string {
	text := "the same release as " + short(s.Release.Revision)
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text
}

// unproven reports whether the release in the state is under way without stages, or about to begin them, and would be taken
// back if it failed.
func (s State) unproven(p Plan) bool {
	underWay := s.Phase != "" && !s.Phase.Closing() && s.Stage == 0 && !s.Back
	return underWay && (s.Assess || p.TakesBack) && s.Proven != (Release{}) && !s.goesBack(s.Release)
}

// shut holds a release before what comes next, while windows are closed; false: it may begin.
func (s State) shut(p Plan, o Observation, what string, told []Record) (State, []Record, bool) {
	at := p.Openness(o.Now)
	if at.Open || p.Known || s.goesBack(s.Release) {
		if at.Override != "" {
			s.Overridden = at.Override
		}
		s.Closed, s.Opens = false, time.Time{}
		return s, told, false
	}
	if !s.Closed { // also where it waited for a person before
		s.Phase = Progressing
	}
	s.Closed, s.Opens = true, at.Until
	reason := what + " waits: " + at.Reason
	s, told = enter(s, Holding, reason, o, told)
	s.Reason = reason
	return s, told, true
}

// reopened lets the stage be itself again when the window has opened: its pods may not be well any more.
func (s State) reopened(p Plan, o Observation) State {
	if s.Closed && s.Form == Held && p.Openness(o.Now).Open {
		s.Closed, s.Opens = false, time.Time{}
		s.Phase, s.Reason, s.Since = Progressing, p.Canary.tell(s.Stage), o.Now
	}
	return s
}

// windowDue is when what waits for a window may begin.
func (s State) windowDue(now time.Time) time.Time {
	at, waits := s.Waiting.Opens, s.Waiting != (Waiting{})
	if s.Closed && (!waits || at.IsZero() || !s.Opens.IsZero() && s.Opens.Before(at)) {
		at, waits = s.Opens, true
	}
	if waits && !at.After(now) {
		return now.Add(lookAgain)
	}
	return at
}

// next is what comes after a stage.
func (c *Canary) next(stage int) string {
	if stage >= len(c.steps()) {
		return "the promotion of all pods"
	}
	return fmt.Sprintf("stage %d of %d (%s)", stage+1, len(c.Steps), c.Steps[stage])
}

// tell adds to what is told of the release in the state by whose word it went through a closed window.
func (s State) tell(told []Record) []Record {
	for i := range told {
		if s.Overridden != "" && told[i].Release == s.Release && told[i].Phase != Pending && !s.Closed {
			if told[i].Reason != "" {
				told[i].Reason += "; "
			}
			told[i].Reason += s.Overridden
		}
	}
	return told
}

package policies

import "fmt"

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
	proven := s.Back && o.Apply != ApplyRefused || s.Assess || s.Hooking.Moment().before() && s.Hooking.Whole || s.Phase == Healthy || s.goesBack(s.Release) && s.Phase != Failed ||
		s.changedNoPods()
	s.Hooking = s.hooked(p, o, proven)
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

// changedNoPods reports whether the release in the state was assessed, and is none that replaces pods: those that run are
// the proven ones, whatever has become of it.
func (s State) changedNoPods() bool {
	return s.Versioned && !s.Assess && s.Stage == 0 && !s.Back && s.Proven != (Release{}) && !s.goesBack(s.Release)
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

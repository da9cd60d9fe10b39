package policies

import (
	"fmt"
	"time"
)

// returnFor is how long the way back may keep to its numbers: a sick proven pod can make it stand still. Then the unproven
// pods leave all the same.
const returnFor = time.Minute

// takeBack begins the way back to the proven release. The phase is what becomes of the release in the state: Failed,
// Superseded, or the one it has where its stages begin anew.
func takeBack(s State, o Observation, form Form, phase Phase, reason string, told []Record) (State, []Record) {
	was := s.Form
	s = s.unmoved()
	s.Form, s.Back, s.Applied, s.StageBegan = form, true, false, o.Now
	s.Closed, s.Opens, s.From = false, time.Time{}, Release{}
	if phase == Failed || phase == Superseded {
		s.Hooking = Hooking{}
	}
	s = s.retreat(was, o)
	if phase == Failed {
		reason += fmt.Sprintf("; back to %s", short(s.Proven.Revision))
	}
	s.Reason = reason
	return enter(s, phase, reason, o, told)
}

// turnBack takes a release back that a newer one replaces before it was proven: a release is never staged over another
// unproven one. It returns false where no pod of an unproven template can be left.
func turnBack(s State, p Plan, o Observation, told []Record) (State, []Record, bool) {
	stand := s.Applied || o.Apply == ApplyDone // the manifests that were sent last
	switch {
	case s.Stage == 0 || s.Phase == Healthy || s.Back && s.Form == Settled && stand && !s.Split.on():
		return s, told, false
	case !s.Back && s.Split.Weight > 0 && len(o.Workloads) < len(s.Staged): // nor is it known what the proven pods can bear
		return s, told, true
	case s.soon(o.Now):
		return s, told, true
	case s.Back && o.Apply == ApplyRefused: // the proven manifests are refused now, and a fix must get out
		return s, told, false
	case s.Back:
		if !s.Phase.Closing() {
			s, told = enter(s, Superseded, s.supersededText(p), o, told)
		}
		return s, told, true
	}
	form := Returning
	if s.Form.Held() {
		form = Aborting
	}
	s, told = takeBack(s, o, form, Superseded, s.supersededText(p), told)
	return s, told, true
}

// stood notes that nobody could act for a while, and goesOn begins the time of the stage anew after it: what was not looked at
// counts for nothing.
func (s State) stood() State {
	s.Stood = s.Stood || s.Form.Held() || s.Form == Finishing || s.Form == Wave || s.Hooking.Runs()
	return s
}

func (s State) goesOn(o Observation) State {
	if s.Stood {
		s.Stood, s.StageBegan, s.Measured = false, o.Now, nil
		s.Reached, s.Unready, s.Lost = time.Time{}, time.Time{}, time.Time{}
		if s.Hooking.Runs() {
			s.Hooking.Began = o.Now
		}
	}
	return s
}

// cleared waits until no pod of another template than the proven one is left: not until those are well, since a fix for a
// broken stable release must get out.
func cleared(s State, o Observation, told []Record) (State, []Record) {
	if len(o.Workloads) < len(s.Staged) || s.blind(o) {
		return s, told
	}
	s = s.moved(o)
	for _, w := range o.Workloads {
		if w.Gone || w.Seen && w.New.There == 0 {
			continue
		}
		if s.Form == Returning && o.Now.Sub(s.since()) >= returnFor {
			s.Form, s.Applied = Aborting, false
		}
		return s, told
	}
	return s.settle(o), told
}

// isBack ends the way back, when the proven manifests stand as they were rendered. Where nothing was staged the pods are
// only now replaced, as those manifests say.
func isBack(s State, o Observation, told []Record) (State, []Record) {
	switch {
	case s.Phase == Failed && s.Stage == 0 && o.Health != Current:
	case s.Phase == Failed:
		s, told = enter(s, RolledBack, s.Reason+s.Scene.tell(), o, told)
		return s.quarantine().unleft(told)
	case s.Phase != "" && !s.Phase.Closing():
		if len(o.Workloads) == len(s.Staged) && scaledAway(s, o) == "" {
			s.Assess, s.Back, s.Stage, s.Staged, s.Measured, s.Applied = true, false, 0, nil, nil, false
			s.Phase, s.Reason = Progressing, "the stages begin anew"
		}
	}
	return s, told
}

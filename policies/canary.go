package policies

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Canary is how a release is staged.
type Canary struct {
	Steps    []CanaryStep
	Capacity Capacity
	// Keep is how long a failing pod or two are kept for a look; 0: none is.
	Keep time.Duration
	// Analyses are measured in the steps that name them; one that no step names is in all of them.
	Analyses []Analysis
	Traffic  Traffic
}

func (c *Canary) steps() []CanaryStep {
	if c == nil {
		return nil
	}
	return c.Steps
}

func (c *Canary) capacity() Capacity {
	if c == nil {
		return Surge
	}
	return c.Capacity
}

// assess begins the stages once it is known what there is to stage.
func assess(s State, p Plan, o Observation, told []Record) (State, []Record) {
	switch {
	case o.Assessed:
	case o.Apply == ApplyRefused:
		return enter(s, Failed, o.ApplyReason, o, told)
	default:
		return s, told
	}
	if s.rolls() {
		return sweep(s, p, o, told)
	}
	protects := s.Proven != (Release{})
	if protects && !counted(o) {
		return s, told
	}
	if why := begins(o); protects && why != "" {
		return enter(s, Holding, why, o, told)
	}
	var shut bool
	if s, told, shut = s.shut(p, o, "the release", told); shut {
		return s, told
	}
	s.Assess, s.Phase, s.Reason, s.Plain = false, Progressing, "", o.Plain
	if len(o.Changed) == 0 || p.Canary == nil || !protects {
		return s, told
	}
	s.Staged, s.Stage = o.Changed, 0
	if p.Canary.Traffic != (Traffic{}) && s.behind() >= 0 {
		return openUp(s, p, o), told
	}
	return forward(s, p, o, told)
}

// onward begins the next stage, or the finish, when the windows let it.
func onward(s State, p Plan, o Observation, told []Record) (State, []Record) {
	shut := false
	switch s.Form {
	case Filling: // it is on its way to the end already
	case Opening:
		s, told, shut = s.shut(p, o, p.Canary.next(0), told)
	default:
		s, told, shut = s.shut(p, o, p.Canary.next(s.Stage), told)
	}
	switch {
	case shut:
		return s, told
	case s.Form == Opening:
		return stage(s, p, o, told)
	}
	return forward(s, p, o, told)
}

// wellText is why a release is promoted.
const wellText = "all stages were well"

// forward begins the next stage, or after the last one the finish.
func forward(s State, p Plan, o Observation, told []Record) (State, []Record) {
	if s.Form == Filling { // which has told of it
		s.Form, s.Applied, s.StageBegan, s.Reached, s.Unready, s.Lost = Finishing, false, o.Now, time.Time{}, time.Time{}, time.Time{}
		s.Order = s.firstOrder()
		return s.unmoved(), told
	}
	s.Stage++
	return stage(s, p, o, told)
}

// stage begins the stage of this number. After the last one, where a route shares traffic out, new pods get all of it
// before a proven one goes.
func stage(s State, p Plan, o Observation, told []Record) (State, []Record) {
	s.Applied, s.StageBegan, s.Reached, s.Unready, s.Lost = false, o.Now, time.Time{}, time.Time{}, time.Time{}
	s.Order = s.firstOrder()
	s.Split.Waits, s.Split.Warm = time.Time{}, time.Time{}
	before := s.Measured
	switch over := s.Stage > len(p.Canary.steps()); {
	case over && s.Split.on():
		s.Form, s.Phase, s.Since, s.Reason = Filling, Promoting, o.Now, wellText
	case over:
		s.Form, s.Phase, s.Since, s.Reason = Finishing, Promoting, o.Now, wellText
	default:
		s.Form, s.Phase, s.Reason, s.Measured = Held, Progressing, p.Canary.tell(s.Stage)+s.inPlace(p), nil
		if s.Stage == 1 {
			s.Reason += s.again(p)
		}
	}
	s, _ = s.unmoved().size(p, o)
	return s, append(told, Record{Phase: s.Phase, Release: s.Release, Reason: s.Reason, Began: s.Began, Measured: before})
}

func (c *Canary) tell(stage int) string {
	step := c.Steps[stage-1]
	text := fmt.Sprintf("stage %d of %d: %s", stage, len(c.Steps), step)
	if step.Hold > 0 {
		text += " for " + step.Hold.String()
	}
	return text
}

// hold waits at a stage.
func hold(s State, p Plan, o Observation, told []Record) (State, []Record) {
	s = s.reopened(p, o)
	if name, fault := faulty(s, o); fault != "" {
		return takeBack(s, o, Aborting, Failed, fmt.Sprintf("stage %d: %s: %s", s.Stage, name, fault), told)
	}
	if why := scaledAway(s, o); why != "" {
		return takeBack(s, o, Aborting, Holding, why, told)
	}
	if s = lost(s, p, o); !s.Lost.IsZero() && o.Now.Sub(s.Lost) >= lostFor {
		s.Reason = "proven pods were lost: the stages begin anew"
		return takeBack(s, o, Returning, s.Phase, s.Reason, told)
	}
	if larger, grown := s.size(p, o); grown { // somebody scaled it
		larger.Applied, larger.StageBegan = false, o.Now
		larger.Reached, larger.Unready, larger.Split.Waits = time.Time{}, time.Time{}, time.Time{} // the time of the stage is that of all its pods
		return larger, told
	}
	s = s.moved(o)
	missing, why, blameless := s.missing(p, o)
	stands := cmp.Or(blameless, stuck(s.Staged, o))
	if s = s.tells(p, cmp.Or(stands, silent(s.Staged, o))); missing != "" {
		if s.blind(o) || !s.Reached.IsZero() && !s.seen(o) {
			return s, told // an agent that has just begun knows nothing against them
		}
		return s.wait(o, missing, why, blameless, told)
	}
	if later, more := s.inOrder(p, o); more {
		later.Unready = time.Time{}
		return later, told
	}
	s, waits := s.shift(p, o)
	if waits != "" {
		if !s.Reached.IsZero() && o.fresh() {
			return s, told // nor against the route, whose watches list last
		}
		return s.awaitRoute(o, waits, told)
	}
	s = s.arrived(p)
	if more, grows := s.fillUp(p, o); grows {
		return more, told
	}
	s.Unready = time.Time{}
	if s.Reached.IsZero() {
		s.Reached, s.Measured = o.Now, nil // what was measured of other pods says nothing of these
	}
	steps := p.Canary.steps()
	held := o.Now.Sub(s.Reached) >= s.holds(p)
	s = s.measure(p, o)
	enough, against := s.judge(p, held)
	switch {
	case against != "":
		return takeBack(s, o, Aborting, Failed, against, told)
	case !held || !enough:
		return s, told
	}
	if next := s.Stage + 1; next <= len(steps) && steps[next-1].Approve && !s.approved(p.Approved, next) {
		reason := fmt.Sprintf("stage %d of %d (%s) waits for approved: {revision: %s, stage: %d} in the release file", next, len(steps),
			steps[next-1], s.Release.Revision, next)
		return enter(s, Holding, reason, o, told)
	}
	if stands != "" {
		return s, told
	}
	return onward(s, p, o, told)
}

func (s State) approved(a Approval, stage int) bool {
	return permitted(s.Release, a.Revision) && a.Stage >= stage
}

// finish waits until no proven pod is left to be replaced.
func finish(s State, p Plan, o Observation, told []Record) (State, []Record) {
	if name, fault := faulty(s, o); fault != "" {
		return takeBack(s, o, Returning, Failed, name+": "+fault, told)
	}
	if len(o.Workloads) < len(s.Staged) || s.blind(o) {
		return s, told
	}
	s = s.moved(o)
	s.Reason = s.sweeping(o)
	for i, w := range o.Workloads {
		if s.Staged[i].Order > s.Order {
			continue
		}
		if w.Gone || !w.Seen || w.Proven.There > 0 || w.New.Ready < w.Replicas {
			if standsStill(s.Staged[i], w) != "" {
				s.Moved = o.Now
				return s, told
			}
			if limit := s.deadline(); o.Now.Sub(s.since()) >= limit {
				reason := fmt.Sprintf("%s: %d of %d pods are Ready after %s", s.Staged[i].Name, w.New.Ready, w.Replicas, limit)
				return takeBack(s, o, Returning, Failed, strings.TrimSuffix(reason+": "+w.Unwell, ": "), told)
			}
			return s, told
		}
	}
	if later, more := s.inOrder(p, o); more {
		return later, told
	}
	if s.Split.on() {
		s.Form = Closing
		return s.share(o, func(split *Split) { split.Stable = split.Canary }), told
	}
	return s.settle(o), told
}

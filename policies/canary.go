package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Canary is how a release is staged.
type Canary struct {
	Steps    []CanaryStep
	Capacity Capacity
	Traffic  Traffic // only with Surge
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

// Staging is where a staged release stands. The zero value: nothing is staged.
type Staging struct {
	// Versioned: the configuration that pods of Release read has names of its content, see [Versioned]. It is decided when
	// the release begins: rules that change later restart no pod.
	Versioned bool `json:"versioned,omitempty"`
	// Assess: it is to be found out which workloads are staged. Nothing of the release was sent yet.
	Assess bool `json:"assess,omitempty"`
	// Form is how the workloads in Staged are sent, and Back that the proven release is sent instead of the one in the
	// state. Aborting and Returning imply Back; Held and Finishing exclude it.
	Form Form `json:"form,omitempty"`
	Back bool `json:"back,omitempty"`
	// Stage counts from 1; one more than there are steps while the release finishes; 0: it is not staged.
	Stage int `json:"stage,omitempty"`
	// StageBegan is when the stage was begun. Reached is since when all its pods are Ready without a break, Unready since
	// when some are not that were, and Lost since when the proven pods are fewer than the stage leaves.
	StageBegan time.Time `json:"stageBegan,omitzero"`
	Reached    time.Time `json:"reached,omitzero"`
	Unready    time.Time `json:"unready,omitzero"`
	Lost       time.Time `json:"lost,omitzero"`
	// Staged are the workloads that move through the stages together.
	Staged []Staged `json:"staged,omitempty"`
	// Split is how a route shares out the traffic meanwhile.
	Split Split `json:"split,omitzero"`
}

// Staged is a workload whose pods a release replaces.
type Staged struct {
	// Name is as people write it, Kind/namespace/name.
	Name string `json:"name"`
	// Proven is the hash of the proven pods' template.
	Proven string `json:"proven"`
	// Replicas is the number that it was last seen to ask for: 0 is one that somebody scaled away. Pods is how many new ones the stage has of them: a number
	// that only ever grows, since a smaller one shrinks nothing.
	Replicas int `json:"replicas"`
	Pods     int `json:"pods,omitempty"`
	// Deadline is how long a stage may take until its pods are Ready: the manifest's progressDeadlineSeconds.
	Deadline time.Duration `json:"deadline"`
	// Routed: the route sends to its pods, and shares its traffic out.
	Routed bool `json:"routed,omitempty"`
}

// Workload is what is seen of a staged workload.
type Workload struct {
	// Gone: it is not there. Seen: its controller has seen what was sent last, and the counts are those of then.
	Gone, Seen bool
	// Replicas is the number that the workload asks for.
	Replicas int
	// Proven counts the pods of the proven template, New all others.
	Proven, New Pods
	// Hash names the template of the new pods; empty while that is not known.
	Hash string
	// Fault is why new pods never will be well; empty: nothing says so.
	Fault string
	// Unwell is why new pods are not well now.
	Unwell string
}

// Pods counts pods of a workload by template.
type Pods struct {
	Want  int // that the controller is to keep
	There int
	Ready int
}

// The patience of a stage.
const (
	// unreadyFor is how long pods of a stage that were Ready may not be.
	unreadyFor = 30 * time.Second
	// lostFor is how long the proven pods may seem fewer: the counts of two objects do not arrive at once.
	lostFor = 2 * time.Second
)

// Shape is how the staged workload of this name is sent.
func (s State) Shape(p Plan, name string) Shape {
	i := slices.IndexFunc(s.Staged, func(w Staged) bool { return w.Name == name })
	if i < 0 {
		return Shape{}
	}
	return Shape{Form: s.Form, Capacity: p.Canary.capacity(), Pods: s.Staged[i].Pods}
}

// size notes how many replicas the workloads ask for and how many new pods the stage has of them. It reports whether
// there are to be more than were sent.
func (s State) size(p Plan, o Observation) (State, bool) {
	grown := false
	s.Staged = slices.Clone(s.Staged)
	for i := range s.Staged {
		w := &s.Staged[i]
		if i < len(o.Workloads) && o.Workloads[i].Seen {
			w.Replicas = o.Workloads[i].Replicas
		}
		before := w.Pods
		if n, asked := s.asks(p, i, w.Replicas); asked {
			w.Pods = max(w.Pods, n)
		}
		grown = grown || w.Pods > before
	}
	return s, grown
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
	for _, w := range o.Changed {
		if w.Replicas == 0 {
			return enter(s, Holding, w.Name+" has no replicas: the stages begin when it has", o, told)
		}
	}
	s.Assess, s.Phase, s.Reason = false, Progressing, ""
	if len(o.Changed) == 0 || p.Canary == nil {
		return s, told
	}
	s.Staged, s.Stage = o.Changed, 0
	if p.Canary.Traffic != (Traffic{}) && s.behind() >= 0 {
		return openUp(s, p, o), told
	}
	return forward(s, p, o, told)
}

// wellText is why a release is promoted.
const wellText = "all stages were well"

// forward begins the next stage, or after the last one the finish.
func forward(s State, p Plan, o Observation, told []Record) (State, []Record) {
	if s.Form == Filling { // which has told of it
		s.Form, s.Applied, s.StageBegan, s.Reached, s.Unready, s.Lost = Finishing, false, o.Now, time.Time{}, time.Time{}, time.Time{}
		return s, told
	}
	s.Stage++
	return stage(s, p, o, told)
}

// stage begins the stage of this number. After the last one, where a route shares traffic out, new pods get all of it
// before a proven one goes.
func stage(s State, p Plan, o Observation, told []Record) (State, []Record) {
	s.Applied, s.StageBegan, s.Reached, s.Unready, s.Lost = false, o.Now, time.Time{}, time.Time{}, time.Time{}
	s.Split.Waits, s.Split.Warm = time.Time{}, time.Time{}
	switch over := s.Stage > len(p.Canary.steps()); {
	case over && s.Split.on():
		s.Form, s.Phase, s.Since, s.Reason = Filling, Promoting, o.Now, wellText
	case over:
		s.Form, s.Phase, s.Since, s.Reason = Finishing, Promoting, o.Now, wellText
	default:
		s.Form, s.Phase, s.Reason = Held, Progressing, p.Canary.tell(s.Stage)
	}
	s, _ = s.size(p, o)
	return s, append(told, Record{Phase: s.Phase, Release: s.Release, Reason: s.Reason, Began: s.Began})
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
	if name, fault := faulty(s, o); fault != "" {
		return takeBack(s, o, Aborting, Failed, fmt.Sprintf("stage %d: %s: %s", s.Stage, name, fault), told)
	}
	if name := scaledAway(s, o); name != "" {
		return takeBack(s, o, Aborting, Holding, name+" has no replicas: the stages begin anew when it has", told)
	}
	if s = lost(s, p, o); !s.Lost.IsZero() && o.Now.Sub(s.Lost) >= lostFor {
		s.Reason = "proven pods were lost: the stages begin anew"
		return takeBack(s, o, Returning, s.Phase, s.Reason, told)
	}
	if larger, grown := s.size(p, o); grown { // somebody scaled it
		larger.Applied = false
		return larger, told
	}
	if missing, why := s.missing(p, o); missing != "" {
		return s.wait(o, missing, why, told)
	}
	s, waits := s.shift(p, o)
	if waits != "" {
		return s.awaitRoute(o, waits, told)
	}
	s = s.arrived(p)
	s.Unready = time.Time{}
	if s.Reached.IsZero() {
		s.Reached = o.Now
	}
	steps := p.Canary.steps()
	if o.Now.Sub(s.Reached) < s.holds(p) {
		return s, told
	}
	if next := s.Stage + 1; next <= len(steps) && steps[next-1].Approve && !s.approved(p.Approved, next) {
		reason := fmt.Sprintf("stage %d of %d (%s) waits for approved: {revision: %s, stage: %d} in the release file", next, len(steps),
			steps[next-1], s.Release.Revision, next)
		return enter(s, Holding, reason, o, told)
	}
	return forward(s, p, o, told)
}

func (s State) approved(a Approval, stage int) bool {
	return permitted(s.Release, a.Revision) && a.Stage >= stage
}

// faulty returns the first workload whose new pods never will be well.
func faulty(s State, o Observation) (name, fault string) {
	for i, w := range o.Workloads {
		if w.Fault != "" {
			return s.Staged[i].Name, w.Fault
		}
	}
	return "", ""
}

func scaledAway(s State, o Observation) string {
	for i, w := range o.Workloads {
		if w.Gone || w.Replicas == 0 {
			return s.Staged[i].Name
		}
	}
	return ""
}

// lost notes since when the proven pods are fewer than the stage leaves. A hold protects only while they are there.
func lost(s State, p Plan, o Observation) State {
	fewer := false
	for i, w := range o.Workloads {
		leaves := w.Replicas
		if p.Canary.capacity() == Replace {
			leaves -= s.Staged[i].Pods
		}
		fewer = fewer || w.Seen && w.Proven.Want < leaves
	}
	switch {
	case !fewer:
		s.Lost = time.Time{}
	case s.Lost.IsZero():
		s.Lost = o.Now
	}
	return s
}

// missing says which workload has not all Ready pods that the stage asks for, and why.
func (s State) missing(p Plan, o Observation) (missing, why string) {
	if len(o.Workloads) < len(s.Staged) {
		return "the workloads", "they were not seen yet"
	}
	for i, w := range o.Workloads {
		want := s.Staged[i].Pods
		if n, asked := s.asks(p, i, w.Replicas); asked {
			want = min(want, n) // it may have been scaled down since
		}
		if !w.Seen || w.New.Ready < want {
			return fmt.Sprintf("%s: %d of %d new pods are Ready", s.Staged[i].Name, w.New.Ready, want), w.Unwell
		}
	}
	return "", ""
}

// wait bounds how long pods may be missing.
func (s State) wait(o Observation, missing, why string, told []Record) (State, []Record) {
	since, limit := s.StageBegan, s.deadline()
	if !s.Reached.IsZero() || !s.Unready.IsZero() || !s.Split.Waits.IsZero() { // they were Ready, and the time of the stage begins anew
		if s.Unready.IsZero() {
			s.Unready = o.Now
		}
		s.Reached, s.Split.Waits, since, limit = time.Time{}, time.Time{}, s.Unready, unreadyFor
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

// finish waits until no proven pod is left to be replaced.
func finish(s State, o Observation, told []Record) (State, []Record) {
	if name, fault := faulty(s, o); fault != "" {
		return takeBack(s, o, Returning, Failed, name+": "+fault, told)
	}
	if len(o.Workloads) < len(s.Staged) {
		return s, told
	}
	for i, w := range o.Workloads {
		if w.Gone || !w.Seen || w.Proven.There > 0 || w.New.Ready < w.Replicas {
			if limit := s.deadline(); o.Now.Sub(s.StageBegan) >= limit && !w.Gone {
				reason := fmt.Sprintf("%s: %d of %d pods are Ready after %s", s.Staged[i].Name, w.New.Ready, w.Replicas, limit)
				return takeBack(s, o, Returning, Failed, strings.TrimSuffix(reason+": "+w.Unwell, ": "), told)
			}
			return s, told
		}
	}
	if s.Split.on() {
		s.Form = Closing
		return s.share(o, func(split *Split) { split.Stable = split.Canary }), told
	}
	return s.settle(o), told
}

// Due is when Step may decide otherwise by time alone; zero: never.
func (s State) Due(p Plan, now time.Time) time.Time {
	first := s.routeDue(now)
	soonest := func(at time.Time) {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if s.Form == Returning {
		return s.StageBegan.Add(returnFor)
	}
	if !s.Form.held() && s.Form != Finishing {
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
		soonest(s.StageBegan.Add(s.deadline()))
	case s.Form.held():
		soonest(s.Reached.Add(s.holds(p)))
	}
	return first
}

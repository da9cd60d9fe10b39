package policies

import (
	"cmp"
	"fmt"
	"slices"
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
	// Stood: nobody could act while the release was in its stage, which was paused or whose rules were not known.
	Stood bool `json:"stood,omitempty"`
	// Moved is when a pod of a StatefulSet or DaemonSet last got where it is to be, see Staged.Ready.
	Moved time.Time `json:"moved,omitzero"`
	// Staged are the workloads that move through the stages together, and Order up to which of their orders they have come in
	// this one.
	Staged []Staged `json:"staged,omitempty"`
	Order  int      `json:"order,omitempty"`
	// Measured is what the samples of the stage came to since Reached; after it, what those of the last one did.
	Measured []Tally `json:"measured,omitempty"`
	// Split is how a route shares out the traffic meanwhile.
	Split Split `json:"split,omitzero"`
}

// Staged is a workload whose pods a release replaces.
type Staged struct {
	// Name is as people write it, Kind/namespace/name.
	Name string `json:"name"`
	// Proven is the hash of the proven pods' template.
	Proven string `json:"proven"`
	// Order is its place in each stage: it waits until those of a lower one have their pods.
	Order int `json:"order,omitempty"`
	// Replicas is the number that it was last seen to ask for: 0 is one that somebody scaled away. Pods is how many new ones
	// the stage has of them: a number that only ever grows, since a smaller one shrinks nothing. 0: it was not begun.
	Replicas int `json:"replicas"`
	Pods     int `json:"pods,omitempty"`
	// Ready is the most pods that were Ready of those that the stage, or the way back, is for. A Deployment has none.
	Ready int `json:"ready,omitempty"`
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
	// Unwell is why new pods are not well now, and Excuse why that is no fault of the release: a full cluster, a quota, a lost
	// node, a registry that does not answer. With a Fault there is none.
	Unwell, Excuse string
	// Ordered: its controller does nothing while a pod that is there is not Ready.
	Ordered bool
	// Each are the pods that are not being deleted, of a StatefulSet or DaemonSet.
	Each []Pod
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
	w := s.Staged[i]
	return Shape{Form: s.form(w), Capacity: w.Capacity(p.Canary), Pods: w.Pods, Replicas: w.Replicas}
}

// form is that of the state, but for a workload that waits for those of a lower order: it stays as the stage before left it.
func (s State) form(w Staged) Form {
	switch {
	case s.Back || w.Order <= s.Order:
		return s.Form
	case w.Pods == 0:
		return Settled
	}
	return Held
}

// size notes how many replicas the workloads ask for and how many new pods the stage has of them. It reports whether
// there are to be more than were sent, or the same of another number: what a StatefulSet is sent is of its replicas.
func (s State) size(p Plan, o Observation) (State, bool) {
	grown := false
	s.Staged = slices.Clone(s.Staged)
	for i := range s.Staged {
		w := &s.Staged[i]
		before := *w
		if i < len(o.Workloads) && o.Workloads[i].Seen {
			w.Replicas = o.Workloads[i].Replicas
		}
		if w.Order > s.Order {
			// It waits with the pods that it has; what holds a StatefulSet's is a number of its replicas.
			grown = grown || w.Pods > 0 && w.kind() == statefulSetKind && w.Replicas != before.Replicas
			continue
		}
		if w.kind() == statefulSetKind {
			*w = w.sized(p.Canary.steps()[:min(s.Stage, len(p.Canary.steps()))])
			grown = grown || w.Pods != before.Pods || w.Replicas != before.Replicas
		} else if n, asked := s.asks(p, i, w.Replicas); asked {
			w.Pods = max(w.Pods, n)
		}
		grown = grown || w.Pods > before.Pods
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
	if !counted(o) {
		return s, told
	}
	if why := begins(o); why != "" {
		return enter(s, Holding, why, o, told)
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
	}
	s, _ = s.unmoved().size(p, o)
	return s, append(told, Record{Phase: s.Phase, Release: s.Release, Reason: s.Reason, Began: s.Began, Measured: before})
}

// firstOrder is the lowest order among the staged workloads, of which there is one at least.
func (s State) firstOrder() int {
	return slices.MinFunc(s.Staged, func(a, b Staged) int { return cmp.Compare(a.Order, b.Order) }).Order
}

// inOrder lets the workloads of the next order go on in this stage; false where all of them have.
func (s State) inOrder(p Plan, o Observation) (State, bool) {
	next, more := 0, false
	for _, w := range s.Staged {
		if w.Order > s.Order && (!more || w.Order < next) {
			next, more = w.Order, true
		}
	}
	if !more {
		return s, false
	}
	s.Order, s.Applied, s.StageBegan = next, false, o.Now
	s, _ = s.size(p, o)
	return s, true
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
	if s = s.tells(p, stands); missing != "" {
		if !s.Reached.IsZero() && !s.seen(o) {
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
		return s.awaitRoute(o, waits, told)
	}
	s = s.arrived(p)
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
			leaves -= min(staged.Pods, max(w.Replicas-1, 0)) // however few it was scaled down to, one of them is proven
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

// finish waits until no proven pod is left to be replaced.
func finish(s State, p Plan, o Observation, told []Record) (State, []Record) {
	if name, fault := faulty(s, o); fault != "" {
		return takeBack(s, o, Returning, Failed, name+": "+fault, told)
	}
	if len(o.Workloads) < len(s.Staged) {
		return s, told
	}
	s = s.moved(o)
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

// Ends is when the stage has had its time, or its patience, as people are told it. Zero: no time ends it.
func (s State) Ends(p Plan) time.Time {
	switch {
	case s.Form == Returning:
		return s.since().Add(returnFor)
	case s.Form.held() && !s.Unready.IsZero():
		return s.Unready.Add(unreadyFor)
	case s.Form.held() && !s.Reached.IsZero():
		return s.Reached.Add(s.holds(p))
	case s.Form.held() && s.Split.Waits.IsZero(), s.Form == Finishing:
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
	soonest(s.routeDue(now))
	soonest(s.Scene.Until)
	switch s.Form {
	case Returning:
		soonest(s.since().Add(returnFor))
		return first
	case Aborting:
		soonest(s.since().Add(stuckFor))
		return first
	case Settled, Opening, Held, Filling, Finishing, Closing, Draining:
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
		soonest(s.since().Add(s.deadline()))
	case s.Form.held():
		soonest(s.Reached.Add(s.holds(p)))
		for _, a := range p.Canary.Measured(s.Stage) {
			soonest(a.due(s.tally(a.Name), s.Reached))
		}
	}
	return first
}

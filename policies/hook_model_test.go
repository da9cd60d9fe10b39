package policies

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// runner plays the shell around Step for releases with hooks: it loses what it remembers and dies between save and act. What it
// made is there still, by the name of its run, as in a cluster.
type runner struct {
	random  *rand.Rand
	now     time.Time
	state   State
	plan    Plan
	runs    map[string]*run // by name
	made    map[int64][]int // the places of the runs that were made, by the time that tells the releases apart
	result  ApplyResult
	known   bool // the release was assessed
	applied string
	log     []string
}

// run is a hook's Job in the model.
type run struct {
	ends   time.Time
	result HookResult
}

func (r *runner) name() string {
	h := r.state.Hooking
	return fmt.Sprint(h.Since.UnixNano(), h.Moment(), h.Next)
}

// place is how far the hook that is due is from the first of its release.
func (r *runner) place() int {
	h := r.state.Hooking
	ahead := 0
	for _, a := range h.Ahead {
		ahead += a.Count
	}
	return 1000 - ahead + h.Next
}

func (r *runner) observe() Observation {
	o := Observation{Now: r.now, Apply: r.result, Health: InProgress, Owned: 5, Assessed: r.known}
	if r.applied == r.state.Live().Digest {
		o.Health = Current
	}
	if r.state.Hooking.Runs() {
		o.Hook = HookSeen{Name: "Job/x", Limit: time.Minute}
		if run := r.runs[r.name()]; run != nil && !r.now.Before(run.ends) {
			o.Hook.Result = run.result
		}
	}
	return o
}

// pass is one look at the key, which may end anywhere.
func (r *runner) pass(t *testing.T, seed uint64) {
	t.Helper()
	before := r.state
	next, effects, told := Step(before, r.plan, r.observe())
	for _, line := range told {
		r.log = append(r.log, fmt.Sprintf("%s %s %s", line.Release.Digest, line.Phase, line.Reason))
	}
	r.check(t, seed, before, next, effects)
	r.state = next
	if !next.Applied && (before.Applied || !before.Began.Equal(next.Began) || before.Back != next.Back) {
		r.result = NotApplied
	}
	if !before.Began.Equal(next.Began) || before.Assess != next.Assess {
		r.known = false
	}
	for _, e := range effects {
		if r.random.IntN(5) == 0 { // killed before it: nobody remembers
			r.result, r.known = NotApplied, false
			return
		}
		switch e {
		case Hook:
			r.begin(t, seed)
		case Assess:
			r.known = true
		case Apply:
			r.applied, r.result = next.Live().Digest, ApplyDone
		case Unhook, Keep, Measure, Repair, Evict, Unsplit, Prune, Clear:
		}
	}
	if r.random.IntN(5) == 0 {
		r.result, r.known = NotApplied, false
	}
}

// begin makes the Job of the hook that is due, where none of its run is there.
func (r *runner) begin(t *testing.T, seed uint64) {
	t.Helper()
	if r.runs[r.name()] != nil {
		return
	}
	of, place := r.state.Hooking.Since.UnixNano(), r.place()
	if made := r.made[of]; len(made) > 0 && place != made[len(made)-1]+1 {
		t.Fatalf("seed %d: hook %d is begun after %v\n%v", seed, place, made, r.log)
	}
	r.made[of] = append(r.made[of], place)
	r.runs[r.name()] = &run{
		ends:   r.now.Add(time.Duration(r.random.IntN(90)) * time.Second), // some take longer than they may
		result: []HookResult{HookDone, HookDone, HookDone, HookDone, HookFailed}[r.random.IntN(5)],
	}
}

// check holds what must be true of every step.
func (r *runner) check(t *testing.T, seed uint64, before, s State, effects []Effect) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("seed %d: %s\n%v\n%+v", seed, fmt.Sprintf(format, args...), r.log, s)
	}
	sends := slices.Contains(effects, Apply) || slices.Contains(effects, Assess)
	switch h := s.Hooking; {
	case sends && h.Moment().before():
		fail("something is sent before %s is over", h.Moment())
	case s.Phase == Healthy && len(h.Ahead) > 0:
		fail("a release is Healthy before %s", h.Moment())
	case s.Phase == Healthy && before.Phase != Healthy && r.plan.Hooks[PostUpgrade] > 0 && len(r.made[before.Hooking.Since.UnixNano()]) == 0 &&
		!before.Hooking.Since.IsZero():
		fail("a release is Healthy without its hooks")
	case s.Back && (len(h.Ahead) > 0 || slices.Contains(effects, Hook)):
		fail("hooks on the way back")
	case h.Failed && slices.Contains(effects, Hook):
		fail("a hook after one that failed")
	case before.Hooking.Runs() && h.Since.Equal(before.Hooking.Since) && len(h.Ahead) > len(before.Hooking.Ahead):
		fail("a moment came back")
	}
}

// TestLesson10_HooksInAModelCluster: whatever is lost, fails or hangs, and whenever releases come, each hook is begun at most once for
// each release and in its order, nothing of the release is sent before those that come first are over, and it comes to an end.
func TestLesson10_HooksInAModelCluster(t *testing.T) {
	for seed := range uint64(1000) {
		random := rand.New(rand.NewPCG(seed, 11))
		r := &runner{random: random, now: start, runs: map[string]*run{}, made: map[int64][]int{}, plan: Plan{PruneLimit: 50, TakesBack: random.IntN(2) == 0}}
		if random.IntN(2) == 0 {
			r.plan.Canary = &Canary{Capacity: Surge, Steps: []CanaryStep{{Instances: 1}}}
		}
		for i := range 200 {
			r.now = r.now.Add(time.Duration(random.IntN(15000)) * time.Millisecond)
			if i == 0 || random.IntN(25) == 0 {
				digest := fmt.Sprint("d", random.IntN(6))
				r.plan.Release = Release{Revision: "r" + fmt.Sprint(i), Trigger: "t" + fmt.Sprint(i), Inputs: digest, Digest: digest}
				r.plan.Tests = random.IntN(2) == 0
				r.plan.Hooks = Hooks{}
				for _, m := range []Moment{PreInstall, PostInstall, PreUpgrade, PostUpgrade, PreRollback, PostRollback, Test} {
					r.plan.Hooks[m] = random.IntN(3)
				}
			}
			r.pass(t, seed)
		}
		for range 400 {
			r.now = r.now.Add(10 * time.Second)
			r.pass(t, seed)
		}
		ended := r.state.Phase == Healthy || r.state.Phase == RolledBack || r.state.Phase == Failed
		if !ended || r.state.Hooking.Runs() {
			t.Fatalf("seed %d: it did not settle: %+v\n%v", seed, r.state, r.log)
		}
	}
}

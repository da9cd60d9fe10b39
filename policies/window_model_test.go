package policies

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestStepNothingBeginsWhileAWindowIsClosed: whatever is lost or repeated meanwhile, no release and no stage begins, none is
// promoted, and nothing but a failure or a newer release takes one back; and when it opens everything comes to its end.
func TestStepNothingBeginsWhileAWindowIsClosed(t *testing.T) {
	closed := windowsOf(t, "deny * * * * * for 8760h")
	waited, held := 0, 0
	for seed := range uint64(800) {
		random := rand.New(rand.NewPCG(seed, 5))
		a := &agent{
			random: random, now: start, bad: map[string]bool{}, poor: map[string]bool{}, d: &deployment{replicas: 4, pods: map[string]int{}},
			plan: Plan{PruneLimit: 50, Repair: true, TakesBack: true, Canary: &Canary{
				Capacity: Surge, Steps: []CanaryStep{{Instances: 1, Hold: 5 * time.Second}, {WeightPercent: 25, Hold: time.Second}, {WeightPercent: 50}},
			}},
		}
		release := func(n int) {
			digest := fmt.Sprint("d", n)
			if _, known := a.bad[digest]; !known {
				a.bad[digest] = n > 0 && random.IntN(3) == 0
			}
			a.plan.Release = Release{Revision: fmt.Sprint("r", n), Trigger: fmt.Sprint("t", n), Inputs: digest, Digest: digest}
		}
		release(0)
		for range 200 {
			a.now = a.now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			switch random.IntN(30) {
			case 0:
				release(1 + random.IntN(1000))
			case 1, 2:
				a.plan.Windows = closed
			case 3:
				a.plan.Windows = nil
			}
			if random.IntN(3) > 0 {
				a.d.sync()
			}
			before := a.state
			if a.pass(t, seed); a.plan.Windows == nil {
				continue
			}
			if a.state.Waiting != (Waiting{}) {
				waited++
			}
			if a.state.Closed && a.state.Stage > 0 {
				held++
			}
			a.checkClosed(t, seed, before)
		}
		a.plan.Windows = nil
		a.settles(t, seed)
	}
	if waited == 0 || held == 0 {
		t.Errorf("releases waited %d times and were held %d times: nothing was tried", waited, held)
	}
}

// checkClosed holds what must be true of a step while a window is closed.
func (a *agent) checkClosed(t *testing.T, seed uint64, before State) {
	t.Helper()
	s := a.state
	fail := func(what string) {
		t.Helper()
		t.Fatalf("seed %d: %s while the window is closed\n%v\n%+v\n%+v", seed, what, a.log, before, s)
	}
	newer := a.plan.Release != (Release{}) && isNew(before, a.plan.Release)
	switch {
	case !s.Began.Equal(before.Began) && !before.Proven.Same(s.Release):
		fail("a release began")
	case s.Began.Equal(before.Began) && s.Stage > before.Stage && !s.Proven.Same(s.Release):
		fail("a stage began")
	case s.Form == Finishing && before.Form == Held:
		fail("a release was promoted")
	case s.Back && !before.Back && !newer && s.Phase != Failed && before.Lost.IsZero() && a.d.replicas > 0:
		fail("a release was taken back")
	case newer && before.Stage > 0 && before.Phase != Healthy && !s.Back && s.Began.Equal(before.Began):
		fail("an unproven release stayed although a newer one is asked for")
	}
	if due := s.Due(a.plan, a.now); (s.Closed || s.Waiting != Waiting{}) && due.IsZero() {
		fail("nobody will look again")
	}
}

package policies

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// routeModel is a small model of a route, its Services and its controller, all of which take their time.
type routeModel struct {
	sent      Shares    // of the route as it was applied last
	served    Shares    // as its controller has it
	services  [2]string // the templates that the stable and the canary Service select; empty: it is not there
	endpoints [2]int    // Ready ones, as the EndpointSlices have them
	none      bool      // there were no replicas since the split began: nothing was to wait for
	replicas  int       // as they were last
	scaled    bool      // there were others since the split began
}

// sync lets the endpoints and the controller follow, or not yet.
func (r *routeModel) sync(a *agent) {
	if a.random.IntN(2) == 0 {
		for i, template := range r.services {
			if r.endpoints[i] = 0; template != "" && !a.bad[template] {
				r.endpoints[i] = a.d.pods[template]
			}
		}
	}
	if a.random.IntN(2) == 0 {
		r.served = r.sent
	}
	r.none = a.state.Split.on() && (r.none || a.d.replicas == 0)
}

func (r *routeModel) observe(a *agent, o *Observation) {
	if r == nil {
		return
	}
	for i := range o.Workloads {
		if a.d.template != a.state.Staged[i].Proven && !a.d.lag {
			o.Workloads[i].Hash = a.d.template
		}
	}
	o.Traffic = Routing{Accepted: r.served == r.sent, Why: "not accepted"}
	for i, template := range r.services {
		if template != "" {
			o.Traffic.Services++
		}
		count := []*int{&o.Traffic.Stable, &o.Traffic.Canary}[i]
		if template == []string{a.state.Split.Stable, a.state.Split.Canary}[i] {
			*count = r.endpoints[i]
		}
	}
}

// send applies the route and the Services of the state.
func (r *routeModel) send(a *agent) {
	if r == nil || !a.state.Split.on() {
		return // at rest the route is Git's already
	}
	split := a.state.Split
	if split.Stable != r.services[0] {
		r.endpoints[0] = 0
	}
	if split.Canary != r.services[1] {
		r.endpoints[1] = 0
	}
	r.sent, r.services = split.shares(), [2]string{split.Stable, split.Canary}
}

// bears fails when the controller of the Deployment took pods away that the route's controller sends to.
func (r *routeModel) bears(t *testing.T, seed uint64, a *agent, before map[string]int) {
	t.Helper()
	fail := func(what string) {
		t.Helper()
		t.Fatalf("seed %d: %s, and the route has %+v\n%v\n%+v\n%+v", seed, what, r.served, a.log, a.state, *a.d)
	}
	canary, stable := r.services[1], r.services[0]
	switch {
	case a.d.replicas == 0 || !r.served.Split || a.state.Split.Whole || canary == stable:
	case r.none || r.scaled && a.plan.Canary.Capacity == Replace:
	case a.d.pods[canary] < min(before[canary], a.d.replicas) && r.served.Canary > 0: // fewer than that if somebody scaled
		fail("a new pod was taken away")
	case a.plan.Canary.Capacity == Replace:
		r.bearsInPlace(a, before, fail)
	case a.d.pods[stable] < min(before[stable], a.d.replicas) && r.served.Canary < 100:
		fail("a proven pod was taken away")
	}
}

// scales notes whether somebody scales it while the traffic is split: its controller takes pods of both templates then.
func (r *routeModel) scales(a *agent) {
	r.scaled = a.state.Split.on() && (r.scaled || a.d.replicas != r.replicas)
	r.replicas = a.d.replicas
}

// bearsInPlace fails where proven pods that the route's controller sends to make place for more than the stage has, or,
// when the stages are over, for so many that those that stay bear more than double.
func (r *routeModel) bearsInPlace(a *agent, before map[string]int, fail func(string)) {
	stable, replicas := a.d.pods[r.services[0]], a.d.replicas
	if stable >= before[r.services[0]] || r.served.Canary == 100 {
		return
	}
	if stable < replicas-a.state.Staged[a.state.behind()].Pods {
		fail("more proven pods went than the stage has new ones")
	}
	const rounded = 1 // per cent: shares are rounded down
	if a.state.Form == Filling && (100-r.served.Canary-rounded)*replicas > 2*100*stable {
		fail(fmt.Sprintf("%d proven pods bear more than double", stable))
	}
}

// decided holds what must be true when more weight is decided, and when a stage is left for the next.
func (r *routeModel) decided(t *testing.T, seed uint64, a *agent, before State, seen Routing) {
	t.Helper()
	if a.state.Split.Weight > before.Split.Weight && seen.Canary == 0 {
		t.Fatalf("seed %d: the canary Service gets weight %d without endpoints\n%v\n%+v", seed, a.state.Split.Weight, a.log, a.state)
	}
	if a.plan.Canary.Capacity == Replace {
		r.decidedInPlace(t, seed, a, before, seen)
	}
	opened := before.Form == Opening && before.Split.Whole && !a.state.Split.Whole
	shut := before.Form == Closing && a.state.Form == Closing && before.Split.Weight > a.state.Split.Weight
	if (opened || shut) && seen.Stable == 0 && !a.bad[a.state.Split.Stable] && a.d.replicas > 0 {
		t.Fatalf("seed %d: the stable Service gets all traffic without endpoints\n%v\n%+v", seed, a.log, a.state)
	}
	forward := a.state.Release == before.Release && !a.state.Back && before.Form.Held() && a.state.Form != before.Form ||
		before.Form == Held && a.state.Form == Held && a.state.Stage > before.Stage
	if !forward {
		return
	}
	want := before.target(a.plan, a.d.replicas)
	if r.served != r.sent || r.sent.Canary != want {
		t.Fatalf("seed %d: stage %d of weight %d was left, and the route has %+v\n%v", seed, before.Stage, want, r.served, a.log)
	}
}

// decidedInPlace holds what must be true where new pods take the places of proven ones: their weight is never above what the
// stage says, nor above their share when the stages are over, and all of them are endpoints first. On the way back proven
// pods get all traffic at once only where each bears at most double.
func (r *routeModel) decidedInPlace(t *testing.T, seed uint64, a *agent, before State, seen Routing) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("seed %d: %s\n%v\n%+v\n%+v", seed, fmt.Sprintf(format, args...), a.log, a.state, *a.d)
	}
	s, replicas := a.state, a.d.replicas
	if s.Form == Draining && before.Form != Draining && 2*a.d.pods[s.Split.Stable] < replicas {
		fail("%d of %d pods get all traffic back", a.d.pods[s.Split.Stable], replicas)
	}
	weight, canary := s.Split.Weight, a.d.pods[s.Split.Canary]
	if weight <= before.Split.Weight {
		return
	}
	pods, most := min(s.Staged[s.behind()].Pods, replicas-1), 100
	if s.Form == Held {
		step := a.plan.Canary.Steps[s.Stage-1]
		pods, most = step.Pods(replicas, Replace), step.share(replicas, Replace)
	}
	switch {
	case seen.Canary < pods:
		fail("weight %d with %d endpoints of %d", weight, seen.Canary, pods)
	case weight > most:
		fail("weight %d in stage %d", weight, s.Stage)
	case s.Form == Filling && weight*replicas > 100*canary && a.d.pods[s.Split.Stable] > 1:
		fail("weight %d of %d pods among %d", weight, canary, replicas)
	}
}

// TestStepShiftsTrafficInAModelCluster: whatever is lost or repeated, weight is on new pods only when they are Ready, pods
// that bear weight stay, a stage counts only with its weight, and in the end the route and the Services are Git's.
func TestStepShiftsTrafficInAModelCluster(t *testing.T) {
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 7))
		a := &agent{
			random: random, now: start, bad: map[string]bool{}, route: &routeModel{},
			d: &deployment{replicas: 4, pods: map[string]int{}},
			plan: Plan{PruneLimit: 50, Repair: true, Canary: &Canary{
				Capacity: []Capacity{Surge, Replace}[seed%2],
				Steps: []CanaryStep{{Instances: 1, Hold: 5 * time.Second}, {WeightPercent: 5, Hold: time.Second},
					{WeightPercent: 50}, {WeightPercent: 100, Instances: 2}}[:1+random.IntN(4)],
				Traffic: Traffic{Service: "web", Drain: 3 * time.Second, WarmUp: time.Duration(random.IntN(2)) * 20 * time.Second},
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
		for range 300 {
			a.now = a.now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			switch random.IntN(50) {
			case 0:
				release(1 + random.IntN(1000))
			case 1:
				a.d.replicas, a.d.lag = random.IntN(9)/2*2, true
			case 2:
				a.d.lag = true
			}
			a.follow(t, seed)
			before, seen := a.state, a.observe().Traffic
			a.pass(t, seed)
			a.route.decided(t, seed, a, before, seen)
		}
		a.settlesWithGitsRoute(t, seed)
	}
}

// follow lets the controllers act, and looks at what they took away.
func (a *agent) follow(t *testing.T, seed uint64) {
	t.Helper()
	a.route.scales(a)
	if a.random.IntN(3) > 0 {
		before := map[string]int{}
		for template, n := range a.d.pods {
			before[template] = n
		}
		a.d.sync()
		a.route.bears(t, seed, a, before)
		a.neverMore(t, seed, before)
	}
	a.route.sync(a)
}

// neverMore: with Replace there are never more pods than replicas in a stage and while it finishes, but where somebody scaled
// it down.
func (a *agent) neverMore(t *testing.T, seed uint64, before map[string]int) {
	t.Helper()
	sum := func(pods map[string]int) (n int) {
		for _, of := range pods {
			n += of
		}
		return n
	}
	shape := a.d.shape
	if shape.Capacity == Replace && (shape.Form.Held() || shape.Form == Finishing) && sum(a.d.pods) > max(sum(before), a.d.replicas) {
		t.Fatalf("seed %d: %v became %v of %d\n%v\n%+v", seed, before, a.d.pods, a.d.replicas, a.log, a.state)
	}
}

func (a *agent) settlesWithGitsRoute(t *testing.T, seed uint64) {
	t.Helper()
	a.d.replicas = 4
	for range 600 {
		a.now = a.now.Add(time.Second)
		a.follow(t, seed)
		a.pass(t, seed)
	}
	want := a.state.Live().Digest
	ended := a.state.Phase == Healthy || a.state.Phase == RolledBack || a.state.Phase == Failed && a.state.Proven == Release{}
	if !ended || a.state.Form != Settled || len(a.d.pods) != 1 || a.d.pods[want] != 4 {
		t.Fatalf("seed %d: it did not settle: %+v\n%+v\n%v", seed, a.state, *a.d, a.log)
	}
	if a.route.sent != (Shares{}) || a.route.services != [2]string{} || a.state.Split != (Split{}) {
		t.Fatalf("seed %d: the route is not Git's: %+v\n%+v\n%v", seed, *a.route, a.state, a.log)
	}
}

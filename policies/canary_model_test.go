package policies

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// deployment is a small model of a Deployment under its controller, as the real ones were seen to behave: see the tests of
// held Deployments in reconciler/rollout. Templates are releases, by their digest.
type deployment struct {
	replicas int
	template string // of the manifest that was applied last
	shape    Shape
	pods     map[string]int
	lag      bool // the controller has not seen the last change
}

func (d *deployment) others() int {
	n := 0
	for template, pods := range d.pods {
		if template != d.template {
			n += pods
		}
	}
	return n
}

// sync lets the controller act once.
func (d *deployment) sync() {
	d.lag = false
	others, own := d.others(), d.pods[d.template]
	switch {
	case d.replicas == 0:
		d.pods = map[string]int{}
		return
	case others > 0 && d.inPlace() && own+others > d.replicas && d.shape.Form != Aborting:
		d.scaleDown()
	case others > 0 && d.inPlace() && !d.shape.Form.Held():
		d.shrink(d.unavailable())
		d.pods[d.template] = max(own, d.replicas-d.others())
	case others > 0 && d.inPlace():
		spare := max(0, own+others-(d.replicas-d.shape.Pods)) // pods that may go, as no new one is ever available
		d.shrink(min(spare, max(0, d.shape.Pods-own)))
		d.pods[d.template] = max(own, d.replicas-d.others())
	case d.shape.Form.Held() && others > 0:
		d.pods[d.template] = max(own, d.replicas+d.shape.Pods-others)
	default: // one step towards nothing but the template
		d.pods[d.template] = d.replicas
		d.shrink(max(1, others/2))
	}
	d.pods[d.template] = min(d.pods[d.template], max(own, d.replicas))
}

// inPlace reports whether the manifest that was sent allows no pod more than the replicas.
func (d *deployment) inPlace() bool {
	surge, _ := d.numbers()
	return surge == int64(0) && d.shape.Form != Settled
}

// unavailable is how many pods that manifest lets be missing.
func (d *deployment) unavailable() int {
	if _, n := d.numbers(); n != "100%" {
		n, _ := n.(int64)
		return int(n)
	}
	return d.replicas
}

func (d *deployment) numbers() (surge, unavailable any) {
	sent := d.shape.Of(&unstructured.Unstructured{Object: map[string]any{"kind": "Deployment", "spec": map[string]any{}}})
	strategy, _, _ := unstructured.NestedMap(sent.Object, "spec", "strategy", "rollingUpdate")
	return strategy["maxSurge"], strategy["maxUnavailable"]
}

// scaleDown takes pods away from the template that has more, until there are as many as replicas.
func (d *deployment) scaleDown() {
	for own, others := d.pods[d.template], d.others(); own+others > d.replicas; own, others = d.pods[d.template], d.others() {
		if own > others {
			d.pods[d.template]--
		} else {
			d.shrink(1)
		}
	}
}

// shrink takes away n pods of other templates.
func (d *deployment) shrink(n int) {
	for _, template := range slices.Sorted(keysOf(d.pods)) {
		if template == d.template {
			continue
		}
		gone := min(n, d.pods[template])
		d.pods[template] -= gone
		if n -= gone; d.pods[template] == 0 {
			delete(d.pods, template)
		}
	}
}

func keysOf(m map[string]int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// agent plays the shell around Step: it loses what it remembers, repeats effects, and dies between save and act.
type agent struct {
	random   *rand.Rand
	now      time.Time
	state    State
	plan     Plan
	d        *deployment
	bad      map[string]bool // digests of releases whose pods never are well
	result   ApplyResult
	assessed []Staged
	known    bool            // assessed is of the state's release
	poor     map[string]bool // digests of releases whose pods are well, and what is measured of them is not
	asked    []time.Time     // samples that are being taken, by when they began
	samples  []Sample
	taken    []Sample // all that ever came back
	log      []string
	route    *routeModel // nil: the number of pods is the weight
}

func (a *agent) observe() Observation {
	o := Observation{Now: a.now, Apply: a.result, Health: InProgress, Owned: 5, Assessed: a.known, Changed: a.assessed, Samples: a.samples}
	if a.d.others() == 0 && a.d.pods[a.d.template] == a.d.replicas && !a.d.lag {
		o.Health = Current
		if a.bad[a.d.template] && a.d.replicas > 0 {
			o.Health = Degraded
		}
	}
	for _, s := range a.state.Staged {
		w := Workload{Seen: !a.d.lag, Replicas: a.d.replicas}
		for template, n := range a.d.pods {
			of := &w.New
			if template == s.Proven {
				of = &w.Proven
			}
			of.Want, of.There = of.Want+n, of.There+n
			if !a.bad[template] {
				of.Ready += n
			} else if of == &w.New {
				w.Fault = "bad"
			}
		}
		o.Workloads = append(o.Workloads, w)
	}
	a.route.observe(a, &o)
	return o
}

// answer lets the provider answer what it was asked, or not, or say that it does not know.
func (a *agent) answer() {
	for _, at := range a.asked {
		errors := a.plan.Canary.Analyses[0]
		r := Reading{Value: "0"}
		switch {
		case a.random.IntN(6) == 0:
			continue // lost
		case a.random.IntN(4) == 0:
			r = Reading{Result: []Result{NoData, NoAnswer}[a.random.IntN(2)]}
		case a.poor[a.state.Release.Digest]:
			r = Reading{Value: "1"}
		}
		a.samples = []Sample{errors.Judge(r, at)}
		a.taken = append(a.taken, a.samples...)
	}
	a.asked = nil
}

// goodSince counts the good samples that began after a time.
func (a *agent) goodSince(at time.Time) int {
	n := 0
	for _, s := range a.taken {
		if s.Result == Good && s.At.After(at) {
			n++
		}
	}
	return n
}

// pass is one look at the key, which may end anywhere.
func (a *agent) pass(t *testing.T, seed uint64) {
	if a.random.IntN(2) == 0 {
		a.answer()
	}
	before := a.state
	next, effects, told := Step(a.state, a.plan, a.observe())
	for _, r := range told {
		a.log = append(a.log, fmt.Sprintf("%s %s %s", r.Release.Digest, r.Phase, r.Reason))
	}
	a.check(t, seed, before, next)
	a.state = next
	if !next.Applied && (before.Applied || !before.Began.Equal(next.Began) || before.Form != next.Form || before.Stage != next.Stage ||
		before.Split.Asked != next.Split.Asked) {
		a.result = NotApplied
	}
	if !before.Began.Equal(next.Began) || before.Assess != next.Assess { // as the caller forgets it
		a.known = false
	}
	if a.random.IntN(5) == 0 { // killed after the state was saved
		a.result, a.known, a.assessed = NotApplied, false, nil
		return
	}
	for _, e := range effects {
		a.carryOut(t, seed, e)
	}
	if a.random.IntN(5) == 0 { // killed after the effects: nobody remembers
		a.result, a.known, a.assessed = NotApplied, false, nil
	}
}

func (a *agent) carryOut(t *testing.T, seed uint64, e Effect) {
	t.Helper()
	switch e {
	case Assess:
		a.known, a.assessed = true, nil
		if a.d.template != a.state.Release.Digest {
			a.assessed = []Staged{{Name: "web", Proven: a.d.template, Replicas: a.d.replicas, Deadline: time.Minute, Routed: a.route != nil}}
		}
	case Apply:
		if a.state.Form == Held && a.state.Stage == 1 {
			for template, n := range a.d.pods {
				if template != a.state.Staged[0].Proven && template != a.state.Release.Digest {
					t.Fatalf("seed %d: staged over %d pods of another unproven release %s\n%v", seed, n, template, a.log)
				}
			}
		}
		a.route.send(a)
		if a.result = ApplyDone; a.state.Form.RouteAlone() {
			return
		}
		a.d.template, a.d.shape, a.d.lag = a.state.Live().Digest, a.state.Shape(a.plan, "web"), true
	case Measure:
		if len(a.asked) == 0 {
			a.asked = append(a.asked, a.now.Add(time.Nanosecond))
		}
	case Unsplit:
		a.route.services = [2]string{}
	case Hook, Unhook, Repair, Prune, Evict, Keep, Clear: // a Deployment's pods are its controller's
	}
}

// shortened reports whether a stage that ends now was not well for its time.
func (a *agent) shortened(before State) bool {
	hold := a.plan.Canary.Steps[before.Stage-1].Hold
	return hold > 0 && (before.Reached.IsZero() || a.now.Sub(before.Reached) < hold)
}

// check holds what must be true of every step.
func (a *agent) check(t *testing.T, seed uint64, before, s State) {
	t.Helper()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("seed %d: %s\n%v\n%+v\n%+v", seed, fmt.Sprintf(format, args...), a.log, s, *a.d)
	}
	if s.Phase == Healthy && a.d.replicas == 0 {
		a.bad[s.Release.Digest] = false // without pods nobody can know
	}
	switch {
	case (s.Form == Aborting || s.Form == Returning) && !s.Back:
		fail("on the way back without Back")
	case (s.Form == Held || s.Form == Finishing) && s.Back:
		fail("forward with Back")
	case s.Form == Held && s.Stage > len(a.plan.Canary.Steps):
		fail("a stage that is none")
	case s.Form == Wave && before.Form != Wave && (before.Leaves(a.plan, s.Release) == Release{} || s.Leaves(a.plan, before.From) != Release{}):
		fail("a wave to a release that is no roll-back, or one that can be rolled back itself")
	case s.Form == Wave && s.Back:
		fail("a wave with Back")
	case s.Began.Equal(before.Began) && s.Stage > before.Stage+1 && s.Form != Wave:
		fail("a stage was skipped")
	case before.Form == Held && s.Stage == before.Stage+1 && before.Release == s.Release && a.shortened(before):
		fail("a stage was shortened")
	case before.Form == Held && s.Stage == before.Stage+1 && before.Release == s.Release && len(a.plan.Canary.Analyses) > 0 &&
		(before.Reached.IsZero() || a.goodSince(before.Reached) < a.plan.Canary.Analyses[0].Samples):
		fail("a stage passed without its samples")
	case s.Form == Finishing && before.Form == Held && len(a.plan.Canary.Analyses) > 0 && a.poor[s.Release.Digest]:
		fail("a release that measures badly went through its stages")
	case s.Phase == Healthy && before.Phase != Healthy && a.bad[s.Release.Digest]:
		fail("a bad release is Healthy")
	case s.Form == Finishing && before.Form == Held && a.bad[s.Release.Digest]:
		fail("a bad release went through its stages")
	}
}

// TestStepStagesInAModelCluster: whatever is lost or repeated, and whenever releases and people come, no stage is skipped,
// shortened or left without its samples, no bad release is promoted, and in the end there are only the pods that Git and the proof say.
func TestStepStagesInAModelCluster(t *testing.T) {
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 3))
		a := &agent{
			random: random, now: start, bad: map[string]bool{}, poor: map[string]bool{}, d: &deployment{replicas: 4, pods: map[string]int{}},
			plan: Plan{PruneLimit: 50, Repair: true, Canary: &Canary{
				Capacity: []Capacity{Surge, Replace}[random.IntN(2)],
				Steps:    []CanaryStep{{Instances: 1, Hold: 5 * time.Second}, {WeightPercent: 25, Hold: time.Second}, {WeightPercent: 50}}[:1+random.IntN(3)],
			}},
		}
		if random.IntN(2) == 0 {
			a.plan.Canary.Analyses = []Analysis{{Name: "errors", Max: new(float64), Interval: time.Second, Failures: 2, Errors: 3, Samples: 2}}
		}
		release := func(n int) {
			digest := fmt.Sprint("d", n)
			if _, known := a.bad[digest]; !known {
				a.bad[digest] = n > 0 && random.IntN(3) == 0
				a.poor[digest] = n > 0 && random.IntN(3) == 0
			}
			a.plan.Release = Release{Revision: fmt.Sprint("r", n), Trigger: fmt.Sprint("t", n), Inputs: digest, Digest: digest}
		}
		release(0)
		for range 200 {
			a.now = a.now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			switch random.IntN(40) {
			case 0:
				release(1 + random.IntN(1000))
			case 1:
				a.d.replicas, a.d.lag = random.IntN(9)/2*2, true
			case 2:
				if n := len(a.state.Sequence); n > 0 {
					proven, serial := a.state.Sequence[random.IntN(n)], 0
					if _, err := fmt.Sscanf(proven.Digest, "d%d", &serial); err != nil {
						t.Fatal(err)
					}
					release(serial)
					a.plan.Release.Trigger = fmt.Sprint(a.plan.Release.Trigger, " again at ", a.now)
				}
			}
			if random.IntN(3) > 0 {
				a.d.sync()
			}
			a.pass(t, seed)
		}
		a.settles(t, seed)
	}
}

// settles lets the world be quiet: the release in the state must come to an end, and only its pods or the proven ones stay.
func (a *agent) settles(t *testing.T, seed uint64) {
	t.Helper()
	a.d.replicas = 4
	for range 400 {
		a.now = a.now.Add(time.Second)
		a.d.sync()
		a.pass(t, seed)
	}
	want := a.state.Live().Digest
	ended := a.state.Phase == Healthy || a.state.Phase == RolledBack || a.state.Phase == Failed && a.state.Proven == Release{}
	if !ended || a.state.Form != Settled || len(a.d.pods) != 1 || a.d.pods[want] != 4 {
		t.Fatalf("seed %d: it did not settle: %+v\n%+v\n%v", seed, a.state, *a.d, a.log)
	}
	if a.bad[want] && a.state.Proven != (Release{}) {
		t.Fatalf("seed %d: a bad release runs: %+v\n%+v\n%v", seed, a.state, *a.d, a.log)
	}
}

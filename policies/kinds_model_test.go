package policies

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ordinal is a pod of the model, at its place in a StatefulSet, or on its node.
type ordinal struct {
	template string // "": it is not there
	ready    bool
	uid      int
	born     time.Time
}

// controlled is a small model of a StatefulSet or DaemonSet under its controller, as the real ones were seen to behave: see
// the tests of both in reconciler/rollout. Templates are releases, by their digest.
type controlled struct {
	daemon, parallel bool
	pods             []ordinal
	template, base   string // of the manifest that was applied last, and of the pods below the partition
	partition        int
	onDelete, lag    bool
	uids             int
	bad              map[string]bool
}

func (w *controlled) manifest() *unstructured.Unstructured {
	kind := statefulSetKind
	if w.daemon {
		kind = daemonSetKind
	}
	return &unstructured.Unstructured{Object: map[string]any{"kind": kind, "spec": map[string]any{}}}
}

// make makes a pod, of the base below the partition.
func (w *controlled) make(i int, now time.Time) {
	w.uids++
	w.pods[i] = ordinal{template: w.template, uid: w.uids, born: now}
	if !w.daemon && i < w.partition {
		w.pods[i].template = w.base
	}
}

func (w *controlled) well() bool {
	return !slices.ContainsFunc(w.pods, func(p ordinal) bool { return !p.ready })
}

// sync lets the controller and the nodes act once.
func (w *controlled) sync(now time.Time) {
	w.lag = false
	strict := !w.daemon && !w.parallel // nothing goes on while a pod that is there is not Ready
	for i := range w.pods {
		switch p := &w.pods[i]; {
		case p.template == "":
			w.make(i, now)
			if strict {
				return
			}
		case !p.ready && !w.bad[p.template] && now.Sub(p.born) > time.Second:
			p.ready = true // one that somebody made sick is born in the future
			if strict {
				return
			}
		case !p.ready && strict:
			return
		}
	}
	if !w.onDelete {
		w.replace()
	}
	if !slices.ContainsFunc(w.pods, func(p ordinal) bool { return p.template != w.template || !p.ready }) {
		w.base = w.template
	}
}

// replace deletes the last pod that is not of the newest template, unless one after it is not Ready.
func (w *controlled) replace() {
	for i := len(w.pods) - 1; i >= 0 && (w.daemon || i >= w.partition); i-- {
		switch p := &w.pods[i]; {
		case p.template != w.template:
			*p = ordinal{}
			return
		case !p.ready:
			return
		}
	}
}

func (w *controlled) send(template string, s Shape) {
	made := s.Of(w.manifest())
	w.template, w.lag = template, true
	strategy := made.Object["spec"].(map[string]any)["updateStrategy"]
	w.partition, w.onDelete = 0, false
	if s.Form != Settled {
		said := strategy.(map[string]any)
		w.onDelete = said["type"] == "OnDelete"
		if rolling, says := said["rollingUpdate"].(map[string]any); says {
			w.partition = int(rolling["partition"].(int64))
		}
	}
}

// scale is what an autoscaler does, or nodes that come and go.
func (w *controlled) scale(n int) {
	for len(w.pods) < n {
		w.pods = append(w.pods, ordinal{})
	}
	w.pods, w.lag = w.pods[:n], true
	if n == 0 {
		w.base = w.template // the partition protects nothing any more
	}
}

func (w *controlled) observe(s Staged) Workload {
	o := Workload{Seen: !w.lag, Replicas: len(w.pods), Ordered: !w.daemon && !w.parallel}
	for i, p := range w.pods {
		if p.template == "" {
			continue
		}
		pod := Pod{Name: fmt.Sprint("web-", i), UID: fmt.Sprint(p.uid), New: p.template != s.Proven, Ready: p.ready, Ordinal: i, Born: p.born}
		of := &o.Proven
		if pod.New {
			of = &o.New
			if w.bad[p.template] {
				o.Fault = "bad"
			}
		}
		of.Want, of.There = of.Want+1, of.There+1
		if p.ready {
			of.Ready++
		}
		o.Each = append(o.Each, pod)
	}
	if !w.daemon && w.base == s.Proven {
		o.Proven.Want = len(w.pods)
		if w.template != s.Proven {
			o.Proven.Want = min(w.partition, len(w.pods))
		}
		o.New.Want = len(w.pods) - o.Proven.Want
	}
	return o
}

// keeper plays the shell around Step for a workload.
type keeper struct {
	*controlled
	random *rand.Rand
	now    time.Time
	state  State
	plan   Plan
	result ApplyResult
	found  []Staged
	known  bool
	log    []string
}

func (k *keeper) name() string {
	if k.daemon {
		return "DaemonSet/web"
	}
	return "StatefulSet/web"
}

func (k *keeper) seen() Observation {
	o := Observation{Now: k.now, Apply: k.result, Health: InProgress, Owned: 5, Assessed: k.known, Changed: k.found}
	mixed := slices.ContainsFunc(k.pods, func(p ordinal) bool { return p.template != k.template })
	if !mixed && !k.lag && k.well() {
		o.Health = Current
	}
	if k.bad[k.template] && !k.lag && slices.ContainsFunc(k.pods, func(p ordinal) bool { return p.template == k.template }) {
		o.Health = Degraded
	}
	staged := k.state.Staged
	if k.state.Assess {
		staged = k.found
	}
	for _, s := range staged {
		o.Workloads = append(o.Workloads, k.observe(s))
	}
	return o
}

func (k *keeper) forget() { k.result, k.known, k.found = NotApplied, false, nil }

// pass is one look at the key, which may end anywhere.
func (k *keeper) pass(t *testing.T, seed uint64) {
	t.Helper()
	before, o := k.state, k.seen()
	next, effects, told := Step(before, k.plan, o)
	for _, r := range told {
		k.log = append(k.log, fmt.Sprintf("%s %s %s", r.Release.Digest, r.Phase, r.Reason))
	}
	if next.Phase == Healthy && before.Phase != Healthy && k.bad[next.Release.Digest] && len(k.pods) > 0 {
		t.Fatalf("seed %d: a bad release is Healthy\n%v", seed, k.log)
	}
	if next.Form == Finishing && before.Form == Held && k.bad[next.Release.Digest] {
		t.Fatalf("seed %d: a bad release went through its stages\n%v", seed, k.log)
	}
	k.state = next
	if !next.Applied && (before.Applied || !before.Began.Equal(next.Began) || before.Form != next.Form || before.Stage != next.Stage) {
		k.result = NotApplied
	}
	if !before.Began.Equal(next.Began) || before.Assess != next.Assess {
		k.known, k.found = false, nil
	}
	for _, e := range effects {
		if k.random.IntN(8) == 0 { // killed before it
			k.forget()
			return
		}
		k.carryOut(t, seed, e, o)
	}
	if k.random.IntN(8) == 0 { // killed after them
		k.forget()
	}
}

func (k *keeper) carryOut(t *testing.T, seed uint64, e Effect, o Observation) {
	t.Helper()
	switch e {
	case Assess:
		if k.known {
			return
		}
		k.known, k.found = true, nil
		if k.template != k.state.Release.Digest {
			k.found = []Staged{{Name: k.name(), Proven: k.template, Replicas: len(k.pods), Deadline: time.Minute}}
		}
	case Apply:
		k.send(k.state.Live().Digest, k.state.Shape(k.plan, k.name()))
		k.result = ApplyDone
	case Evict:
		k.evict(t, seed, o)
	case Hook, Unhook, Repair, Prune, Keep, Measure, Unsplit, Clear:
	}
}

// evict deletes what is to go, and says no to what never should.
func (k *keeper) evict(t *testing.T, seed uint64, o Observation) {
	t.Helper()
	leaving := k.state.Leaving(o, k.name())
	for _, p := range leaving {
		forward := !k.state.Back
		switch {
		case !p.New && (k.state.Back || !k.daemon):
			t.Fatalf("seed %d: a proven pod is deleted, %+v\n%v", seed, p, k.log)
		case forward && k.daemon && (len(leaving) > 1 || o.Workloads[0].New.Ready < o.Workloads[0].New.There):
			t.Fatalf("seed %d: %d pods are deleted, and the new ones are not all Ready\n%v", seed, len(leaving), k.log)
		}
		i := p.Ordinal
		if i < len(k.pods) && fmt.Sprint(k.pods[i].uid) == p.UID && k.random.IntN(10) > 0 {
			k.pods[i] = ordinal{}
		}
	}
}

// TestStepStagesOtherKindsInAModelCluster: whatever is lost, repeated, sick or scaled, no proven pod is deleted for going
// back, no bad release is promoted, and in the end there are only the pods that Git and the proof say.
func TestStepStagesOtherKindsInAModelCluster(t *testing.T) {
	for seed := range uint64(3000) {
		random := rand.New(rand.NewPCG(seed, 7))
		w := &controlled{daemon: seed%3 == 0, parallel: seed%3 == 1, pods: make([]ordinal, 4), bad: map[string]bool{}}
		k := &keeper{controlled: w, random: random, now: start, plan: Plan{PruneLimit: 50, Repair: true, Canary: &Canary{
			Capacity: Surge,
			Steps:    []CanaryStep{{Instances: 1, Hold: 5 * time.Second}, {WeightPercent: 25, Hold: time.Second}, {WeightPercent: 50}}[:1+random.IntN(3)],
		}}}
		release := func(n int) {
			digest := fmt.Sprint("d", n)
			if _, known := w.bad[digest]; !known {
				w.bad[digest] = n > 0 && random.IntN(3) == 0
			}
			k.plan.Release = Release{Revision: fmt.Sprint("r", n), Trigger: fmt.Sprint("t", n), Inputs: digest, Digest: digest}
		}
		release(0)
		k.settles(t, seed)
		for range 250 {
			k.now = k.now.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			switch i := random.IntN(60); {
			case i == 0:
				release(1 + random.IntN(1000))
			case i == 1:
				w.scale(2 * random.IntN(4))
			case i < 5 && len(w.pods) > 0:
				w.pods[random.IntN(len(w.pods))] = ordinal{} // somebody deletes it, or its node goes
			case i == 5 && len(w.pods) > 0:
				if p := &w.pods[random.IntN(len(w.pods))]; p.template != "" {
					p.ready, p.born = false, k.now.Add(20*time.Second) // it is sick for so long
				}
			}
			if random.IntN(3) > 0 {
				w.sync(k.now)
			}
			k.pass(t, seed)
		}
		k.settles(t, seed)
	}
}

// settles lets the world be quiet: the release must come to an end, and only its pods or the proven ones stay.
func (k *keeper) settles(t *testing.T, seed uint64) {
	t.Helper()
	k.scale(4)
	for range 900 {
		if ended := k.state.Phase == Healthy || k.state.Phase == RolledBack; ended && k.state.Applied && k.well() {
			break
		}
		k.now = k.now.Add(time.Second)
		k.sync(k.now)
		k.pass(t, seed)
	}
	want := k.state.Live().Digest
	ended := k.state.Phase == Healthy || k.state.Phase == RolledBack
	other := slices.ContainsFunc(k.pods, func(p ordinal) bool { return p.template != want })
	if !ended || k.state.Form != Settled || other {
		t.Fatalf("seed %d: it did not settle: %+v\n%+v\n%v", seed, k.state, *k.controlled, k.log)
	}
}

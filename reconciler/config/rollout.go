package config

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Rollout says how a release replaces the pods of the one before it.
type Rollout struct {
	// Strategy is rolling (they are replaced as their manifests say, and a release that fails stays as it is), direct (the
	// same, but a release that fails is taken back to the one that was proven), canary (in stages, and taken back) or
	// blueGreen (all at once, behind a Service that is switched, and taken back). It is canary where canary: is there,
	// blueGreen where blueGreen: is, and else rolling.
	Strategy Strategy `json:"strategy,omitempty"`
	// Canary says what the stages are, and is of no other strategy.
	Canary *Canary `json:"canary,omitempty"`
	// BlueGreen says which Service is switched, and is of no other strategy.
	BlueGreen *BlueGreen `json:"blueGreen,omitempty"`
	// Analysis is what is measured while a stage is held: in the steps that name it, or where none does in all.
	Analysis []Analysis `json:"analysis,omitempty"`
	// Traffic lets a route share the traffic out between proven and new pods while a canary is in its stages. Without it
	// the number of pods does.
	Traffic *Traffic `json:"traffic,omitempty"`
	// RollbackTo is how many of the releases that were proven last, the present one among them, can be gone back to in one
	// wave, without stages and in spite of windows; 1 to 50. An older one takes the stages.
	RollbackTo int `json:"rollbackTo,omitempty"`
	// Tests has the tests of a chart (helm.sh/hook: test) run after its other hooks: a release is proven when they passed.
	Tests bool `json:"tests,omitempty"`
	// HookTimeout is how long a hook of a chart may take, test or not, before the release fails; 1s to 24h. A Job or Pod with
	// an activeDeadlineSeconds of its own may take that long instead.
	HookTimeout Duration `json:"hookTimeout,omitempty"`
}

const (
	// defaultHookTimeout is Helm's own.
	defaultHookTimeout = 5 * time.Minute
	longestHookTimeout = 24 * time.Hour
)

// defaultRollbackTo: what is older is seldom meant, and data may have moved on since. Fifty of them are some 10 kB of a
// Secret's 1 MiB.
const (
	defaultRollbackTo = 10
	mostRollbackTo    = 50
)

// Strategy is how a release replaces pods.
type Strategy string

// The strategies.
const (
	Rolling          Strategy = "rolling"
	Direct           Strategy = "direct"
	CanaryRelease    Strategy = "canary"
	BlueGreenRelease Strategy = "blueGreen"
)

// TakesBack reports whether a release that fails is taken back.
func (r Rollout) TakesBack() bool {
	return r.Strategy == Direct || r.Strategy == CanaryRelease || r.Strategy == BlueGreenRelease
}

// Canary stages the Deployments, StatefulSets and DaemonSets of a release whose pods change: each stage is held until it
// was well for its time. Of StatefulSets and DaemonSets the agent deletes pods that their controllers leave, for which the
// application's account needs the right to get and delete pods. A release that fails is taken back to the one that was
// proven. canary: {} stages as is proven to
// be sensible: one instance for 5 minutes, then a quarter, then half. A release in its stages goes on to its end when canary
// is taken away.
//
// Workloads of a release move through the stages together. One annotated sluice.dev/order: "1" waits in each stage until
// those of lower numbers have their pods; without it the number is 0.
type Canary struct {
	// Capacity is surge (the pods of a stage are extra ones, so that there are never fewer proven pods) or replace (they
	// take the place of proven ones, so that there are never more pods). StatefulSets and DaemonSets always replace.
	Capacity Capacity `json:"capacity,omitempty"`
	// Steps are the stages, in order. After the last one all other pods are replaced.
	Steps []CanaryStep `json:"steps,omitempty"`
	// Selector are labels that a workload must have to be staged; without any, all are. Others change after the stages, as
	// their manifests say.
	Selector map[string]string `json:"selector,omitempty"`
	// OnFailure is rollback, or hold: then a failing pod or two of a Deployment are kept for a look, before the release goes
	// back all the same. They get other labels, so that nothing selects them and they serve nobody.
	OnFailure OnFailure `json:"onFailure,omitempty"`
	// KeepFor is how long they are kept, until the next release at the longest; at least 1s.
	KeepFor Duration `json:"keepFor,omitempty"`
}

// OnFailure is what becomes of the pods of a stage that failed.
type OnFailure string

// What becomes of them.
const (
	RollBack  OnFailure = "rollback"
	HoldScene OnFailure = "hold"
)

// defaultKeepFor: what fails in the night is looked at in the day.
const defaultKeepFor = 24 * time.Hour

// Capacity says where the pods of a stage come from.
type Capacity string

// The capacities.
const (
	SurgeCapacity   Capacity = "surge"
	ReplaceCapacity Capacity = "replace"
)

// CanaryStep is one stage. One without instances and weight is one instance.
type CanaryStep struct {
	// Instances is how many new pods there are of each workload; of a DaemonSet at least, as those on new nodes are new. With
	// traffic it may stand beside weight.
	Instances int `json:"instances,omitempty"`
	// Weight is their share of all pods instead, 1%..99%. With surge, 50% needs as many pods again. With traffic it is the
	// share of the route's traffic, 1%..100%, and there are as many new pods as that share of the replicas, rounded up (with
	// replace down, and one at least).
	Weight Percent `json:"weight,omitempty"`
	// Hold is how long all pods of the stage must be Ready, without a break, before the next stage begins.
	Hold Duration `json:"hold,omitempty"`
	// Approve lets the stage begin only when the release file says approved: with this stage's number, from 1.
	Approve bool `json:"approve,omitempty"`
	// Analysis are names in rollout.analysis that are measured in this stage. One that no step names is measured in all.
	Analysis []string `json:"analysis,omitempty"`
}

// defaultHold: most faults that a start brings show within 5 minutes, and two crash loops' back-offs do.
const defaultHold = 5 * time.Minute

func defaultRollout(r *Rollout) {
	if r.Strategy == CanaryRelease && r.Canary == nil {
		r.Canary = &Canary{}
	}
	for i := range r.Analysis {
		defaultAnalysis(&r.Analysis[i])
	}
	if r.Traffic != nil {
		setDefault(&r.Traffic.Drain, Duration(defaultDrain))
	}
	if r.BlueGreen != nil {
		setDefault(&r.Strategy, BlueGreenRelease)
		defaultBlueGreen(r.BlueGreen)
	}
	setDefault(&r.RollbackTo, defaultRollbackTo)
	setDefault(&r.HookTimeout, Duration(defaultHookTimeout))
	if r.Canary == nil {
		setDefault(&r.Strategy, Rolling)
		return
	}
	setDefault(&r.Strategy, CanaryRelease)
	setDefault(&r.Canary.Capacity, SurgeCapacity)
	setDefault(&r.Canary.OnFailure, RollBack)
	if r.Canary.OnFailure == HoldScene {
		setDefault(&r.Canary.KeepFor, Duration(defaultKeepFor))
	}
	if r.Canary.Steps == nil {
		r.Canary.Steps = []CanaryStep{{Instances: 1, Hold: Duration(defaultHold)}, {Weight: 25}, {Weight: 50}}
	}
}

func checkRollout(d *document, at string, r Rollout) {
	d.oneOf(at+".strategy", string(r.Strategy), string(Rolling), string(Direct), string(CanaryRelease), string(BlueGreenRelease))
	if r.Canary != nil && r.Strategy != CanaryRelease {
		d.reject(at+".canary", "belongs to strategy: canary %s", got(string(r.Strategy)))
	}
	switch {
	case r.BlueGreen != nil:
		checkBlueGreen(d, at, r)
	case r.Strategy == BlueGreenRelease:
		d.reject(at+".blueGreen", "must say which Service is switched: blueGreen: {service: NAME}")
	}
	if r.RollbackTo < 1 || r.RollbackTo > mostRollbackTo {
		d.reject(at+".rollbackTo", "must be 1..%d %s", mostRollbackTo, got(itoa(r.RollbackTo)))
	}
	if t := r.HookTimeout.Std(); t < time.Second || t > longestHookTimeout {
		d.reject(at+".hookTimeout", "must be 1s..24h %s", got(r.HookTimeout.String()))
	}
	checkAnalyses(d, at, r)
	checkTraffic(d, at, r)
	if r.Canary == nil {
		return
	}
	d.oneOf(at+".canary.capacity", string(r.Canary.Capacity), string(SurgeCapacity), string(ReplaceCapacity))
	for key, value := range r.Canary.Selector {
		if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
			d.reject(at+".canary.selector["+shown(key)+"]", "must be a label of the form name: value or domain/name: value %s", got(value))
		}
	}
	d.oneOf(at+".canary.onFailure", string(r.Canary.OnFailure), string(RollBack), string(HoldScene))
	switch keep := r.Canary.KeepFor.Std(); {
	case r.Canary.OnFailure == HoldScene && keep < time.Second:
		d.reject(at+".canary.keepFor", "must be 1s or more %s", got(r.Canary.KeepFor.String()))
	case r.Canary.OnFailure == RollBack && keep != 0:
		d.reject(at+".canary.keepFor", "belongs to onFailure: hold")
	}
	if len(r.Canary.Steps) == 0 {
		d.reject(at+".canary.steps", "must have at least one step; without canary: nothing is staged")
	}
	for i, step := range r.Canary.Steps {
		item := d.item(at+".canary.steps", i)
		switch {
		case step.Instances < 0:
			d.reject(item+".instances", "must be 1 or more %s", got(itoa(step.Instances)))
		case r.Traffic != nil:
		case step.Instances > 0 && step.Weight > 0:
			d.reject(item, "must not have both instances and weight without rollout.traffic")
		case step.Weight == 100:
			d.reject(item+".weight", "must be 1%%..99%%: all pods follow the last step %s", got(step.Weight.String()))
		}
	}
}

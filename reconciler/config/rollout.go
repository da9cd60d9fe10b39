package config

import "time"

// Rollout says how a release replaces the pods of the one before it.
type Rollout struct {
	// Canary replaces them in stages. Without it they are replaced as their manifests say.
	Canary *Canary `json:"canary,omitempty"`
	// Traffic lets a route share the traffic out between proven and new pods while a canary is in its stages. Without it
	// the number of pods does.
	Traffic *Traffic `json:"traffic,omitempty"`
}

// Canary stages the Deployments of a release whose pods change: each stage is held by Kubernetes itself until it was
// well for its time. A release that fails is taken back to the one that was proven. canary: {} stages as is proven to
// be sensible: one instance for 5 minutes, then a quarter, then half. A release in its stages goes on to its end when canary
// is taken away.
type Canary struct {
	// Capacity is surge (the pods of a stage are extra ones, so that there are never fewer proven pods) or replace (they
	// take the place of proven ones, so that there are never more pods).
	Capacity Capacity `json:"capacity,omitempty"`
	// Steps are the stages, in order. After the last one all other pods are replaced.
	Steps []CanaryStep `json:"steps,omitempty"`
}

// Capacity says where the pods of a stage come from.
type Capacity string

// The capacities.
const (
	SurgeCapacity   Capacity = "surge"
	ReplaceCapacity Capacity = "replace"
)

// CanaryStep is one stage. One without instances and weight is one instance.
type CanaryStep struct {
	// Instances is how many new pods there are of each Deployment. With traffic it may stand beside weight.
	Instances int `json:"instances,omitempty"`
	// Weight is their share of all pods instead, 1%..99%. With surge, 50% needs as many pods again. With traffic it is the
	// share of the route's traffic, 1%..100%, and there are as many new pods as that share of the replicas, rounded up.
	Weight Percent `json:"weight,omitempty"`
	// Hold is how long all pods of the stage must be Ready, without a break, before the next stage begins.
	Hold Duration `json:"hold,omitempty"`
	// Approve lets the stage begin only when the release file says approved: with this stage's number, from 1.
	Approve bool `json:"approve,omitempty"`
}

// defaultHold: most faults that a start brings show within 5 minutes, and two crash loops' back-offs do.
const defaultHold = 5 * time.Minute

func defaultRollout(r *Rollout) {
	if r.Traffic != nil {
		setDefault(&r.Traffic.Drain, Duration(defaultDrain))
	}
	if r.Canary == nil {
		return
	}
	setDefault(&r.Canary.Capacity, SurgeCapacity)
	if r.Canary.Steps == nil {
		r.Canary.Steps = []CanaryStep{{Instances: 1, Hold: Duration(defaultHold)}, {Weight: 25}, {Weight: 50}}
	}
}

func checkRollout(d *document, at string, r Rollout) {
	checkTraffic(d, at, r)
	if r.Canary == nil {
		return
	}
	d.oneOf(at+".canary.capacity", string(r.Canary.Capacity), string(SurgeCapacity), string(ReplaceCapacity))
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

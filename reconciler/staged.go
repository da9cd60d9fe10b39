package reconciler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// assessment is which workloads the release that began at a time would replace the pods of, and which keep plain names.
type assessment struct {
	began  time.Time
	staged []policies.Staged
	plain  []string
}

// canaryOf is how the environment's rules stage a release; nil: not at all.
func canaryOf(e config.Environment) *policies.Canary {
	r, c := e.Rollout, e.Rollout.Canary
	if r.BlueGreen != nil {
		return &policies.Canary{
			Capacity: policies.Surge, Traffic: trafficOf(e), Steps: stepsOf(*r.BlueGreen), Analyses: analysesOf(r),
		}
	}
	if c == nil {
		return nil
	}
	made := &policies.Canary{Capacity: policies.Capacity(c.Capacity), Traffic: trafficOf(e), Analyses: analysesOf(r)}
	if c.OnFailure == config.HoldScene {
		made.Keep = c.KeepFor.Std()
	}
	for _, step := range c.Steps {
		made.Steps = append(made.Steps, policies.CanaryStep{
			Instances: step.Instances, WeightPercent: int(step.Weight), Hold: step.Hold.Std(), Approve: step.Approve,
			Analyses: step.Analysis,
		})
	}
	return made
}

// stepsOf are the stages of a release whose Service is switched: all pods beside the proven ones, which nobody is sent to,
// and then all traffic to them while the proven ones are kept.
func stepsOf(b config.BlueGreen) []policies.CanaryStep {
	return []policies.CanaryStep{
		{WeightPercent: 100, Preview: true, Hold: b.Hold.Std(), Analyses: b.Analysis},
		{WeightPercent: 100, Approve: b.Approve, Hold: b.KeepPrevious.Std(), Analyses: b.Analysis},
	}
}

func analysesOf(r config.Rollout) (all []policies.Analysis) {
	for _, a := range r.Analysis {
		all = append(all, policies.Analysis{
			Name: a.Name, Min: (*float64)(a.Min), Max: (*float64)(a.Max), Equals: a.Equals, Compare: policies.Comparison(a.Compare),
			Interval: a.Interval.Std(), Once: a.Job != "", Failures: a.Failures, Errors: a.Errors, Samples: a.Samples,
		})
	}
	return all
}

// isStaged reports whether an object is staged where its pods change.
func isStaged(id apply.ID) bool {
	return id.Group == "apps" && (isDeployment(id) || id.Kind == "StatefulSet" || id.Kind == "DaemonSet")
}

// isDeployment reports whether its controller keeps the pods of each template together, and replaces them by itself.
func isDeployment(id apply.ID) bool { return id.Kind == "Deployment" }

// stages sees how the workloads of a staged release are.
func (p *Pass) stages() {
	p.sampled()
	t, state := p.target, p.target.held.saved.State
	if state.Assess && t.assessed.began.Equal(state.Began) && !p.revived(t.assessed.staged) {
		p.Seen.Assessed, p.Seen.Changed, p.Seen.Plain = true, t.assessed.staged, t.assessed.plain
	}
	staged := state.Staged
	if state.Assess {
		staged = p.Seen.Changed
	}
	for _, s := range staged {
		w, known := p.workload(s)
		if !known {
			p.Seen.Workloads = nil
			return
		}
		p.Seen.Workloads = append(p.Seen.Workloads, w)
	}
}

// revived reports whether a workload that had no replicas when it was assessed has some now.
func (p *Pass) revived(staged []policies.Staged) bool {
	return slices.ContainsFunc(staged, func(s policies.Staged) bool {
		if s.Replicas > 0 {
			return false
		}
		w, known := p.workload(s)
		return known && w.Replicas > 0
	})
}

// workload counts the pods of a staged workload; false where no watch has shown it yet.
func (p *Pass) workload(s policies.Staged) (policies.Workload, bool) {
	i := slices.IndexFunc(p.target.held.saved.Inventory, func(e apply.Entry) bool { return e.ID.String() == s.Name })
	if i < 0 {
		return policies.Workload{Gone: true}, true
	}
	entry := p.target.held.saved.Inventory[i]
	id, deployment := rollout.ID(entry.ID), isDeployment(entry.ID)
	seen, there := p.site.observer.Get(id)
	if !there {
		return policies.Workload{Gone: true}, p.site.synced(entry, p.Rules.Namespace)
	}
	w := policies.Workload{Replicas: int(seen.Replicas.Want), Silent: p.site.observer.Silent(id)}
	w.Replicas -= w.Silent
	sets, known := p.site.observer.Sets(id)
	w.Seen = known
	state, proven := p.target.held.saved.State, map[string]bool{s.Proven: true}
	for _, set := range sets {
		of := &w.New
		if state.Back && state.Applied && !state.Form.RouteAlone() { // what was sent is what was proven, also where it makes new pods
			proven[set.Hash] = set.Newest || proven[set.Hash] && (state.Form == policies.Aborting || !deployment)
		}
		if proven[set.Hash] {
			of = &w.Proven
		} else if set.Newest {
			w.Hash = set.Hash
		}
		of.Want, of.There, of.Ready = of.Want+set.Want, of.There+set.There, of.Ready+set.Ready
	}
	if !deployment {
		w.Each = p.each(id, proven)
		w.Ordered = id.Kind == "StatefulSet" && !seen.Ordinals.Parallel
	}
	return p.judged(w, id), true
}

// judged adds to a workload what is found of its pods.
func (p *Pass) judged(w policies.Workload, id rollout.ID) policies.Workload {
	for _, finding := range p.site.observer.Diagnose(id) {
		if finding.Kind == rollout.NodeLost && w.Silent > 0 {
			continue // which is no excuse for the others
		}
		text := p.target.secrets.mask(finding.Message)
		refused := id.Kind == "DaemonSet" && len(w.Each) < w.Replicas // it counts no pods that cannot be made
		if finding.Terminal && w.Fault == "" && (w.New.Want > 0 || refused) {
			w.Fault = text
		}
		if w.Unwell == "" {
			w.Unwell = text
		}
		if w.Excuse == "" && finding.Kind.External() {
			w.Excuse = text
		}
	}
	if w.Fault != "" {
		w.Excuse = ""
	}
	return w
}

// sent are the objects that are due, in the form of the state. While a release is staged these are its workloads and the
// new objects that their pods may need: what others use already, such as a Service, changes after the release is proven,
// and until then is kept as it was proven.
func (p *Pass) sent(ctx context.Context) ([]*unstructured.Unstructured, error) {
	state := p.target.held.saved.State
	objects, err := p.manifests(ctx)
	objects = applied(objects)
	if err != nil || state.Form == policies.Settled {
		return objects, err
	}
	proven, err := p.proven(ctx)
	if err != nil {
		return nil, err
	}
	if state.Form == policies.Closing {
		return p.shared(slices.Clone(objects), proven, objects)
	}
	var due []*unstructured.Unstructured
	chosen := map[apply.ID]bool{}
	for _, o := range objects {
		id := apply.IDOf(o)
		if state.Form.RouteAlone() {
			continue
		}
		if shape := state.Shape(p.Wanted, id.String()); shape.Form != policies.Settled {
			if shape.Form == policies.Aborting && !p.comesBack(ctx, shape.Of(o), state) {
				shape.Form = policies.Returning
			}
			due, chosen[id] = append(due, shape.Of(o)), true
		} else if !state.Back && early(o, !p.target.provenIDs[id]) {
			due, chosen[id] = append(due, o), true
		}
	}
	for _, o := range proven {
		if _, drifted := p.Drifted[apply.IDOf(o)]; drifted && !chosen[apply.IDOf(o)] {
			due = append(due, o)
		}
	}
	return p.shared(due, proven, objects)
}

// proven are the objects of the proven release, as they were saved.
func (p *Pass) proven(ctx context.Context) ([]*unstructured.Unstructured, error) {
	t, names := p.target, p.target.held.saved.Proven
	if t.provenObjects != nil && slices.Equal(t.provenNames, names) {
		return t.provenObjects, nil
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("manifests of the proven release %s are not saved", t.held.saved.State.Proven.Revision)
	}
	objects, err := p.site.store.manifests(ctx, names)
	if err != nil {
		return nil, err
	}
	p.hide(objects)
	t.provenObjects, t.provenNames, t.provenIDs = objects, names, map[apply.ID]bool{}
	for _, o := range applied(objects) {
		t.provenIDs[apply.IDOf(o)] = true
	}
	return objects, nil
}

// applyBefore on an object has it applied before the first stage: its author says that the proven pods can live with it.
const applyBefore = "sluice.dev/apply"

// early reports whether an object goes before the first stage: a new one that pods may need, or one that says so.
func early(o *unstructured.Unstructured, isNew bool) bool {
	return o.GetAnnotations()[applyBefore] == "before" || isNew && apply.Groundwork(o)
}

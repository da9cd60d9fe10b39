package reconciler

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// assessment is which workloads the release that began at a time would replace the pods of.
type assessment struct {
	began  time.Time
	staged []policies.Staged
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
		p.Seen.Assessed, p.Seen.Changed = true, t.assessed.staged
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
	w := policies.Workload{Replicas: int(seen.Replicas.Want)}
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
	for _, finding := range p.site.observer.Diagnose(id) {
		text := p.target.secrets.mask(finding.Message)
		if finding.Terminal && w.Fault == "" && w.New.Want > 0 {
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
	return w, true
}

// assess finds out which workloads a release would replace the pods of, by dry-runs of all that may change. What the API
// server refuses is refused before anything is sent.
func (p *Pass) assess(ctx context.Context) Outcome {
	t := p.target
	if wait := p.untilOffer(); wait > 0 {
		return Outcome{Verdict: Stall, Reason: t.held.saved.State.Reason, After: wait}
	}
	if p.Seen.Assessed {
		return next // and somebody has to give it replicas, which wakes the key
	}
	if p.Wanted.Canary == nil { // the rules stage nothing any more
		return p.assessedAs(nil)
	}
	objects, err := p.manifests(ctx)
	if err != nil {
		return retry(err)
	}
	plan, err := p.client().Plan(ctx, apply.Request{
		Owner: p.owner(), Objects: applied(objects), Inventory: t.held.saved.Inventory, Adopt: p.Rules.Adopt,
	})
	if err != nil {
		return p.settled(ctx, false, err)
	}
	if plan.Definitions { // nothing can be said of what needs them, and they replace no pods
		_, _, err := p.carryOut(ctx, plan, nil)
		return p.settled(ctx, true, err)
	}
	var found []policies.Staged
	for _, c := range plan.Changes {
		o := objectOf(objects, c.ID)
		if !replacesPods(c) || wantsNone(c.ID, objects) || p.hasNoNodes(c.ID) || o == nil || !selects(p.Rules.Rollout, o) {
			continue
		}
		staged, ready := p.stagedOf(c.ID, o)
		if !ready {
			return Outcome{Verdict: Wait, Reason: fmt.Sprintf("the pods of %s are not known yet", c.ID), After: time.Second}
		}
		if why := unstageable(o, staged.Replicas, p.Wanted.Canary.Capacity); why != "" {
			return p.settled(ctx, false, &apply.ObjectError{ID: c.ID, Reason: why})
		}
		if err := p.mayEvict(ctx, c.ID); err != nil {
			return p.settled(ctx, false, err)
		}
		if staged.Replicas > 0 || !p.hadNone(ctx, c.ID) {
			found = append(found, staged)
		}
	}
	why, err := p.routed(ctx, found, objects)
	if err != nil {
		return retry(err)
	}
	if why != "" {
		t := p.Wanted.Canary.Traffic
		id := apply.ID{Group: t.Route.Group(), Kind: string(t.Route), Namespace: t.Namespace, Name: t.Name}
		return p.settled(ctx, false, &apply.ObjectError{ID: id, Reason: why})
	}
	return p.assessedAs(found)
}

// assessedAs notes which workloads are staged. What was refused before says nothing any more.
func (p *Pass) assessedAs(staged []policies.Staged) Outcome {
	began := p.target.held.saved.State.Began
	p.target.assessed, p.target.attempt = assessment{began: began, staged: staged}, attempt{began: began}
	return again
}

// hadNone reports whether Git itself said, when it was proven, that a workload has no replicas.
func (p *Pass) hadNone(ctx context.Context, id apply.ID) bool {
	proven, err := p.proven(ctx)
	return err == nil && wantsNone(id, proven)
}

// unstageable says why a workload cannot be staged as the rules want it.
func unstageable(o *unstructured.Unstructured, replicas int, capacity policies.Capacity) string {
	if text, given := o.GetAnnotations()[stageOrder]; given {
		if _, err := strconv.Atoi(text); err != nil {
			return fmt.Sprintf("annotation %s must be a whole number (got %q)", stageOrder, text)
		}
	}
	return policies.Stageable(o, replicas, capacity)
}

// selects reports whether the rules stage a workload.
func selects(r config.Rollout, o *unstructured.Unstructured) bool {
	return labels.SelectorFromSet(r.Selector()).Matches(labels.Set(o.GetLabels()))
}

// replacesPods reports whether a planned change is one of a workload's pod template.
func replacesPods(c apply.Planned) bool {
	return isStaged(c.ID) && c.Action == apply.Configured &&
		slices.ContainsFunc(c.Fields, func(f string) bool { return strings.HasPrefix(f, "spec.template") })
}

// wantsNone reports whether Git itself says that a workload has no replicas: there is nothing to stage.
func wantsNone(id apply.ID, objects []*unstructured.Unstructured) bool {
	return slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool {
		n, ok, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
		return ok && n == 0 && apply.IDOf(o) == id
	})
}

// hasNoNodes reports whether no node of the cluster takes a pod of a DaemonSet: there is nothing to stage.
func (p *Pass) hasNoNodes(id apply.ID) bool {
	seen, there := p.site.observer.Get(rollout.ID(id))
	return id.Kind == "DaemonSet" && there && seen.Revision != "" && seen.Replicas.Want == 0
}

// stageOrder on a workload is a whole number: in each stage it waits for those of lower ones.
const stageOrder = "sluice.dev/order"

// stagedOf is a workload before its first stage; false while its pods are not known.
func (p *Pass) stagedOf(id apply.ID, o *unstructured.Unstructured) (policies.Staged, bool) {
	seen, there := p.site.observer.Get(rollout.ID(id))
	sets, known := p.site.observer.Sets(rollout.ID(id))
	if !there || !known {
		return policies.Staged{}, false
	}
	s := policies.Staged{Name: id.String(), Replicas: int(seen.Replicas.Want), Deadline: defaultDeadline}
	s.Order, _ = strconv.Atoi(o.GetAnnotations()[stageOrder]) //nolint:errcheck // unstageable says it
	for _, set := range sets {
		if set.Newest {
			s.Proven = set.Hash
		}
	}
	if s.Proven == "" && len(sets) > 0 {
		return policies.Staged{}, false
	}
	if seconds, ok, _ := unstructured.NestedInt64(o.Object, "spec", "progressDeadlineSeconds"); ok {
		s.Deadline = time.Duration(seconds) * time.Second
	}
	return s, true
}

// defaultDeadline is Kubernetes' own for a Deployment that states none; other kinds can state none.
const defaultDeadline = 10 * time.Minute

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
			if shape.Form == policies.Aborting && !p.sameTemplate(ctx, shape.Of(o), state) {
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

// gently chooses the way back that never leaves too few pods, where the proven pods would not come back as they are. What
// others wrote into a template since its first stage, as kubectl rollout restart does, is made ours first: then it goes with
// the apply of the proven manifest.
func (p *Pass) gently(ctx context.Context, state *policies.State) error {
	proven, err := p.proven(ctx)
	if err != nil {
		return err
	}
	for _, o := range proven {
		shape := state.Shape(p.Wanted, apply.IDOf(o).String())
		if shape.Form != policies.Aborting {
			continue
		}
		sent := shape.Of(o)
		if p.sameTemplate(ctx, sent, *state) {
			continue
		}
		if had := p.provenTemplate(ctx, apply.IDOf(o), *state); had != nil && p.Allowed != nil {
			if err := p.client().ClaimTemplate(ctx, p.owner(), sent, had); err != nil {
				p.log.Info("Template was not taken over", "object", apply.IDOf(o).String(), "err", err)
			}
		}
		if !p.sameTemplate(ctx, sent, *state) {
			*state = state.Gently(p.Seen.Now)
		}
	}
	return nil
}

// sameTemplate reports whether an apply of the proven manifest brings back the template of the proven pods, to the byte.
// Where somebody else wrote into the template meanwhile it makes new pods instead, and to let all others be missing would
// leave none. What cannot be looked at is taken for different.
func (p *Pass) sameTemplate(ctx context.Context, workload *unstructured.Unstructured, state policies.State) bool {
	if id := apply.IDOf(workload); !isDeployment(id) { // one pod goes after the other, whatever it becomes
		return true
	}
	had := p.provenTemplate(ctx, apply.IDOf(workload), state)
	if had == nil {
		return false
	}
	would, err := p.client().WouldBe(ctx, p.owner(), workload)
	if err != nil {
		return false
	}
	gets, _, _ := unstructured.NestedMap(would.Object, "spec", "template")
	return reflect.DeepEqual(had, gets)
}

// provenTemplate is the template of a staged workload's proven pods; nil where it is not to be had.
func (p *Pass) provenTemplate(ctx context.Context, id apply.ID, state policies.State) map[string]any {
	i := slices.IndexFunc(state.Staged, func(s policies.Staged) bool { return s.Name == id.String() })
	if i < 0 {
		return nil
	}
	set := apply.ID{Group: "apps", Kind: "ReplicaSet", Namespace: id.Namespace, Name: id.Name + "-" + state.Staged[i].Proven}
	proven, err := p.site.apply.Self().Get(ctx, set, "v1")
	if err != nil {
		p.log.Info("Proven template was not found", "object", set.String(), "err", err)
		return nil
	}
	had, _, _ := unstructured.NestedMap(proven.Object, "spec", "template")
	unstructured.RemoveNestedField(had, "metadata", "labels", "pod-template-hash")
	if len(had) == 0 {
		return nil
	}
	return had
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
	t.secrets = t.secrets.with(objects)
	t.provenObjects, t.provenNames, t.provenIDs = objects, names, map[apply.ID]bool{}
	for _, o := range objects {
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

package reconciler

import (
	"context"
	"fmt"
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
	if t.held.saved.State.From != (policies.Release{}) {
		return p.assessWave(ctx)
	}
	if p.Wanted.Canary == nil { // the rules stage nothing any more
		return p.assessedAs(nil, nil)
	}
	objects, err := p.manifests(ctx)
	if err != nil {
		return retry(err)
	}
	if err := p.ensureNamespace(ctx); err != nil {
		return retry(err)
	}
	objects = applied(objects)
	plain, err := p.plain(ctx, objects)
	if err != nil {
		return retry(err)
	}
	objects = policies.Named(objects, true, plain)
	p.hide(objects)
	plan, err := p.client().Plan(ctx, apply.Request{
		Owner: p.owner(), Objects: objects, Inventory: t.held.saved.Inventory, Adopt: p.Rules.Adopt,
	})
	if err != nil {
		return p.settled(ctx, false, err)
	}
	if plan.Definitions { // nothing can be said of what needs them, and they replace no pods
		_, _, err := p.carryOut(ctx, plan, nil)
		return p.settled(ctx, true, err)
	}
	if t.held.saved.State.Proven == (policies.Release{}) { // nothing is protected, but what runs keeps its names
		return p.assessedAs(nil, plain)
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
	return p.assessedAs(found, plain)
}

// assessedAs notes which workloads are staged and keep plain names. What was refused before says nothing any more.
func (p *Pass) assessedAs(staged []policies.Staged, plain []string) Outcome {
	began := p.target.held.saved.State.Began
	p.target.assessed, p.target.attempt = assessment{began, staged, plain}, attempt{began: began}
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

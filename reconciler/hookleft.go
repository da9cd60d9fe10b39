package reconciler

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// leftRuns deletes what is in the way of a run: the object that the hook made before, and the Jobs and Pods of earlier releases
// that would go on beside it, or whose hooks are no more. It reports whether all of that is gone.
//
// The object of a Job or a Pod goes whatever its delete policies say, since there can be no run beside it. Of other kinds one
// stays that before-hook-creation does not name, and all that are kept when they are pruned, and gets its new fields.
func (p *Pass) leftRuns(ctx context.Context, o *unstructured.Unstructured, run string) (gone bool, err error) {
	saved := &p.target.held.saved
	since, id := saved.State.Hooking.Since, apply.IDOf(o)
	objects, err := p.manifests(ctx)
	if err != nil {
		return false, err
	}
	var left apply.Inventory
	for _, h := range saved.Hooks {
		if h.ID != id && !h.Since.Equal(since) && runs(h.ID) && (h.Ended == "" || objectOf(objects, h.ID) == nil) {
			left = append(left, h.Entry)
		}
	}
	said := policiesOf(o)
	if runs(id) || p.prunes(id) && (len(said) == 0 || slices.Contains(said, beforeCreation)) {
		left = append(left, apply.Entry{ID: id, Version: o.GroupVersionKind().Version})
	}
	gone, over := true, map[apply.ID]bool{}
	for _, e := range left {
		live, err := p.client().Get(ctx, e.ID, e.Version)
		switch {
		case errors.Is(err, apply.ErrGone):
			over[e.ID] = e.ID != id
			continue
		case err != nil:
			return false, err
		case live.GetAnnotations()[runAnnotation] == run: // a process made it that died before it saved that
			continue
		}
		changes, err := p.client().Prune(ctx, p.owner(), apply.Inventory{e}, apply.PruneOptions{Allow: p.Rules.Prune.Delete})
		if err != nil {
			return false, err
		}
		p.changed(changes)
		if slices.ContainsFunc(changes, func(c apply.Change) bool { return c.Action == apply.Skipped }) { // the apply says whose it is
			over[e.ID] = e.ID != id
			continue
		}
		gone = false
	}
	p.dropRuns(over)
	return gone, nil
}

// prunes reports whether objects of a kind are deleted at all.
func (p *Pass) prunes(id apply.ID) bool {
	return apply.PruneOptions{Allow: p.Rules.Prune.Delete}.Keeps(id) == ""
}

// tidyHooks deletes what the chart's delete policies name, when the moment is over: until then a later hook may need it.
func (p *Pass) tidyHooks(ctx context.Context) Outcome {
	saved := &p.target.held.saved
	h := saved.State.Hooking
	var over apply.Inventory
	for _, run := range saved.Hooks {
		if h.Runs() && run.Since.Equal(h.Since) && run.Moment == h.Moment() {
			continue
		}
		if run.Ended == policies.HookDone && slices.Contains(run.Policies, hookSucceeded) ||
			run.Ended == policies.HookFailed && slices.Contains(run.Policies, hookFailed) {
			over = append(over, run.Entry)
		}
	}
	return p.deleteRuns(ctx, over)
}

// unhook deletes all that is left of hooks.
func (p *Pass) unhook(ctx context.Context) Outcome {
	var all apply.Inventory
	for _, run := range p.target.held.saved.Hooks {
		all = append(all, run.Entry)
	}
	return p.deleteRuns(ctx, all)
}

func (p *Pass) deleteRuns(ctx context.Context, runs apply.Inventory) Outcome {
	if len(runs) == 0 {
		return next
	}
	changes, err := p.client().Prune(ctx, p.owner(), runs, apply.PruneOptions{Allow: p.Rules.Prune.Delete})
	dropped := map[apply.ID]bool{}
	for _, c := range changes {
		dropped[c.ID] = true
	}
	p.dropRuns(dropped)
	p.changed(changes)
	if err != nil && !errors.Is(err, context.Canceled) {
		return retry(err)
	}
	return again
}

// dropRuns keeps track of these objects no more.
func (p *Pass) dropRuns(ids map[apply.ID]bool) {
	saved := &p.target.held.saved
	if slices.ContainsFunc(saved.Hooks, func(h hookRun) bool { return ids[h.ID] }) {
		saved.Hooks = slices.DeleteFunc(slices.Clone(saved.Hooks), func(h hookRun) bool { return ids[h.ID] })
	}
}

// runPods are the pods that a hook failed by, or waits for, with what they said last.
func (s *site) runPods(ctx context.Context, of apply.ID) []record.Pod {
	limited, cancel := context.WithTimeout(ctx, wordsWithin)
	defer cancel()
	findings, err := rollout.DiagnoseRun(limited, s.rest, rollout.ID(of))
	if err != nil {
		s.log.Debug("Pods of a hook were not read", "object", of.String(), "err", err)
	}
	findings = findings[:min(len(findings), mostFailing)]
	if words, err := rollout.Logs(s.rest); err == nil {
		findings = rollout.Explain(limited, findings, words)
	}
	return podsOf(findings)
}

package reconciler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

// assessWave finds out, by a dry-run, which workloads a roll-back replaces the pods of in its one wave. Those that cannot be
// hurried are replaced as their manifests say, as they would be without stages; nothing of that keeps a roll-back.
func (p *Pass) assessWave(ctx context.Context) Outcome {
	state := p.target.held.saved.State
	objects, err := p.manifests(ctx)
	if err != nil {
		return retry(err)
	}
	objects = policies.Named(applied(objects), state.Versioned, state.Plain)
	p.hide(objects)
	if err := p.ensureNamespace(ctx); err != nil {
		return retry(err)
	}
	plan, err := p.client().Plan(ctx, apply.Request{
		Owner: p.owner(), Objects: objects, Inventory: p.target.held.saved.Inventory, Adopt: p.Rules.Adopt,
	})
	if err != nil {
		return p.settled(ctx, false, err)
	}
	if plan.Definitions {
		_, _, err := p.carryOut(ctx, plan, nil)
		return p.settled(ctx, true, err)
	}
	var found []policies.Staged
	for _, c := range plan.Changes {
		o := objectOf(objects, c.ID)
		if o == nil || !replacesPods(c) || c.ID.Kind == "DaemonSet" || wantsNone(c.ID, objects) || policies.Stageable(o, 2, policies.Surge) != "" {
			continue
		}
		staged, ready := p.stagedOf(c.ID, o)
		if !ready {
			return Outcome{Verdict: Wait, Reason: fmt.Sprintf("the pods of %s are not known yet", c.ID), After: time.Second}
		}
		if staged.Replicas > 0 && (isDeployment(c.ID) || p.mayEvict(ctx, c.ID) == nil) {
			found = append(found, staged)
		}
	}
	return p.assessedAs(found, state.Plain)
}

// rollsBack reports whether what Git asks for is a roll-back, by the saved state.
func (p *Pass) rollsBack() bool {
	state := p.target.held.saved.State
	plan := policies.Plan{Reach: p.Rules.Rollout.RollbackTo}
	return state.Leaves(plan, p.Wanted.Release) != (policies.Release{})
}

// despite follows a pin that moved back where sluice.yaml at the tip makes no sense: nothing new begins by its last valid
// rules, but roll-backs go on.
func (p *Pass) despite(ctx context.Context, out Outcome) Outcome {
	if out.Verdict != Next || !p.Rules.Follow.Pin || p.Allowed == nil || p.Wanted.Absent {
		return out
	}
	state, plan := p.target.held.saved.State, policies.Plan{Reach: p.Rules.Rollout.RollbackTo}
	if !slices.ContainsFunc(state.Sequence, func(proof policies.Proof) bool {
		return proof.Revision == p.Words.Revision && state.Leaves(plan, proof.Release) != policies.Release{}
	}) {
		return out
	}
	if err := p.follow(ctx); err != nil {
		return out // it is told why the files are refused
	}
	p.Despite = true
	return next
}

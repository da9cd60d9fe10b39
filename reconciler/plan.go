package reconciler

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

// plan asks the policies for the next state and the effects that are due.
func plan(ctx context.Context, p *Pass) Outcome {
	t, saved := p.target, &p.target.held.saved
	before := saved.State
	p.Wanted.Idle, p.Wanted.Canary = p.Allowed == nil, canaryOf(p.Rules)
	p.Wanted.TakesBack, p.Wanted.Adopts = p.Rules.Rollout.TakesBack(), p.Rules.Adopt
	p.Wanted.Reach = p.Rules.Rollout.RollbackTo
	if err := p.windows(ctx); err != nil {
		return retry(err)
	}
	p.Wanted.Soaks = p.soaks()
	if err := p.beforeHooks(ctx); err != nil {
		return retry(err)
	}
	var told []policies.Record
	saved.State, p.Effects, told = policies.Step(before, p.Wanted, p.Seen)
	if before.Assess != saved.State.Assess {
		t.assessed = assessment{}
	}
	if !before.Began.Equal(saved.State.Began) || t.ways.ready == nil {
		t.ways, t.words = newWays(), nil
	}
	t.rename()
	t.untold = append(t.untold, told...)
	if saved.State.Form == policies.Aborting && (!before.Back || before.Form == policies.Draining) {
		if err := p.gently(ctx, &saved.State); err != nil {
			return retry(err)
		}
	}
	if !saved.State.Applied && another(before, saved.State) {
		t.attempt = attempt{began: saved.State.Began}
	}
	saved.Stages, saved.Due = 0, time.Time{}
	if p.Wanted.Canary != nil && saved.State.At() > 0 {
		saved.Stages, saved.Due = len(p.Wanted.Canary.Steps), saved.State.Ends(p.Wanted)
	}
	if err := p.expect(ctx); err != nil {
		return retry(err)
	}
	p.givenUp(before)
	if err := p.expectHook(ctx); err != nil {
		return retry(err)
	}
	p.Urgent = p.urgent(ctx, before)
	return next
}

// expect notes in the inventory what is about to be written, so that it is saved before the first write.
func (p *Pass) expect(ctx context.Context) error {
	assess := slices.Contains(p.Effects, policies.Assess)
	if !assess && !slices.Contains(p.Effects, policies.Apply) {
		return nil
	}
	objects, err := p.sent(ctx)
	if err != nil {
		return err
	}
	if assess { // which writes definitions at most
		objects = slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return !apply.Defines(o) })
	}
	saved := &p.target.held.saved
	saved.Inventory = p.site.apply.Before(p.owner(), objects, saved.Inventory)
	return nil
}

// another reports whether other objects are due than before, or the same in another form: what became of the last apply
// says nothing of them.
func another(before, now policies.State) bool {
	return !before.Began.Equal(now.Began) || before.Applied || before.Assess != now.Assess || before.Form != now.Form ||
		before.Back != now.Back || before.Stage != now.Stage || !before.Split.Asked.Equal(now.Split.Asked) || before.Order != now.Order ||
		!slices.EqualFunc(before.Staged, now.Staged, func(a, b policies.Staged) bool { return a.Pods == b.Pods })
}

// soaks are how long other environments of the application wait for a release that is proven here, before it goes on to them.
func (p *Pass) soaks() (all []time.Duration) {
	if p.Place.app == nil {
		return nil
	}
	for _, env := range p.Place.app.Environments {
		if env.Promotion == nil || !slices.Contains(env.Promotion.From, p.Environment) {
			continue
		}
		if d := env.Promotion.When.HealthyFor.Std(); d > 0 && !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

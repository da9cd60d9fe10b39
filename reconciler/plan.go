package reconciler

import (
	"context"
	"slices"

	"github.com/sluice-cd/sluice/policies"
)

// plan asks the policies for the next state and the effects that are due.
func plan(_ context.Context, p *Pass) Outcome {
	t, saved := p.target, &p.target.held.saved
	before := saved.State
	saved.State, p.Effects, p.Told = policies.Step(before, p.Wanted, p.Seen)
	if saved.State.Began != before.Began && saved.State.Phase == policies.Progressing {
		t.applied, t.why, t.tries = policies.NotApplied, "", 0
		t.notBefore = p.Seen.Now
	}
	if slices.Contains(p.Effects, policies.Apply) && t.objects != nil {
		saved.Inventory = p.site.apply.Before(p.owner(), t.objects, saved.Inventory)
	}
	return next
}

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
	p.Told = append(t.moved, p.Told...)
	t.moved = nil
	if saved.State.Began != before.Began && saved.State.Phase == policies.Progressing {
		t.attempt = attempt{began: saved.State.Began}
	}
	writes := slices.Contains(p.Effects, policies.Apply) || slices.Contains(p.Effects, policies.Repair)
	if writes && t.objects != nil && t.release.Same(saved.State.Release) {
		saved.Inventory = p.site.apply.Before(p.owner(), t.objects, saved.Inventory)
	}
	return next
}

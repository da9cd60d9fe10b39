package reconciler

import (
	"context"
	"fmt"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// load reads the saved state when the agent does not remember it.
func (p *Pass) load(ctx context.Context) error {
	t := p.target
	if t.loaded {
		return nil
	}
	h, err := p.site.state(ctx, p.Key)
	if err != nil {
		return err
	}
	if h.fault != nil {
		p.log.Error("State could not be read and is made anew", "err", h.fault)
	}
	if h.saved.Version == 0 {
		if h.saved, err = p.rebuild(ctx); err != nil {
			return err
		}
	}
	t.untold, h.saved.Untold = append(h.saved.Untold, t.untold...), nil
	t.held, t.loaded = h, true
	t.secrets = t.secrets.hiding(h.saved.Generated)
	if t.audited.IsZero() {
		t.audited = p.agent.now().Add(-p.agent.spread(p.agent.config.Audit.Std()))
	}
	return nil
}

// takeLeft takes over what states under earlier names still track, and has them deleted once that is saved. The names may
// be learnt later than the state is loaded: a mirror's last tip may be older than the commit that says them. So they are
// asked for after the place, by which the pass is judged.
func (p *Pass) takeLeft(ctx context.Context) error {
	t := p.target
	for _, former := range p.agent.catalog.former(p.Key) {
		if p.agent.target(former).busy() {
			return fmt.Errorf("%s is still at work, which is %s now", former, p.Key)
		}
		left, err := p.site.leftBehind(ctx, former)
		if err != nil {
			return err
		}
		if left.Version != 0 {
			t.held.saved.Inventory = apply.Union(t.held.saved.Inventory, left.Inventory)
			t.held.saved.Hooks = append(t.held.saved.Hooks, left.Hooks...)
			t.held.saved.Generated = mergeGenerated(t.held.saved.Generated, left.Generated)
			t.former = append(t.former, left.Key)
		}
	}
	return nil
}

// rebuild makes the state anew when there is none: from the state of an earlier name, else from owner labels
// and notes, which for a new application say nothing.
func (p *Pass) rebuild(ctx context.Context) (Saved, error) {
	fresh := Saved{Version: savedVersion, Key: p.Key, Agent: p.agent.name, Cluster: p.site.uid}
	found, err := p.agent.catalog.find(p.Application)
	if err != nil {
		return fresh, err
	}
	fresh.Repository = found.source.repo.URL
	if !p.target.audited.IsZero() { // it had a state before: its newest lines are not among those that were read for others
		p.agent.notes.forget(found.source, p.Environment)
	}
	lines, err := p.agent.notes.of(ctx, found.source, p.Key)
	if err != nil {
		return fresh, fmt.Errorf("read notes to go on after: %w", err)
	}
	chain := record.Chain{Application: p.Application, Environment: p.Environment}
	fresh.Chain = chain.Resume(lines, p.agent.keyring(p.site)) // a lost state must not begin a second chain
	counting := record.Counting(lines, record.Verify(lines, p.agent.keyring(p.site)))
	of := record.Subject{Application: p.Application, Environment: p.Environment}
	fresh.State.Sequence, fresh.State.Quarantined = proofs(counting, of), quarantined(counting, of)
	names := []Key{p.Key}
	for _, former := range p.agent.catalog.former(p.Key) {
		if p.agent.target(former).busy() {
			return fresh, fmt.Errorf("%s is still at work, which is %s now", former, p.Key)
		}
		h, err := p.site.state(ctx, former)
		if err != nil {
			return fresh, err
		}
		if h.saved.Version != 0 && h.saved.Repository == fresh.Repository {
			return p.inherit(former, h.saved, fresh), nil
		}
		names = append(names, former)
	}
	for _, name := range names {
		inventory, hooks, err := p.site.owned(ctx, name)
		if err != nil {
			return fresh, fmt.Errorf("search objects that %s owns: %w", name, err)
		}
		fresh.Inventory, fresh.Hooks = apply.Union(fresh.Inventory, inventory), append(fresh.Hooks, hooks...)
	}
	return fresh, nil
}

// inherit goes on with the state of an earlier name. Its release is applied again, since the labels of its objects have
// the earlier name still, and is told under the present one.
func (p *Pass) inherit(former Key, state, fresh Saved) Saved {
	state.Key, state.Chain, state.Outbox.Closed = p.Key, fresh.Chain, nil
	state.State.Applied = false
	p.target.former = append(p.target.former, former)
	if phase := state.State.Phase; phase == policies.Healthy || phase == policies.Failed {
		p.target.untold = []policies.Record{{
			Phase: phase, Release: state.State.Release, Began: state.State.Began,
			Reason: fmt.Sprintf("%s is %s now", former, p.Key),
		}}
	}
	return state
}

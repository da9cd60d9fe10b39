package reconciler

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluice-cd/sluice/policies"
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
	if h.saved.Version == 0 {
		if h.saved, err = p.rebuild(ctx); err != nil {
			return err
		}
	}
	t.held, t.loaded = h, true
	t.audited = p.agent.now().Add(-p.agent.spread(p.agent.config.Audit.Std()))
	return nil
}

// rebuild makes the state anew when there is none: from the state of an earlier name, else from owner labels
// and notes, which for a new application say nothing.
func (p *Pass) rebuild(ctx context.Context) (Saved, error) {
	fresh := Saved{Version: savedVersion, Key: p.Key, Agent: p.agent.name, Cluster: p.site.uid}
	if found, err := p.agent.catalog.find(p.Application); err == nil {
		fresh.Repository = found.source.repo.URL
	}
	for _, former := range p.agent.catalog.former(p.Key) {
		h, err := p.site.state(ctx, former)
		if err != nil {
			return fresh, err
		}
		if h.saved.Version != 0 {
			moved := h.saved
			moved.Key, moved.State.Applied = p.Key, false // the labels of its objects name the earlier key still
			moved.Chain, err = p.chainFromNotes(ctx)
			p.target.former = append(p.target.former, former)
			return moved, err
		}
	}
	inventory, err := p.site.owned(ctx, p.Key)
	if err != nil {
		return fresh, fmt.Errorf("search objects that %s owns: %w", p.Key, err)
	}
	fresh.Inventory = inventory
	fresh.Chain, err = p.chainFromNotes(ctx)
	return fresh, err
}

// chainFromNotes goes on where the notes end, so that a lost state does not begin a second chain.
func (p *Pass) chainFromNotes(ctx context.Context) (record.Chain, error) {
	chain := record.Chain{Application: p.Application, Environment: p.Environment}
	found, err := p.agent.catalog.find(p.Application)
	if err != nil {
		return chain, err
	}
	lines, err := p.agent.notes(ctx, found.source, p.Environment)
	if err != nil {
		return chain, fmt.Errorf("read notes to go on after: %w", err)
	}
	return chain.Resume(lines, p.agent.keyring(p.site)), nil
}

// save writes the state before any of its effects is carried out, and with it the lines that it is told by.
func save(ctx context.Context, p *Pass) Outcome {
	if err := p.save(ctx); err != nil {
		if apierrors.IsConflict(err) || errors.Is(err, errForeignState) || apierrors.IsAlreadyExists(err) {
			p.target.loaded, p.target.made = false, nil
		}
		return retry(err)
	}
	p.Saved, p.Lines, p.target.made = true, p.target.made, nil
	return next
}

func (p *Pass) save(ctx context.Context) error {
	t, saved := p.target, &p.target.held.saved
	for _, r := range p.Told {
		if err := p.tell(r); err != nil {
			return err
		}
	}
	p.Told = nil
	obsolete, err := p.saveManifests(ctx)
	if err != nil {
		return err
	}
	t.ids = append(t.ids, t.takeConfirmed()...)
	now, err := encode(saved)
	if err != nil {
		return err
	}
	if bytes.Equal(now, t.held.bytes) {
		return nil // confirmed lines alone are not worth a request: Git takes them twice and keeps them once
	}
	saved.Outbox = saved.Outbox.Confirm(t.ids)
	if err := p.site.store.save(ctx, &t.held); err != nil {
		return err
	}
	t.ids = nil
	return p.forget(ctx, obsolete)
}

// forget deletes Secrets that the saved state names no more.
func (p *Pass) forget(ctx context.Context, names []string) error {
	for _, former := range p.target.former {
		names = append(names, StateName(former))
	}
	p.target.former = nil
	for _, name := range names {
		if err := p.site.store.forget(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// saveManifests writes the objects of a release that has just begun, and returns which Secrets are named no more.
func (p *Pass) saveManifests(ctx context.Context) ([]string, error) {
	t, saved := p.target, &p.target.held.saved
	release := saved.State.Release
	if release.Digest == "" || t.objects == nil || t.release.Digest != release.Digest {
		return nil, nil
	}
	before := append(slices.Clone(saved.Active), saved.Proven...)
	if t.savedDigest != release.Digest {
		names, err := p.site.store.saveManifests(ctx, p.Key, release.Digest, t.objects)
		if err != nil {
			return nil, err
		}
		saved.Active, t.savedDigest = names, release.Digest
	}
	if saved.State.Phase == policies.Healthy {
		saved.Proven = saved.Active
	}
	return slices.DeleteFunc(before, func(name string) bool {
		return slices.Contains(saved.Active, name) || slices.Contains(saved.Proven, name)
	}), nil
}

// tell signs a line for the outbox. It belongs to the state that it is saved with.
func (p *Pass) tell(r policies.Record) error {
	saved := &p.target.held.saved
	line := record.Line{
		Application: p.Application, Environment: p.Environment, Cluster: p.site.name, Agent: p.agent.name,
		Phase: record.Phase(r.Phase), Revision: r.Release.Revision, Trigger: r.Release.Trigger,
		Inputs: r.Release.Inputs, Digest: r.Release.Digest, Reason: p.target.secrets.mask(r.Reason), At: p.Seen.Now,
		Health: string(p.Seen.Health), Evidence: p.evidence(r),
	}
	if line.Revision == "" {
		return nil // nothing in Git to hang it on; the status says it
	}
	made, chain, err := p.site.maker.Make(saved.Chain.WithKey(p.site.maker.Signer.KeyID()), line)
	if err != nil {
		return fmt.Errorf("make note line: %w", err)
	}
	saved.Chain, saved.Outbox = chain, saved.Outbox.Add(made)
	p.target.made = append(p.target.made, made)
	return nil
}

func (p *Pass) evidence(r policies.Record) record.Evidence {
	e := record.Evidence{Changes: p.target.changes}
	if !r.Began.IsZero() {
		e.Seconds = p.Seen.Now.Sub(r.Began).Round(time.Millisecond).Seconds()
	}
	for _, o := range p.NotWell {
		e.NotWell = append(e.NotWell, record.Object{Object: o.Object, Health: string(o.Health), Reason: p.target.secrets.mask(o.Reason)})
	}
	return e
}

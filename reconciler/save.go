package reconciler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// save writes the state before any of its effects is carried out, and with it the lines that it is told by.
func save(ctx context.Context, p *Pass) Outcome {
	if err := p.save(ctx); err != nil {
		if apierrors.IsConflict(err) || errors.Is(err, errForeignState) || apierrors.IsAlreadyExists(err) {
			p.target.unload()
		}
		return retry(err)
	}
	return next
}

func (p *Pass) save(ctx context.Context) error {
	t, saved := p.target, &p.target.held.saved
	if len(p.Urgent) > 0 {
		if err := p.hasten(ctx); err != nil {
			return err
		}
	}
	for len(t.untold) > 0 {
		if err := p.tell(ctx, t.untold[0]); err != nil {
			return err
		}
		t.untold = t.untold[1:]
	}
	if err := p.mend(ctx); err != nil {
		return err
	}
	if !t.attempt.began.Equal(saved.State.Began) || t.attempt.result == policies.NotApplied {
		t.changes = record.Changes{} // those told so far were another release's
	}
	obsolete, err := p.saveManifests(ctx)
	if err != nil {
		return err
	}
	t.ids = append(t.ids, t.takeConfirmed()...)
	if fired := t.takeFired(); fired != nil {
		saved.Fired = *fired
	}
	_, changed, err := t.held.plain()
	if err != nil {
		return err
	}
	if changed { // confirmed lines alone are not worth a request: Git takes them twice and keeps them once
		saved.Outbox = saved.Outbox.Confirm(t.ids)
		if err := p.site.store.save(ctx, &t.held); err != nil {
			return err
		}
		p.saved()
	}
	return p.forget(ctx, obsolete)
}

// saved notes that everything in the state can be told now.
func (p *Pass) saved() {
	t := p.target
	for _, id := range t.ids {
		delete(t.handed, id)
	}
	t.ids = nil
	p.Lines = append(p.Lines, t.unsaid...)
	t.unsaid = nil
}

// forget deletes Secrets that the saved state names no more.
func (p *Pass) forget(ctx context.Context, names []string) error {
	for _, name := range names {
		if err := p.site.store.forget(ctx, name); err != nil {
			return err
		}
	}
	for len(p.target.former) > 0 {
		if err := p.site.store.forget(ctx, StateName(p.target.former[0])); err != nil {
			return err
		}
		p.target.former = p.target.former[1:]
	}
	return nil
}

// saveManifests writes the objects of a release that has just begun, and returns which Secrets are named no more.
func (p *Pass) saveManifests(ctx context.Context) ([]string, error) {
	t, saved := p.target, &p.target.held.saved
	release, before := saved.State.Release, append(slices.Clone(saved.Active), saved.Proven...)
	key := p.manifestsKey(release)
	switch {
	case saved.State.Phase == "": // all of it was deleted
		saved.Active, saved.Proven = nil, nil
	case release.Digest == "" || t.objects == nil || t.release.Digest != release.Digest:
	case !slices.Contains(saved.Active, manifestsName(p.Key, key, 0)):
		names, err := p.site.store.saveManifests(ctx, p.Key, key, t.objects, len(t.generated) > 0)
		if err != nil {
			return nil, err
		}
		saved.Active = names
	}
	if saved.State.Phase == policies.Healthy && slices.Contains(saved.Active, manifestsName(p.Key, key, 0)) {
		saved.Proven = saved.Active
	}
	return slices.DeleteFunc(before, func(name string) bool {
		return slices.Contains(saved.Active, name) || slices.Contains(saved.Proven, name)
	}), nil
}

// manifestsKey names the manifests of a release: what shapes them beside its digest counts too.
func (p *Pass) manifestsKey(release policies.Release) string {
	if !p.target.held.saved.State.Versioned && len(p.Rules.Drift.Leave) == 0 {
		return release.Digest
	}
	shaped := fmt.Appendf(nil, "%s %v %v", release.Digest, p.target.held.saved.State.Versioned, p.Rules.Drift.Leave)
	if plain := p.target.held.saved.State.Plain; len(plain) > 0 {
		shaped = fmt.Appendf(shaped, " %v", plain)
	}
	sum := sha256.Sum256(shaped)
	return hex.EncodeToString(sum[:])
}

// tell signs a line for the outbox. It belongs to the state that it is saved with.
func (p *Pass) tell(ctx context.Context, r policies.Record) error {
	t, saved := p.target, &p.target.held.saved
	line := record.Line{
		Application: p.Application, Environment: p.Environment, Cluster: p.site.name, Agent: p.agent.name,
		Phase: r.Phase, Revision: r.Release.Revision, Trigger: r.Release.Trigger,
		Inputs: r.Release.Inputs, Digest: r.Release.Digest, Reason: t.secrets.mask(r.Reason), At: p.Seen.Now,
		Health: string(p.Seen.Health), Evidence: p.evidence(ctx, r),
	}
	if line.Revision == "" {
		return nil // nothing in Git to hang it on; the status says it
	}
	maker := p.site.maker
	maker.Mask = t.secrets.mask
	made, chain, err := maker.Make(saved.Chain.WithKey(maker.Signer.KeyID()), line)
	if err != nil {
		return fmt.Errorf("make note line: %w", err)
	}
	saved.Chain, t.unsaid = chain, append(t.unsaid, made)
	p.post(made)
	return nil
}

// mostWaiting bounds the lines that wait for a repository that takes none: some 100 kB of a Secret's 1 MiB.
const mostWaiting = 100

// post puts a line into the outbox, unless nobody ever takes it out. The oldest give way.
func (p *Pass) post(line record.Line) {
	if p.Place.source != nil && !p.Place.source.notes() {
		return
	}
	box := p.target.held.saved.Outbox.Add(line)
	box.Waiting = box.Waiting[max(0, len(box.Waiting)-mostWaiting):]
	p.target.held.saved.Outbox = box
}

// evidence is what a line rests on. A revision that no release was made of has none.
func (p *Pass) evidence(ctx context.Context, r policies.Record) record.Evidence {
	if r.Phase == policies.Blocked {
		return record.Evidence{}
	}
	e := record.Evidence{Changes: p.target.changes}
	if !r.Began.IsZero() {
		e.Seconds = p.Seen.Now.Sub(r.Began).Round(time.Millisecond).Seconds()
	}
	e.Soaked = r.Soaked.Seconds()
	for _, m := range r.Measured {
		e.Measured = append(e.Measured, record.Measured{
			Analysis: m.Analysis, Samples: m.Taken, Good: m.Good, Bad: m.Bad, Last: p.target.secrets.mask(m.Says),
		})
	}
	for _, o := range p.NotWell {
		e.NotWell = append(e.NotWell, record.Object{Object: o.Object, Health: string(o.Health), Reason: p.target.secrets.mask(o.Reason)})
	}
	e.Stage = p.stage(r.Release)
	if e.Stage.Number == 1 && r.Phase == policies.Progressing {
		e.Warnings = p.warnings(ctx)
	}
	if r.Phase == policies.Healthy && r.Release.Same(p.target.release) {
		e.Warnings = append(e.Warnings, p.target.warned...)
	}
	if len(p.HookPods) > 0 && (r.Phase == policies.Failed || r.Phase == policies.Holding) {
		e.Pods = p.HookPods
		return e
	}
	if r.Phase == policies.Failed && !r.Began.IsZero() {
		if p.Failing == nil {
			p.Failing = p.listen(ctx, p.failing())
		}
		e.Pods = append(p.measured(r), podsOf(p.Failing)...)
	}
	return e
}

package reconciler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// foreignLook is how often an environment of another agent is looked at again.
const foreignLook = time.Minute

// choose finds out which revision the environment is to be at, and by whose rules. What cannot be chosen is
// a refusal: nothing new starts, and what runs is looked after as before.
func choose(ctx context.Context, p *Pass) Outcome {
	if heir, ok := p.agent.catalog.heir(p.Key); ok {
		p.followPods(nil)
		p.target.unload()
		p.target.rendering = rendering{}
		return Outcome{Verdict: Wait, Reason: fmt.Sprintf("it is %s now", heir)}
	}
	if err := p.load(ctx); err != nil {
		if errors.Is(err, errForeignState) {
			return Outcome{Verdict: Stall, Reason: err.Error(), After: foreignLook, Err: err}
		}
		return retry(err)
	}
	p.target.mu.Lock()
	p.target.basis = basis{}
	p.target.mu.Unlock()
	found, err := p.agent.catalog.find(p.Application)
	if errors.Is(err, errGone) {
		return p.withoutGit()
	}
	if err != nil {
		return p.refuse("", "", err) // a clash of names: nobody is looked after
	}
	p.Place = found
	if err := p.takeLeft(ctx); err != nil {
		return retry(err)
	}
	p.look()
	p.heed(ctx)
	p.target.held.saved.Repository = found.source.repo.URL
	if err := p.settle(); err != nil {
		return p.despite(ctx, p.refuseFiles(err))
	}
	if p.Gone != "" || p.Rules.State == config.Absent {
		p.Wanted.Absent = p.Gone == ""
		if !p.know(func(b *basis) { b.settled = true }) {
			return superseded
		}
		return next
	}
	if err := p.follow(ctx); err != nil {
		if passing(ctx, err) {
			return retry(err)
		}
		trigger := p.filesTrigger()
		return p.refuse(trigger, trigger, err)
	}
	return next
}

// passing reports whether an error says nothing of what Git has.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, gitsource.ErrBroken) || errors.Is(err, gitsource.ErrUnavailable)
}

// settle finds the rules, what agent.yaml permits, and the words of people. After an error as much of it is in force as
// was valid before.
func (p *Pass) settle() error {
	faults := p.rules()
	if err := p.permit(); err != nil {
		return errors.Join(faults, err)
	}
	return errors.Join(faults, p.words())
}

// permit finds what agent.yaml permits. The namespace counts as much as those of the objects: the service account is
// looked for there.
func (p *Pass) permit() error {
	if p.Rules.Name == "" {
		return nil // no rules at all, which is an error already
	}
	allowed, ok := p.agent.config.Permission(p.Application, p.Environment)
	if !ok {
		return fmt.Errorf("agent.yaml permits application %q nothing in environment %q: add it under permissions", p.Application, p.Environment)
	}
	if !p.agent.config.MayTouch(allowed, p.Rules.Namespace) {
		return fmt.Errorf("environments[%s].namespace: namespace %q is not among the namespaces of the application's permission in agent.yaml", p.Environment, p.Rules.Namespace)
	}
	p.Allowed = allowed
	return nil
}

// words reads the release file at the tip; where it is faulty, the last valid words are in force.
func (p *Pass) words() error {
	words, err := p.Place.words(p.Application, p.Environment, p.Rules.Was)
	if err != nil {
		tree := p.Place.ledger.tree
		dir := p.Place.releaseDir(tree, p.Application)
		older(p.Place.source.ledger.git, tree.Revision(), func(then *gitsource.Tree) bool {
			var faults error
			words, _, faults = config.LoadRelease(then, dir, p.Environment, p.Rules.Was)
			return faults == nil
		})
	}
	p.Words = words
	p.Wanted.Paused = words.Paused || p.Rules.State == config.Paused
	p.Wanted.PruneLimit = int(p.Rules.Prune.Limit)
	p.Wanted.Repair = p.Allowed != nil && p.Rules.Drift.Mode == config.RepairDrift
	if words.Approved != nil {
		p.Wanted.Approved = policies.Approval{Revision: words.Approved.Revision, Stage: words.Approved.Stage}
	}
	if words.Prune != nil {
		p.Wanted.Permit = words.Prune.Revision
	}
	return errors.Join(p.Place.misplaced(p.Application, p.Environment, p.Rules.Was), err)
}

// follow finds the revision, its tree and the environment's source in it.
func (p *Pass) follow(ctx context.Context) error {
	git := p.Place.source.git
	revision, err := p.followed(ctx)
	if err != nil {
		return err
	}
	proven, err := p.provenFirst(ctx)
	if err != nil {
		return err
	}
	if proven != "" {
		revision, p.Anew = proven, true
	}
	if back := p.toldRevision(); back != "" {
		revision = back
	}
	p.Revision = revision
	if revision == p.Place.snap.tip {
		p.Tree, p.Dir, p.Source = p.Place.snap.tree, p.Place.dir, p.Rules.Source
		return nil
	}
	if p.Tree, err = git.Tree(revision); err != nil {
		return err
	}
	if p.Dir, err = config.Locate(p.Tree, p.Application, p.Place.dir, p.Place.source.repo, p.Place.app.Was...); err != nil {
		return fmt.Errorf("revision %s: %w", revision, err)
	}
	if p.Source, err = config.LoadSource(p.Tree, p.Dir, p.Environment, p.Rules.Was...); err != nil {
		return fmt.Errorf("revision %s: %w", revision, err)
	}
	return nil
}

// provenFirst is the proven release that the notes name, where releases are taken back and the state knows of none: what Git
// asks for may have been in the middle of its stages when the state was lost, or the cluster. Empty: Git is followed.
func (p *Pass) provenFirst(ctx context.Context) (string, error) {
	state := p.target.held.saved.State
	if !p.Rules.Rollout.TakesBack() || state.Proven != (policies.Release{}) {
		return "", nil
	}
	if state.Phase != "" && state.Phase != policies.Progressing {
		return "", nil
	}
	lines, err := p.agent.notes.of(ctx, p.Place.source, p.Key)
	if err != nil {
		return "", fmt.Errorf("read notes to begin from the proven release: %w: %w", gitsource.ErrUnavailable, err)
	}
	counting := record.Counting(lines, record.Verify(lines, p.agent.keyring(p.site)))
	proven := record.Proven(counting, record.Subject{Application: p.Application, Environment: p.Environment})
	if len(proven) == 0 || state.Phase != "" && state.Release.Revision != proven[0].Revision {
		return "", nil
	}
	if _, err := p.Place.source.git.Tree(proven[0].Revision); err != nil {
		return "", nil //nolint:nilerr // a revision that is gone cannot be begun from
	}
	return proven[0].Revision, nil
}

// refuse notes why nothing new may start, and lets the pass go on with what runs.
func (p *Pass) refuse(revision, trigger string, err error) Outcome {
	p.Wanted.Refused = policies.Refusal{Revision: revision, Trigger: trigger, Reason: err.Error()}
	return next
}

// refuseFiles refuses what sluice.yaml and the release file say. The commit that brought them is told, once.
func (p *Pass) refuseFiles(err error) Outcome {
	if p.know(func(b *basis) { b.settled = true }) {
		trigger := p.filesTrigger()
		p.refuse(trigger, trigger, err)
		p.Wanted.Absent = p.Allowed != nil && p.Rules.State == config.Absent
		return next
	}
	return superseded
}

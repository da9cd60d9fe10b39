package reconciler

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// choose finds out which revision the environment is to be at, and by whose rules. What cannot be chosen is
// a refusal: nothing new starts, and what runs is looked after as before.
func choose(ctx context.Context, p *Pass) Outcome {
	if err := p.load(ctx); err != nil {
		if errors.Is(err, errForeignState) {
			return stall(err)
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
		return p.refuse("", err)
	}
	p.Place = found
	if err := p.rules(); err != nil {
		return p.refuse(found.snap.tip, err)
	}
	if err := p.words(); err != nil {
		return p.refuse(found.snap.tip, err)
	}
	if p.Rules.State == config.Absent {
		p.Wanted.Absent = true
		return next
	}
	if err := p.follow(ctx); err != nil {
		return p.refuse(found.snap.tip, err)
	}
	p.basis()
	return next
}

// rules takes the environment's block at the tip, or where that is faulty the last valid one.
func (p *Pass) rules() error {
	faults := p.Place.faults.For(p.Environment)
	if env, ok := p.Place.app.Environment(p.Environment); ok && len(faults) == 0 {
		p.Rules = *env
		p.keepRules(env)
		return nil
	}
	last, err := p.lastRules()
	if err != nil {
		return err
	}
	p.Rules = *last
	p.Wanted.Refused = policies.Refusal{Revision: p.Place.snap.tip, Trigger: p.Place.snap.tip, Reason: faults.Error()}
	return nil
}

// keepRules remembers valid rules; the saved state names another revision only when they are others.
func (p *Pass) keepRules(env *config.Environment) {
	t, saved := p.target, &p.target.held.saved
	if t.rules == nil && saved.Rules != "" {
		if last, err := p.lastRules(); err == nil {
			t.rules = last
		}
	}
	if t.rules == nil || saved.Rules == "" || !reflect.DeepEqual(*t.rules, *env) {
		saved.Rules = p.Place.snap.tip
		t.notBefore = time.Time{} // what was refused may be allowed now, by adopt for one
	}
	t.rules = env
}

// lastRules are those of the revision in the saved state.
func (p *Pass) lastRules() (*config.Environment, error) {
	if p.target.rules != nil {
		return p.target.rules, nil
	}
	faults := p.Place.faults.For(p.Environment)
	revision := p.target.held.saved.Rules
	if revision == "" {
		return nil, faults
	}
	tree, err := p.Place.source.git.Tree(revision)
	if err != nil {
		return nil, fmt.Errorf("%w; the last valid rules, of %s, are not to be had: %w", faults, revision, err)
	}
	dir, err := config.Locate(tree, p.Application, p.Place.dir, p.Place.source.repo)
	if err != nil {
		return nil, fmt.Errorf("%w; the last valid rules, of %s: %w", faults, revision, err)
	}
	app, then := config.Load(tree, dir)
	if len(then.For(p.Environment)) > 0 {
		return nil, fmt.Errorf("%w; the last valid rules, of %s: %w", faults, revision, then.For(p.Environment))
	}
	env, ok := app.Environment(p.Environment)
	if !ok {
		return nil, fmt.Errorf("%w; revision %s has no environment %q", faults, revision, p.Environment)
	}
	p.target.rules = env
	return env, nil
}

// words reads the release file at the tip and what agent.yaml permits.
func (p *Pass) words() error {
	words, _, err := config.LoadRelease(p.Place.snap.tree, p.Place.dir, p.Environment, p.Rules.Was)
	if err != nil {
		return err
	}
	p.Words = words
	p.Wanted.Paused = words.Paused || p.Rules.State == config.Paused
	p.Wanted.PruneLimit = int(p.Rules.Prune.Limit)
	p.Wanted.Repair = p.Rules.Drift.Mode == config.RepairDrift
	if words.Prune != nil {
		p.Wanted.Permit = words.Prune.Revision
	}
	allowed, ok := p.agent.config.Permission(p.Application, p.Environment)
	if !ok {
		return fmt.Errorf("agent.yaml permits application %q nothing in environment %q: add it under permissions", p.Application, p.Environment)
	}
	p.Allowed = allowed
	return nil
}

// follow finds the revision, its tree and the environment's source in it.
func (p *Pass) follow(ctx context.Context) error {
	git := p.Place.source.git
	revision, err := p.followed(ctx)
	if err != nil {
		return err
	}
	p.Revision = revision
	if revision == p.Place.snap.tip && p.Wanted.Refused == (policies.Refusal{}) {
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

func (p *Pass) followed(ctx context.Context) (string, error) {
	if !p.Rules.Follow.Pin {
		return p.Place.snap.follow(p.Rules.Follow)
	}
	file := config.ReleasePath(p.Environment)
	pin := p.Words.Revision
	if pin == "" {
		return "", fmt.Errorf("%s: revision: is not set, and the environment follows its pin", file)
	}
	known, err := p.Place.source.git.IsAncestor(ctx, pin, p.Place.snap.tip)
	if err != nil {
		return "", fmt.Errorf("%s: revision: %w", file, err)
	}
	if !known {
		return "", fmt.Errorf("%s: revision: %s is not in the history of branch %q", file, pin, p.Place.source.repo.Branch)
	}
	return pin, nil
}

// refuse notes why nothing new may start, and lets the pass go on with what runs.
func (p *Pass) refuse(revision string, err error) Outcome {
	p.Wanted.Refused = policies.Refusal{Revision: revision, Trigger: revision, Reason: err.Error()}
	return next
}

// withoutGit goes on with what runs while Git does not say anything of the application.
func (p *Pass) withoutGit() Outcome {
	if p.target.rules == nil {
		return Outcome{Verdict: Wait, Reason: errGone.Error()}
	}
	p.Rules = *p.target.rules
	return next
}

// basis notes what the choice depended on, so that a later commit that changes none of it wakes nobody.
func (p *Pass) basis() {
	p.target.mu.Lock()
	defer p.target.mu.Unlock()
	p.target.basis = basis{
		dir:      p.Place.dir,
		file:     object(p.Place.snap, p.Place.dir, "sluice.yaml"),
		release:  object(p.Place.snap, p.Place.dir, config.ReleasePath(p.Environment)),
		revision: p.Revision,
		tip:      p.Rules.Follow.Tip(),
	}
}

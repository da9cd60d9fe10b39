package reconciler

import (
	"reflect"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// rules takes the environment's block at the tip, or where that is faulty the last valid one, which is an error. One that
// was taken out of the file is looked after by its last rules.
func (p *Pass) rules() error {
	faults := p.Place.faults.For(p.Environment)
	if env, ok := p.Place.app.Environment(p.Environment); ok && len(faults) == 0 {
		p.Rules = *env
		p.keepRules(env)
		return nil
	}
	if len(faults) == 0 {
		p.Gone = "the environment is not in sluice.yaml any more; what runs stays"
	}
	if last := p.lastRules(); last != nil {
		p.Rules = *last
	}
	return faults.Err()
}

// keepRules remembers valid rules; the saved state names another revision only when they are others.
func (p *Pass) keepRules(env *config.Environment) {
	t, saved := p.target, &p.target.held.saved
	if t.rules == nil {
		t.rules = p.rulesAt(saved.Rules)
	}
	if t.rules == nil || saved.Rules == "" || !reflect.DeepEqual(*t.rules, *env) {
		saved.Rules = p.Place.snap.tip
		t.attempt.notBefore = time.Time{} // what was refused may be allowed now, by adopt for one
	}
	if t.rules != nil && !reflect.DeepEqual(t.rules.Drift.Leave, env.Drift.Leave) {
		// Other fields are sent: what was applied before does not count.
		t.rendering, t.attempt, saved.State.Applied = rendering{secrets: t.secrets}, attempt{}, false
	}
	t.rules = env
}

// lastRules are those of the revision in the saved state, or of the newest commit with valid ones where there is no such
// state; nil where there were never any.
func (p *Pass) lastRules() *config.Environment {
	t := p.target
	if t.rules == nil {
		t.rules = p.rulesAt(t.held.saved.Rules)
	}
	if t.rules == nil && p.Place.dir != "" {
		older(p.Place.source.git, p.Place.snap.tip, func(then *gitsource.Tree) bool {
			t.rules = p.validRules(then, p.Place.dir)
			return t.rules != nil
		})
	}
	return t.rules
}

// rulesAt are the environment's rules at a revision; nil where they are not to be had.
func (p *Pass) rulesAt(revision string) *config.Environment {
	if revision == "" {
		return nil
	}
	tree, err := p.Place.source.git.Tree(revision)
	if err != nil {
		return nil
	}
	dir, err := config.Locate(tree, p.Application, p.Place.dir, p.Place.source.repo)
	if err != nil {
		return nil
	}
	return p.validRules(tree, dir)
}

func (p *Pass) validRules(tree *gitsource.Tree, dir string) *config.Environment {
	app, faults := config.Load(tree, dir)
	if app == nil || app.Metadata.Name != p.Application || len(faults.For(p.Environment)) > 0 {
		return nil
	}
	env, ok := app.Environment(p.Environment)
	if !ok {
		return nil
	}
	return env
}

// withoutGit goes on with what runs while Git does not say anything of the application: by the rules that it left, in the
// repository that the saved state names.
func (p *Pass) withoutGit() Outcome {
	p.Gone = errGone.Error() + "; what runs stays"
	said, ok := p.agent.catalog.by(p.target.held.saved.Repository)
	if !ok {
		return Outcome{Verdict: Wait, Reason: p.Gone}
	}
	p.Place = said
	last := p.lastRules()
	if last == nil {
		return Outcome{Verdict: Wait, Reason: p.Gone}
	}
	p.Rules = *last
	if err := p.permit(); err != nil {
		return Outcome{Verdict: Wait, Reason: p.Gone + "; " + err.Error()}
	}
	p.wordsLeft()
	return next
}

// wordsLeft are the words of the release file that went with the application: those of the last commit that had it.
func (p *Pass) wordsLeft() {
	git := p.Place.source.git
	tree, err := git.Tree(p.target.held.saved.Rules)
	if err != nil {
		return
	}
	dir, err := config.Locate(tree, p.Application, "", p.Place.source.repo)
	if err != nil {
		return
	}
	older(git, p.Place.snap.tip, func(then *gitsource.Tree) bool {
		if objectAt(then, dir, config.FileName) == "" {
			return false
		}
		tree = then
		return true
	})
	left := *p.Place.snap
	left.tree = tree
	if !p.Place.apart() {
		p.Place.ledger = &left
	}
	p.Place.snap, p.Place.dir = &left, dir
	_ = p.words() //nolint:errcheck // what the last valid words are does not depend on it
}

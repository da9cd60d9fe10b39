package reconciler

import (
	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// trigger is the commit that brought the release: the newest on the way back along first parents that
// changed, against its own first parent, the pin or, without one, the inputs; or the value of retry.
func (p *Pass) trigger(release policies.Release, req render.Request) string {
	saved, last := p.target.held.saved.State.Release, p.target.walk
	known := func(revision string) string {
		switch {
		case last.release.Same(release) && last.from == revision:
			return last.trigger
		case saved.Same(release) && (revision == saved.Revision || revision == saved.Trigger):
			return saved.Trigger
		}
		return ""
	}
	git, from, same := p.Place.source.ledger.git, p.Place.ledger.tip, p.sameWords
	switch {
	case p.Rules.Follow.Tip() && !p.Place.apart():
		same = func(then *gitsource.Tree) bool { return p.sameWords(then) && p.sameInputs(then, req) }
	case !p.Rules.Follow.Pin:
		return p.triggerElsewhere(release, req)
	}
	trigger, whole := brought(git, from, known, same)
	if !whole && saved.Same(release) && saved.Trigger != "" {
		trigger = saved.Trigger // older than the walk goes
	}
	p.target.walk = walked{release: release, from: from, trigger: trigger}
	return trigger
}

// triggerElsewhere is the trigger where the release file is not on the branch that is followed: the inputs are of the one, the
// value of retry of the other, and the newer of the two counts.
func (p *Pass) triggerElsewhere(release policies.Release, req render.Request) string {
	saved, last := p.target.held.saved.State.Release, p.target.walk
	known := func(revision string) string {
		if last.release.Same(release) && last.from == revision {
			return last.trigger
		}
		return ""
	}
	inputs, whole := brought(p.Place.source.git, p.Revision, known, func(then *gitsource.Tree) bool { return p.sameInputs(then, req) })
	if !whole && saved.Same(release) && saved.Trigger != "" {
		return saved.Trigger
	}
	p.target.walk = walked{release: release, from: p.Revision, trigger: inputs}
	if p.Words.Retry == 0 {
		return inputs
	}
	retry, _ := brought(p.Place.source.ledger.git, p.Place.ledger.tip, nothingKnown, func(then *gitsource.Tree) bool {
		return p.wordsAt(then).Retry == p.Words.Retry
	})
	return p.newer(inputs, retry)
}

// newer is the younger one of a commit of the code and one of where the release files are, by the times that they say. Of one
// second the latter: somebody who tries again must not be overheard, and what is new in the code is known by its inputs too.
func (p *Pass) newer(code, words string) string {
	a, errA := p.Place.source.git.Commit(code)
	b, errB := p.Place.source.ledger.git.Commit(words)
	if errA == nil && errB == nil && !b.Time.Before(a.Time) {
		return words
	}
	return code
}

// filesTrigger is the commit that brought sluice.yaml and the release file as they are.
func (p *Pass) filesTrigger() string {
	p.target.mu.Lock()
	b := p.target.basis
	p.target.mu.Unlock()
	refused := p.target.held.saved.State.Refused
	known := func(revision string) string {
		if revision == refused.Trigger {
			return revision
		}
		return ""
	}
	whence := func(git *gitsource.Repository, now *gitsource.Tree, dir string) string {
		files := filesAt(now, dir, b.names)
		trigger, _ := brought(git, now.Revision(), known, func(then *gitsource.Tree) bool { return filesAt(then, dir, b.names) == files })
		return trigger
	}
	at := p.Place
	trigger := whence(at.source.git, at.snap.tree, b.dir)
	if dir := at.releaseDir(at.ledger.tree, p.Application); at.apart() && objectAt(at.ledger.tree, dir, ".") != "" {
		trigger = p.newer(trigger, whence(at.source.ledger.git, at.ledger.tree, dir))
	}
	return trigger
}

// sameWords reports whether the release file had the same pin and the same retry at an older commit.
func (p *Pass) sameWords(then *gitsource.Tree) bool {
	words := p.wordsAt(then)
	return words.Retry == p.Words.Retry && (!p.Rules.Follow.Pin || words.Revision == p.Words.Revision)
}

// wordsAt is the release file at an older commit; nothing where it made no sense. A folder that was moved is looked for.
func (p *Pass) wordsAt(then *gitsource.Tree) config.Release {
	now := p.Place.ledger.tree
	dir := p.Place.releaseDir(then, p.Application)
	names := append([]string{p.Environment}, p.Rules.Was...)
	same := dir == p.Place.releaseDir(now, p.Application)
	for _, name := range names {
		same = same && objectAt(then, dir, config.ReleasePath(name)) == objectAt(now, dir, config.ReleasePath(name))
	}
	if same {
		return p.Words
	}
	words, _, err := config.LoadRelease(then, dir, p.Environment, p.Rules.Was)
	if err != nil {
		return config.Release{}
	}
	return words
}

// sameInputs reports whether the last render would have been the same at an older commit.
func (p *Pass) sameInputs(then *gitsource.Tree, req render.Request) bool {
	file := objectAt(then, p.Dir, config.FileName)
	if file == "" {
		return false
	}
	if file != objectAt(p.Tree, p.Dir, config.FileName) && !p.shape(then, &req) {
		return false
	}
	return p.target.trace.Holds(p.over(then), req)
}

// shape makes a request what it would have been by the sluice.yaml of an older commit. What comes from the revision is
// the source alone, unless the tip is followed: then the rules were that commit's too.
func (p *Pass) shape(then *gitsource.Tree, req *render.Request) bool {
	if !p.Rules.Follow.Tip() {
		source, err := config.LoadSource(then, p.Dir, p.Environment, p.Rules.Was...)
		req.Source = source
		return err == nil
	}
	app, faults := config.Load(then, p.Dir)
	if app == nil || len(faults.For(p.Environment)) > 0 {
		return false
	}
	env, ok := app.Environment(p.Environment)
	if !ok {
		return false
	}
	req.Source, req.Namespace, req.Labels, req.Annotations = env.Source, env.Namespace, env.Labels, env.Annotations
	return true
}

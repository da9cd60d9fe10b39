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
	git, from, same := p.Place.source.git, p.Place.snap.tip, p.sameWords
	switch {
	case p.Rules.Follow.Tip():
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

// triggerElsewhere is the trigger where another branch or tags are followed: the inputs are theirs, the value of retry is
// the polled branch's, and the newer of the two counts.
func (p *Pass) triggerElsewhere(release policies.Release, req render.Request) string {
	git, saved := p.Place.source.git, p.target.held.saved.State.Release
	inputs, whole := brought(git, p.Revision, nothingKnown, func(then *gitsource.Tree) bool { return p.sameInputs(then, req) })
	if !whole && saved.Same(release) && saved.Trigger != "" {
		return saved.Trigger
	}
	if p.Words.Retry == 0 {
		return inputs
	}
	retry, _ := brought(git, p.Place.snap.tip, nothingKnown, func(then *gitsource.Tree) bool { return p.wordsAt(then).Retry == p.Words.Retry })
	a, errA := git.Commit(inputs)
	b, errB := git.Commit(retry)
	if errA == nil && errB == nil && b.Time.After(a.Time) {
		return retry
	}
	return inputs
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
	trigger, _ := brought(p.Place.source.git, p.Place.snap.tip, known, func(then *gitsource.Tree) bool {
		return filesAt(then, b.dir, b.names) == b.files
	})
	return trigger
}

// sameWords reports whether the release file had the same pin and the same retry at an older commit.
func (p *Pass) sameWords(then *gitsource.Tree) bool {
	words := p.wordsAt(then)
	return words.Retry == p.Words.Retry && (!p.Rules.Follow.Pin || words.Revision == p.Words.Revision)
}

// wordsAt is the release file at an older commit; nothing where it made no sense. A folder that was moved is looked for.
func (p *Pass) wordsAt(then *gitsource.Tree) config.Release {
	now, dir := p.Place.snap.tree, p.Place.dir
	names := append([]string{p.Environment}, p.Rules.Was...)
	if objectAt(then, dir, config.FileName) == "" {
		if moved, err := config.Locate(then, p.Application, dir, p.Place.source.repo, p.Place.app.Was...); err == nil {
			dir = moved
		}
	}
	same := dir == p.Place.dir
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
	return p.target.trace.Holds(then, req)
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

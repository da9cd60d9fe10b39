package reconciler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// keeping has a promotion looked at, by the keeper of its environment.
type keeping func(context.Context, *promote.Keeper, promote.Subject) (promote.Outcome, error)

// look looks at one environment. fresh: something moved; reverting: there is a request to go back.
func (p *promoter) look(ctx context.Context, key Key, at place, env config.Environment, fresh, reverting bool, keep keeping) (promote.Outcome, error) {
	a := p.agent
	served, _ := a.config.Serves(key.Environment)
	s := a.sites[served.Cluster]
	status, fired := a.status.get(key), p.seen[key].fired
	if fired.At.IsZero() { // this process begins
		fired = status.fired
	}
	words, err := at.words(key.Application, key.Environment, env.Was)
	if err = errors.Join(at.misplaced(key.Application, key.Environment, env.Was), err); err != nil {
		return promote.Outcome{Fired: fired}, brokenError{err}
	}
	if words.Paused {
		return promote.Outcome{Reason: "paused", Fired: fired}, nil
	}
	if may := p.source.repo.WriteBack.Promote; may != nil && !*may {
		return promote.Outcome{Reason: "writeBack.promote: false in agent.yaml", Fired: fired}, nil
	}
	if env.Promotion != nil && env.Promotion.When.Schedule != "" && !status.read {
		return promote.Outcome{Reason: "what became of the schedule's last firing was not read yet", Fired: fired, After: time.Second}, nil
	}
	if fresh && s.ready() {
		s.reshape(ctx, at.seen())
	}
	subject := p.subject(key, at)
	subject.Release, subject.Lines, subject.Capabilities, subject.Fired = words, map[string][]record.Line{}, s.capabilities(), fired
	subject.Window = policies.Plan{Windows: WindowsOf(a.config, key.Application, env), Override: OverrideOf(words)}.Openness(subject.Now)
	comes, _ := comesFrom(env)
	for _, from := range comes {
		if fresh && !p.read[from] {
			a.notes.forget(p.source, from)
			p.read[from] = true
		}
		lines, err := a.notes.of(ctx, p.source, Key{key.Application, from})
		if err != nil {
			return promote.Outcome{Fired: fired}, fmt.Errorf("read notes of %s: %w", from, err)
		}
		subject.Lines[from] = record.Counting(lines, record.Verify(lines, a.keyring(s)))
	}
	a.view.sawProven(key, subject.Lines)
	keeper := p.keeper(key, s)
	var back promote.Outcome
	var errBack error
	// Where no pass has read the state yet nothing is known, and least of all that all is well.
	if fallen := status.fallen(); status.Phase != "" && !status.anew && (fallen.Proven != "" || reverting) {
		back, errBack = keeper.Revert(ctx, subject, fallen)
	}
	a.view.sawRevert(key, back, errBack)
	if env.Promotion == nil || back.Pin != nil { // what comes next is seen after the poll
		back.Fired = fired
		return back, errBack
	}
	out, err := keep(ctx, keeper, subject) // a forge that is away keeps no fix from being pinned
	if err == nil {
		err = errBack
	}
	return out, err
}

// subject is an environment as far as it is known without its release file and its notes.
func (p *promoter) subject(key Key, at place) promote.Subject {
	return promote.Subject{
		Application: key.Application, Environment: key.Environment, Repository: p.source.repo, Tip: at.snap.tip, Dir: at.dir, Rules: at.app,
		Ledger: at.promoted(key.Application), Now: p.agent.now(), Links: p.agent.config.Links, Renderer: p.agent.renders(key.Environment), Charts: p.agent.chartsOf(key.Application),
	}
}

// keeper keeps the requests of a key. That of a group tells of nobody's objects, and needs no site.
func (p *promoter) keeper(key Key, s *site) *promote.Keeper {
	keeper := p.keepers[key]
	if keeper == nil {
		f := p.source.ledger.repo.Forge
		keeper = &promote.Keeper{
			Git: p.source.git, Forge: p.forge, Checks: p.checks, MayCommit: p.source.repo.WriteBack.Commit,
			PushOptions: f != nil && f.Kind == config.GitLab && p.forge == nil,
			Show:        p.agent.shows(s), Log: p.agent.log.With("repository", p.source.repo.Name),
		}
		p.keepers[key] = keeper
	}
	return keeper
}

// keepFired has the next pass, which is due now, save what became of a firing. Until then the process remembers it.
func (a *Agent) keepFired(key Key, fired policies.Firing) {
	t := a.target(key)
	t.mu.Lock()
	t.fired = &fired
	t.mu.Unlock()
	a.queue.Add(key)
}

// shows tells how the objects of an environment differ between two revisions.
func (a *Agent) shows(s *site) promote.Shown {
	return func(of promote.Subject, pin, candidate string, before, after []*unstructured.Unstructured) string {
		env, ok := of.Rules.Environment(of.Environment)
		if !ok {
			return ""
		}
		side := func(revision string) DiffSide {
			return DiffSide{Environment: of.Environment, Revision: revision, Namespace: env.Namespace}
		}
		prepared := func(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
			return Prepared(s.apply.Scoped(objects), env.Drift.Leave, false)
		}
		return DiffOf{
			Application: of.Application, From: side(pin), To: side(candidate), Before: prepared(before), After: prepared(after),
			Versioned: env.Rollout.Staged(),
		}.Diff().Markdown()
	}
}

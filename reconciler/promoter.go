package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// lookAgain is when a merge request is looked at again though nothing moved in Git: people approve, label and close it at the
// forge. A webhook makes it sooner.
const lookAgain = time.Minute

// Where branches of merge requests begin.
const (
	promotions = gitsource.BranchPrefix + "promote/"
	reverts    = gitsource.BranchPrefix + "revert/"
	groups     = gitsource.BranchPrefix + "group/"
)

// promoter keeps the promotions of one repository, one environment after the other, beside the passes: a slow forge never holds
// an apply. All of it belongs to run, but for what webhooks recall.
type promoter struct {
	agent   *Agent
	source  *source
	forge   *forge.Client // of the ledger, once it was needed
	checks  *forge.Client // of the code, which may be the same
	poked   chan struct{}
	keepers map[Key]*promote.Keeper // of a group by its name alone
	seen    map[Key]sight
	read    map[string]bool // environments whose notes were read in this round
	pins    []promote.Pin   // that are due in this round without a person
	tidied  string          // the environments that were asked for when what others had asked for was withdrawn

	mu       sync.Mutex
	recalled []Key // one without an application is a group
}

// sight is what the last look at a key saw, and when the next one is due whatever moves.
type sight struct {
	moved string // all of Git that it depends on
	next  time.Time
	tries int    // faults in a row
	said  string // the last word that was logged
	fired policies.Firing
	back  bool   // a release had failed, or there was a branch to go back
	group string // that it is promoted with
}

func (a *Agent) newPromoter(src *source) *promoter {
	return &promoter{
		agent: a, source: src, poked: make(chan struct{}, 1), keepers: map[Key]*promote.Keeper{}, seen: map[Key]sight{},
		tidied: "not yet",
	}
}

// poke asks for a look now.
func (p *promoter) poke() {
	select {
	case p.poked <- struct{}{}:
	default:
	}
}

// run looks after each poll, and when something is due, until ctx ends.
func (p *promoter) run(ctx context.Context) {
	for {
		wait := p.round(ctx)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		case <-p.poked:
		}
		timer.Stop()
	}
}

// round looks once at each environment that something moved for, and returns when the next one is due.
func (p *promoter) round(ctx context.Context) time.Duration {
	p.due()
	subjects := p.subjects()
	asking := asking(subjects)
	if p.source.now.Load() == nil || len(subjects) == 0 && asking == p.tidied {
		return longestWait
	}
	if err := p.openForges(); err != nil {
		p.agent.log.Warn("Forge cannot be asked", "repository", p.source.repo.Name, "err", err)
		return lookAgain
	}
	ledger := p.source.ledger
	polled := "refs/heads/" + ledger.repo.Branch
	refs, err := ledger.git.Refs(ctx, record.Prefix, promotions, reverts, groups, polled)
	if err != nil {
		return p.source.repo.Poll.Interval.Std() + time.Second // the poll says it
	}
	wait := longestWait
	if asking != p.tidied {
		if err := p.tidy(ctx, refs); err != nil {
			p.agent.log.Warn("Requests that nobody waits for were not withdrawn", "repository", p.source.repo.Name, "err", err)
			wait = lookAgain
		} else {
			p.tidied = asking
		}
	}
	p.read, p.pins = map[string]bool{}, nil
	for _, at := range subjects {
		if at.ledger.tip != refs[polled] { // what was merged since would be asked for again
			ledger.poke()
			return lookAgain // or after the poll
		}
	}
	for _, c := range p.companies(subjects) {
		if ctx.Err() != nil {
			return wait
		}
		next := p.visit(ctx, c, refs)
		wait = min(wait, max(time.Until(next), 100*time.Millisecond))
	}
	if len(p.pins) > 0 {
		wait = min(wait, p.commit(ctx, refs[polled]))
	}
	return wait
}

// commit commits the pins that are due in this round, all together, and returns when those are due again that were not.
func (p *promoter) commit(ctx context.Context, tip string) time.Duration {
	slices.SortFunc(p.pins, func(a, b promote.Pin) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Environment, b.Environment))
	})
	log, ledger := p.agent.log.With("repository", p.source.repo.Name), p.source.ledger
	to := promote.Commits{Git: ledger.git, Log: log, Now: p.agent.now(), Branch: ledger.repo.Branch, Tip: tip}
	wait := longestWait
	for i, err := range to.Push(ctx, p.pins) {
		key := Key{p.pins[i].Application, p.pins[i].Environment}
		this := p.seen[key]
		if err == nil {
			this.tries = 0
			p.seen[key] = this
			continue
		}
		after := min(time.Second<<min(this.tries, 6), lookAgain)
		if this.tries++; err.Error() != this.said {
			this.said = err.Error()
			log.Warn("Pin was not committed", "app", key.Application, "env", key.Environment, "revision", p.pins[i].Revision, "err", err)
		}
		this.next = to.Now.Add(after)
		p.seen[key], wait = this, min(wait, after)
	}
	ledger.poke()
	return wait
}

// subjects are the environments of this repository that are served here, and promoted to or taken back when a release fails.
// Where the file at the tip is faulty for one, nothing new starts.
func (p *promoter) subjects() map[Key]place {
	found := map[Key]place{}
	snap := p.source.now.Load()
	if snap == nil {
		return found
	}
	for _, d := range snap.apps {
		if d.broken || d.app == nil {
			continue
		}
		for _, env := range d.app.Environments {
			key := Key{d.app.Metadata.Name, env.Name}
			at, err := p.agent.catalog.find(key.Application)
			if !p.asks(key, env) || env.State != config.Present || len(d.faults.For(env.Name)) > 0 || err != nil || at.source != p.source || at.dir != d.dir {
				continue
			}
			if served, ok := p.agent.config.Serves(env.Name); ok && p.agent.sites[served.Cluster].ready() {
				found[key] = at
			}
		}
	}
	return found
}

// asks reports whether there may be something to ask for in Git: a release that comes from elsewhere, or the way back after one
// that failed, or that was in an earlier process. Another branch, and tags, are not ours to write. Where nothing failed nobody is
// asked anything.
func (p *promoter) asks(key Key, env config.Environment) bool {
	if env.Promotion != nil || !env.Rollout.TakesBack() || !env.Follow.Pin && !env.Follow.Tip() {
		return env.Promotion != nil
	}
	last, looked := p.seen[key]
	status := p.agent.status.get(key)
	return status.Phase != "" && (status.Proven != "" || last.back || !looked)
}

// comesFrom are the environments that releases come from, and checks what they wait for at the forge.
func comesFrom(env config.Environment) (from, checks []string) {
	if env.Promotion == nil {
		return nil, nil
	}
	return env.Promotion.From, env.Promotion.When.Checks
}

// moved is all of Git that a key depends on, and what is known of its release.
func (p *promoter) moved(key Key, at place, env config.Environment, refs map[string]string) string {
	status := p.agent.status.get(key)
	moved := fmt.Sprint(at.tips(), refs[promotions+key.String()], refs[reverts+key.String()], status.Revision, status.Proven)
	comes, _ := comesFrom(env)
	for _, from := range comes {
		moved += " " + refs[record.Ref(from)]
	}
	return moved + " " + refs[p.groupRef(groupOf(env))]
}

// saw notes what a look at a key came to, and returns when it is due again.
func (p *promoter) saw(key Key, env config.Environment, moved string, refs map[string]string, out promote.Outcome, err error) time.Time {
	last, now := p.seen[key], p.agent.now()
	status, group := p.agent.status.get(key), groupOf(env)
	_, checks := comesFrom(env)
	this := sight{
		moved: moved, next: now.Add(lookAgain), said: last.said, back: status.Proven != "" || refs[reverts+key.String()] != "", fired: out.Fired,
		group: group,
	}
	if err == nil && !out.Fired.Same(status.fired) {
		p.agent.keepFired(key, out.Fired)
	}
	if out.Candidate == "" && refs[promotions+key.String()] == "" && refs[reverts+key.String()] == "" && refs[p.groupRef(group)] == "" && len(checks) == 0 {
		this.next = now.Add(longestWait) // nobody can have touched a request: a forge bears few questions of many environments
	}
	if out.Pin != nil {
		p.pins, this.tries = append(p.pins, *out.Pin), last.tries
	}
	if out.After > 0 {
		this.next = now.Add(min(out.After, this.next.Sub(now)))
	}
	said := out.Reason
	if err != nil {
		this.tries = last.tries + 1
		this.next = now.Add(max(out.After, min(time.Second<<min(last.tries, 6), lookAgain)))
		said = err.Error()
	}
	if said != this.said {
		this.said = said
		log := p.agent.log.With("app", key.Application, "env", key.Environment, "revision", out.Candidate)
		switch {
		case err != nil && env.Promotion == nil:
			log.Warn("Way back was not looked after", "err", err)
		case err != nil:
			log.Warn("Promotion was not looked after", "err", err)
		case env.Promotion == nil:
			log.Info("Way back was looked at", "reason", out.Reason, "request", out.Request.URL)
		default:
			log.Info("Promotion was looked at", "due", out.Due, "reason", out.Reason, "request", out.Request.URL)
		}
	}
	p.seen[key] = this
	return this.next
}

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
	keeper := p.keeper(key, s)
	var back promote.Outcome
	var errBack error
	// Where no pass has read the state yet nothing is known, and least of all that all is well.
	if status.Phase != "" && (status.Proven != "" || reverting) {
		back, errBack = keeper.Revert(ctx, subject, promote.Fallen{
			Revision: status.Revision, Trigger: status.Trigger, Proven: status.Proven, Reason: status.Failure,
		})
	}
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
		Ledger: at.promoted(key.Application), Now: p.agent.now(), Links: p.agent.config.Links,
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

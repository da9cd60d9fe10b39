package reconciler

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
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
	return status.Phase != "" && (status.fallen().Proven != "" || last.back || !looked)
}

// comesFrom are the environments that releases come from, and checks what they wait for at the forge.
func comesFrom(env config.Environment) (from, checks []string) {
	if env.Promotion == nil {
		return nil, nil
	}
	return env.Promotion.From, env.Promotion.When.Checks
}

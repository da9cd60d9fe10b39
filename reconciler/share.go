package reconciler

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// countedPush is what a push costs at a forge that counts them: GitHub takes six a minute for a repository.
const countedPush = 10 * time.Second

// account is who is shown to a forge. What it may send is counted together, whatever it is about and whoever asks.
type account struct {
	kind        config.ForgeKind
	api         string
	credentials config.Credentials
	app         int
}

func accountOf(repo config.Repository) account {
	switch f := repo.Forge; {
	case f == nil:
		return account{}
	case f.App != nil:
		return account{kind: f.Kind, api: f.API, app: f.App.ID}
	case f.Token != nil:
		return account{kind: f.Kind, api: f.API, credentials: *f.Token}
	default:
		return account{kind: f.Kind, api: f.API}
	}
}

// sharers are the agents that may write to a repository, as far as its files tell: this one, and one for each environment of
// an application that it does not serve.
func (s *source) sharers() int {
	snap, most := s.now.Load(), 1
	if snap == nil {
		return most
	}
	for _, found := range snap.apps {
		if found.app == nil {
			continue
		}
		agents := 1
		for _, env := range found.app.Environments {
			if !s.served(env.Name) {
				agents++
			}
		}
		most = max(most, agents)
	}
	return most
}

// divide has each account and each repository keep to its share of what all agents together may send. Agents do not know each
// other, so that each counts with all that there may be.
func (a *Agent) divide() {
	writers := map[*source]int{} // of each repository, and of its ledger
	for _, src := range a.catalog.sources {
		sharers := src.sharers()
		writers[src], writers[src.ledger] = max(writers[src], sharers), max(writers[src.ledger], sharers)
	}
	most := map[account]int{}
	kinds := map[account]config.ForgeKind{}
	for src, sharers := range writers {
		src.pace.set(cmp.Or(src.repo.WriteBack.Interval.Std(), countedPush*time.Duration(sharers)))
		if f := src.repo.Forge; f != nil {
			of := accountOf(src.repo)
			most[of], kinds[of] = max(most[of], sharers), f.Kind
		}
	}
	for of, agents := range most {
		a.budgets[of].Limit(forge.LimitsOf(forge.Kind(kinds[of]), agents))
	}
}

// pace keeps the pushes of one repository apart. It may be used concurrently.
type pace struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) bool
	turn  chan struct{} // holds one token: taken by whoever pushes

	mu   sync.Mutex
	gap  time.Duration
	next time.Time // when the next push may be sent
}

func newPace(now func() time.Time, gap time.Duration) *pace {
	return &pace{now: now, sleep: sleep, turn: make(chan struct{}, 1), gap: gap}
}

func (p *pace) set(gap time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gap = gap
}

// every is the least time between two pushes.
func (p *pace) every() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return cmp.Or(p.gap, countedPush)
}

// left is how long it is until a push may be sent.
func (p *pace) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next.Sub(p.now())
}

// wait returns when a push may be sent, or ctx has ended. A push counts from when it was answered: until then it may come late,
// and the forge counts then.
func (p *pace) wait(ctx context.Context) (answered func(), err error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if left := p.left(); left > 0 && !p.sleep(ctx, left) {
		<-p.turn
		return nil, context.Cause(ctx)
	}
	return func() {
		p.mu.Lock()
		p.next = p.now().Add(cmp.Or(p.gap, countedPush))
		p.mu.Unlock()
		<-p.turn
	}, nil
}

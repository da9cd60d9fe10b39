package record

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"
)

// logEvery is how often an error that stays the same is logged again.
const logEvery = time.Hour

// dispatch starts every push whose time has come, at most one for each repository, and returns how long there
// is nothing to do (zero: until something happens) and whether nothing is under way or waiting at all.
func (p *Publisher) dispatch(ctx context.Context) (wait time.Duration, idle bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, idle := p.cfg.Clock.Now(), true
	p.tell(p.again)
	p.again = nil
	for _, l := range p.lanes {
		if l.busy {
			idle = false
			continue
		}
		q, at := p.choose(l, now)
		if q == nil || p.shutting && ctx.Err() != nil {
			continue
		}
		idle = false
		if left := at.Sub(now); left > 0 {
			if wait == 0 || left < wait {
				wait = left
			}
			continue
		}
		p.start(ctx, l, q, now)
	}
	return wait, idle
}

// choose returns the queue of the lane that is to be pushed next, and when: of those whose time has come one
// with a line that decides, then the one that waits longest; else the one whose time comes first.
func (p *Publisher) choose(l *lane, now time.Time) (*queue, time.Time) {
	type choice struct {
		queue   *queue
		at      time.Time
		decides bool
	}
	var choices []choice
	for _, q := range l.queues {
		if len(q.order) == 0 || p.shutting && (q.lastTry || q.status.ReadOnly) {
			continue
		}
		at, decides := q.due(p.cfg.Interval)
		at = latest(at, l.started.Add(l.minPush))
		if p.shutting || at.Before(now) {
			at = now
		}
		choices = append(choices, choice{q, at, decides})
	}
	if len(choices) == 0 {
		return nil, time.Time{}
	}
	rank := func(c choice) int {
		if c.decides {
			return 0
		}
		return 1
	}
	first := slices.MinFunc(choices, func(a, b choice) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(rank(a), rank(b)),
			a.queue.entries[a.queue.order[0]].since.Compare(b.queue.entries[b.queue.order[0]].since),
			cmp.Compare(a.queue.environment, b.queue.environment))
	})
	return first.queue, first.at
}

// start pushes a batch in a goroutine of its own. The lock is held.
func (p *Publisher) start(ctx context.Context, l *lane, q *queue, now time.Time) {
	b := q.batch()
	l.busy, l.started, q.started, q.lastTry = true, now, now, p.shutting
	q.status.Pushes++
	p.running.Go(func() {
		bounded, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
		_, err := b.notes.AppendNotes(bounded, b.ref, b.add, b.keep)
		cancel()
		p.finish(l, q, b, err)
		p.poke()
	})
}

// finish takes in what became of a push.
func (p *Publisher) finish(l *lane, q *queue, b batch, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.cfg.Clock.Now()
	l.busy = false
	if len(l.queues) == 0 {
		delete(p.lanes, l.repository) // all of it was removed meanwhile
	}
	if err != nil {
		p.failed(l, q, now, err)
		return
	}
	l.readOnly = false
	q.failures, q.notBefore, q.logged = 0, time.Time{}, ""
	q.status.ReadOnly, q.status.LastError, q.status.LastPush = false, "", now
	p.cfg.Log.Info("Pushed status", "repository", l.repository, "env", q.environment, "lines", len(b.ids),
		"revisions", len(b.add), "duration", now.Sub(q.started))
	p.tell(q.confirm(b.ids))
}

// failed puts the next attempt off. The lines stay where they are.
func (p *Publisher) failed(l *lane, q *queue, now time.Time, err error) {
	q.failures++
	q.status.Failures++
	q.status.LastError = cut(clean(err.Error()), maxText)
	q.status.ReadOnly = p.cfg.ReadOnly(err)
	wait := p.cfg.Backoff << min(q.failures-1, 20)
	if wait > p.cfg.MaxBackoff || wait <= 0 {
		wait = p.cfg.MaxBackoff
	}
	if q.status.ReadOnly {
		wait = p.cfg.ReadOnlyRetry
	}
	q.notBefore = now.Add(p.cfg.Jitter(wait))
	told := q.status.ReadOnly && p.cfg.OnReadOnly != nil // once for the repository, below
	if !told && (q.logged != q.status.LastError || now.Sub(q.loggedAt) >= logEvery) {
		q.logged, q.loggedAt = q.status.LastError, now
		p.cfg.Log.Warn("Push of status failed", "repository", l.repository, "env", q.environment,
			"lines", len(q.order), "readOnly", q.status.ReadOnly, "err", q.status.LastError)
	}
	if q.status.ReadOnly && !l.readOnly {
		l.readOnly = true
		if p.cfg.OnReadOnly != nil {
			p.running.Go(func() { p.cfg.OnReadOnly(l.repository, err) })
		}
	}
}

// tell calls the done functions, outside the lock and in a goroutine of its own: one that is slow holds nothing.
func (p *Publisher) tell(listeners []*listener) {
	for _, who := range listeners {
		ids := who.pending
		who.pending = nil
		if who.done != nil {
			p.running.Go(func() { who.done(ids) })
		}
	}
}

// Status is what the publisher is doing, for metrics and the status page.
type Status struct {
	Queued  int            // lines that wait
	Refused int            // lines that were no lines of a Maker, since the start
	Targets []TargetStatus // by repository and environment
}

// TargetStatus is the state of one (repository, environment).
type TargetStatus struct {
	Repository, Environment string
	Queued                  int       // lines that wait
	Oldest                  time.Time // since when the oldest one waits; zero: none
	LastPush                time.Time // the last that went through; zero: none
	LastError               string    // of the last push, without credentials; empty: it went through
	ReadOnly                bool      // the credentials may not push
	Pushes, Failures        int       // since the start; Pushes counts both
}

// Status returns a copy of what is going on.
func (p *Publisher) Status() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	status := Status{Refused: p.refused}
	for _, repository := range slices.Sorted(maps.Keys(p.lanes)) {
		queues := p.lanes[repository].queues
		for _, environment := range slices.Sorted(maps.Keys(queues)) {
			q := queues[environment]
			t := q.status
			t.Repository, t.Environment, t.Queued = clean(repository), environment, len(q.order)
			if t.Queued > 0 {
				t.Oldest = q.entries[q.order[0]].since
			}
			status.Queued += t.Queued
			status.Targets = append(status.Targets, t)
		}
	}
	return status
}

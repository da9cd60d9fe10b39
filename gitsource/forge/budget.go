package forge

import (
	"sync"
	"time"
)

// Limits bound the requests that create or change something. Zero bounds nothing.
type Limits struct {
	PerMinute int
	PerHour   int
}

// LimitsOf are the limits that a forge is known for, shared among so many agents that use one account; below 1 counts as
// 1. GitHub takes 80 such requests a minute and 500 an hour:
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits.
// The others name none for every installation, and answer 429 where they have one.
func LimitsOf(kind Kind, agents int) Limits {
	if kind != GitHub {
		return Limits{}
	}
	agents = max(agents, 1)
	return Limits{PerMinute: max(80/agents, 1), PerHour: max(500/agents, 1)}
}

// Budget keeps one account within its limits. Clients that use the same account share one. It may be used concurrently,
// and never waits: what it does not let through is told when to come back.
type Budget struct {
	limits Limits

	mu     sync.Mutex
	flying int         // writes that were sent and not answered
	writes []time.Time // when writes of the last hour were answered, the oldest first
	closed time.Time   // the forge itself said to wait until then
}

// NewBudget returns a budget of which nothing is spent.
func NewBudget(limits Limits) *Budget { return &Budget{limits: limits} }

// Limit has other limits from now on, as when more agents come to use the account. What is spent stays spent.
func (b *Budget) Limit(limits Limits) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = limits
}

// Free is how many writes may be sent at once now; without limits it is a large number. Where it is none, the time says
// when to ask again.
func (b *Budget) Free(now time.Time) (int, time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.free(now)
}

func (b *Budget) free(now time.Time) (int, time.Time) {
	if now.Before(b.closed) {
		return 0, b.closed
	}
	for len(b.writes) > 0 && now.Sub(b.writes[0]) > time.Hour {
		b.writes = b.writes[1:]
	}
	left, until := 1<<30, time.Time{}
	for _, window := range []struct {
		limit int
		size  time.Duration
	}{{b.limits.PerMinute, time.Minute}, {b.limits.PerHour, time.Hour}} {
		if window.limit <= 0 {
			continue
		}
		spent, oldest := b.flying, now
		for i := len(b.writes) - 1; i >= 0 && now.Sub(b.writes[i]) <= window.size; i-- {
			spent, oldest = spent+1, b.writes[i]
		}
		if spent < window.limit {
			left = min(left, window.limit-spent)
			continue
		}
		// A nanosecond later the oldest no longer counts. Where all of them are under way, a second is a guess.
		next := oldest.Add(window.size + time.Nanosecond)
		if oldest.Equal(now) {
			next = now.Add(time.Second)
		}
		left = 0
		if next.After(until) {
			until = next
		}
	}
	return left, until
}

// begin asks for one request. It is let through where the time is zero, and then finished by end.
func (b *Budget) begin(now time.Time, write bool) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Before(b.closed) {
		return b.closed
	}
	if !write {
		return time.Time{}
	}
	if left, until := b.free(now); left == 0 {
		return until
	}
	b.flying++
	return time.Time{}
}

// end counts a write from when it was answered: what was long under way may have arrived late, and forges count then.
func (b *Budget) end(now time.Time, write bool) {
	if !write {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.flying--
	b.writes = append(b.writes, now)
}

// close lets nothing through before a time that the forge named.
func (b *Budget) close(until time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if until.After(b.closed) {
		b.closed = until
	}
}

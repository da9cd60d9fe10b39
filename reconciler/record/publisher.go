package record

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Notes is what the publisher needs of a repository. It must return when its context ends, and be safe for
// concurrent use with other refs.
type Notes interface {
	// AppendNotes adds lines to the notes of revisions as a union: a line that is there already stays once.
	// The revisions in keep become extra parents of the notes commit. It returns the notes commit.
	AppendNotes(ctx context.Context, ref string, add map[string][]string, keep []string) (string, error)
}

// Clock is the time that the publisher goes by.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

// Config shapes a publisher. The zero value works.
type Config struct {
	Clock Clock // nil: the machine's
	// Interval is how long lines are gathered, and the least time between two pushes to one ref; zero: 1 s,
	// which makes of a thousand reports at once one or two pushes.
	Interval time.Duration
	// MinPush is the least time between two pushes to one repository, whatever the ref; zero: none. A target may
	// ask for more.
	MinPush time.Duration
	// Timeout bounds one push; zero: 60 s.
	Timeout time.Duration
	// Shutdown bounds the last flush, that of all repositories together; zero: 5 s.
	Shutdown time.Duration
	// Backoff is the wait after the first failed push, doubled with each further one up to MaxBackoff; zero:
	// 1 s and 5 min.
	Backoff, MaxBackoff time.Duration
	// ReadOnlyRetry is the wait after a push that was refused for lack of rights; zero: 10 min, since a person
	// has to change something first.
	ReadOnlyRetry time.Duration
	// Jitter spreads a wait; nil: between three and five quarters of it.
	Jitter func(time.Duration) time.Duration
	// ReadOnly reports whether an error means that the credentials may not push; nil: errors with a method
	// ReadOnly() bool that returns true.
	ReadOnly func(error) bool
	// OnReadOnly is told once when a repository refuses pushes for lack of rights, and again only after one
	// went through in between; nil: nobody.
	OnReadOnly func(repository string, err error)
	Log        *slog.Logger // nil: silent
}

// Target is where lines go.
type Target struct {
	Repository string // its URL without credentials: the key of its budget
	// Environment of the lines. A line that names another one (from before a renaming) goes to that one's ref.
	Environment string
	Notes       Notes
	// MinPush is the least time between two pushes to this repository; zero: that of the Config. Of several
	// targets in one repository, the last word counts.
	MinPush time.Duration
}

// Publisher pushes lines. All methods may be called concurrently, and none waits for a forge.
type Publisher struct {
	cfg     Config
	wake    chan struct{}
	running sync.WaitGroup

	mu       sync.Mutex
	lanes    map[string]*lane // by repository
	again    []*listener      // who asked for lines that are confirmed already; told at the next dispatch
	refused  int
	shutting bool // budgets no longer count, and each key has one last attempt
}

// lane is one repository: one push at a time, and a budget for all of its refs.
type lane struct {
	repository string
	minPush    time.Duration
	started    time.Time // of the last push
	busy       bool
	readOnly   bool // said already
	queues     map[string]*queue
}

// New returns a publisher that accepts lines at once and pushes them while Run runs.
func New(cfg Config) *Publisher {
	for _, d := range []struct {
		value *time.Duration
		zero  time.Duration
	}{
		{&cfg.Interval, time.Second}, {&cfg.Timeout, time.Minute}, {&cfg.Shutdown, 5 * time.Second},
		{&cfg.Backoff, time.Second}, {&cfg.MaxBackoff, 5 * time.Minute}, {&cfg.ReadOnlyRetry, 10 * time.Minute},
	} {
		if *d.value <= 0 {
			*d.value = d.zero
		}
	}
	if cfg.Clock == nil {
		cfg.Clock = machineClock{}
	}
	if cfg.Jitter == nil {
		cfg.Jitter = func(d time.Duration) time.Duration { return d*3/4 + rand.N(d/2+1) }
	}
	if cfg.ReadOnly == nil {
		cfg.ReadOnly = func(err error) bool {
			var refusal interface{ ReadOnly() bool }
			return errors.As(err, &refusal) && refusal.ReadOnly()
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Publisher{cfg: cfg, wake: make(chan struct{}, 1), lanes: map[string]*lane{}}
}

// Add queues lines that were made by a [Maker] and returns at once. done, which may be nil, is called with the
// IDs of those of these lines that a push has confirmed: once or more often, from another goroutine, each ID
// once. A line that is queued already is not queued again, and one that was confirmed lately is confirmed again
// without a push; so an outbox may be added whole at every pass (of many calls with a line that waits, the last
// 8 are told). What no Maker made is refused, and counted.
func (p *Publisher) Add(target Target, lines []Line, done func(ids []string)) {
	if len(lines) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.lanes[target.Repository]
	if l == nil {
		l = &lane{repository: target.Repository, queues: map[string]*queue{}}
		p.lanes[target.Repository] = l
	}
	l.minPush = p.cfg.MinPush
	if target.MinPush > 0 {
		l.minPush = target.MinPush
	}
	who, now := &listener{done: done}, p.cfg.Clock.Now()
	for _, line := range lines {
		if _, _, signed := splitSignature(line.Text()); !signed || line.valid() != nil {
			p.refused++
			continue
		}
		l.queue(line.Environment, target.Notes).add(line, who, now)
	}
	if len(who.pending) > 0 {
		p.again = append(p.again, who)
	}
	p.poke()
}

// queue returns the lane's queue for an environment; notes is the newest way to write it.
func (l *lane) queue(environment string, notes Notes) *queue {
	q := l.queues[environment]
	if q == nil {
		q = &queue{ref: Ref(environment), environment: environment, entries: map[string]*entry{}}
		l.queues[environment] = q
	}
	q.notes = notes
	return q
}

// Remove forgets the lines for one environment of a repository that is no longer served. A push that is under
// way ends by itself.
func (p *Publisher) Remove(repository, environment string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.lanes[repository]; l != nil {
		delete(l.queues, environment)
		if len(l.queues) == 0 && !l.busy {
			delete(p.lanes, repository)
		}
	}
}

// Run pushes until the context ends, then makes one last attempt for all that waits, bounded by
// Config.Shutdown, and returns after the last push and the last call of a done function. It is called once.
func (p *Publisher) Run(ctx context.Context) {
	// Pushes outlive ctx: one that is under way when the agent stops is worth finishing.
	pushes, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer p.running.Wait()
	stopped, deadline := ctx.Done(), (<-chan time.Time)(nil)
	for {
		next, idle := p.dispatch(pushes)
		if stopped == nil && idle {
			return
		}
		var timer <-chan time.Time
		if next > 0 {
			timer = p.cfg.Clock.After(next)
		}
		select {
		case <-p.wake:
		case <-timer:
		case <-deadline:
			deadline = nil
			stop()
		case <-stopped:
			stopped, deadline = nil, p.cfg.Clock.After(p.cfg.Shutdown)
			p.mu.Lock()
			p.shutting = true
			p.mu.Unlock()
		}
	}
}

// poke makes Run look again.
func (p *Publisher) poke() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

type machineClock struct{}

func (machineClock) Now() time.Time                         { return time.Now() }
func (machineClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

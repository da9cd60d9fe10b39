package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/render"
)

// Config says what a Pool may use. The zero value is good.
type Config struct {
	Processes    int           // at once; 0: one for each processor
	Ahead        bool          // all of them are started by New, side by side: there will be much to do
	Memory       int64         // bytes that one may have; 0: DefaultMemory
	Time         time.Duration // one render may take; 0: DefaultTime
	AllowNetwork bool          // go on where nothing keeps templates from the network
}

const (
	// DefaultMemory is twenty times what the largest public charts take.
	DefaultMemory = 1 << 30
	// DefaultTime is a hundred times what a large render takes.
	DefaultTime = time.Minute
)

const (
	// lookEvery: a loop that appends has 150 MB more by the next look.
	lookEvery = 50 * time.Millisecond
	// turn is how long a render may keep others waiting: ten times what nearly all take.
	turn = 2 * time.Second
	// slowEach is how many may go on beside the others, for each process.
	slowEach = 4
	// idleFor is how long a process without work is kept: the memory of some 60 MiB is worth more than the 0.1 s that the
	// next one takes to start.
	idleFor = time.Minute
)

// LostError is why a worker was lost: it took too long or too much, it ended, or what it said made no sense. It is the
// error of the one render that it had. Another try may go better where the machine was at fault.
type LostError struct{ Why string }

func (e *LostError) Error() string { return e.Why }

// Pool renders in processes of its own. Make it with New. It may be used concurrently.
type Pool struct {
	config Config
	says   hello
	turns  chan struct{} // one for each render at work, those apart that gave theirs away

	mu      sync.Mutex
	idle    []*process
	running map[*process]bool
	slow    int
	closed  bool
	sweeper *time.Timer
	looking sync.WaitGroup
}

// ErrNetwork says that nothing keeps templates from the network.
var ErrNetwork = errors.New("nothing here keeps what renders from the network: neither seccomp nor namespaces")

// accepts refuses processes that nothing keeps from the network, unless that is allowed.
func (c Config) accepts(says hello) error {
	if len(says.Network) == 0 && !c.AllowNetwork {
		return ErrNetwork
	}
	return nil
}

// New starts a process at least, to see which barriers there are.
func New(cfg Config) (*Pool, error) {
	if cfg.Processes == 0 {
		cfg.Processes = runtime.NumCPU()
	}
	if cfg.Memory == 0 {
		cfg.Memory = DefaultMemory
	}
	if cfg.Time == 0 {
		cfg.Time = DefaultTime
	}
	n := 1
	if cfg.Ahead {
		n = cfg.Processes
	}
	ready, err := startAll(n, cfg.Memory)
	if err != nil {
		return nil, err
	}
	says := ready[0].says
	if err := cfg.accepts(says); err != nil {
		for _, w := range ready {
			w.close()
		}
		return nil, err
	}
	p := &Pool{config: cfg, says: says, turns: make(chan struct{}, cfg.Processes), running: map[*process]bool{}}
	p.sweeper = time.AfterFunc(idleFor, p.sweep)
	for _, w := range ready {
		w.idle = time.Now()
		p.idle = append(p.idle, w)
	}
	return p, nil
}

// startAll starts processes side by side. Those that do not start are an error only where none does: a render that needs
// another tries again.
func startAll(n int, memory int64) (ready []*process, err error) {
	started, errs := make([]*process, n), make([]error, n)
	var starting sync.WaitGroup
	for i := range n {
		starting.Go(func() { started[i], errs[i] = start(memory) })
	}
	starting.Wait()
	if ready = slices.DeleteFunc(started, func(w *process) bool { return w == nil }); len(ready) == 0 {
		return nil, errs[0]
	}
	return ready, nil
}

// String reads "2 processes: memory 1024 MiB, time 1m0s, network none (namespace, seccomp), files none (landlock, seccomp)".
func (p *Pool) String() string {
	barrier := func(by []string) string {
		if len(by) == 0 {
			return "NOT kept away"
		}
		return "none (" + strings.Join(by, ", ") + ")"
	}
	text := fmt.Sprintf("%d processes: memory %d MiB, time %s, network %s, files %s", p.config.Processes, p.config.Memory>>20,
		p.config.Time, barrier(p.says.Network), barrier(p.says.Files))
	if len(p.says.Lacks) > 0 {
		text += "; without " + strings.Join(p.says.Lacks, ", ")
	}
	return text
}

// Close ends all processes, those at work too.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	for w := range p.running {
		w.end(&LostError{"the program ended"})
	}
	p.mu.Unlock()
	p.sweeper.Stop()
	for _, w := range idle {
		w.close()
	}
	p.looking.Wait()
}

// Render is render.Render in another process. An error of the files is the same as there, TraceOf included; beyond those
// there is *LostError, of which TraceOf tells what was read until then.
func (p *Pool) Render(ctx context.Context, tree render.Tree, req render.Request) (*render.Result, error) {
	select {
	case p.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ended(ctx, req)
	}
	w, err := p.take()
	if err != nil {
		<-p.turns
		return nil, err
	}
	seen := render.NewWitness(ctx, tree, req)
	stop := context.AfterFunc(ctx, func() { w.end(&LostError{"it was not wanted any more"}) })
	done, watched := make(chan struct{}), make(chan struct{})
	p.looking.Go(func() {
		defer close(watched)
		p.watch(w, done)
	})
	result, err := w.render(seen, req)
	close(done)
	<-watched // lest it judges the next render by this one
	gone := !stop()
	var lost *LostError
	if errors.As(err, &lost) {
		err = fmt.Errorf("render: %w", err)
	}
	if _, known := render.TraceOf(err); err != nil && !known { // a panic too
		err = render.Failed(err, seen.Trace())
	}
	p.put(w, gone || lost != nil)
	if ctx.Err() != nil {
		return nil, ended(ctx, req)
	}
	return result, err
}

// take gives a process to render in. The caller has a turn.
func (p *Pool) take() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, &LostError{"the program ended"}
	}
	var w *process
	if last := len(p.idle) - 1; last >= 0 {
		w, p.idle = p.idle[last], p.idle[:last]
	} else {
		p.mu.Unlock()
		fresh, err := start(p.config.Memory)
		p.mu.Lock()
		if err != nil {
			return nil, err
		}
		w = fresh
	}
	w.began, w.slow = time.Now(), false
	p.running[w] = true
	return w, nil
}

// put takes a process back, and its turn.
func (p *Pool) put(w *process, spent bool) {
	if !spent && w.has.resident() > p.config.Memory/4 {
		spent = true // what it took once it keeps for long
	}
	p.mu.Lock()
	delete(p.running, w)
	keep := !spent && !p.closed && !w.slow && w.verdict.Load() == nil && len(p.idle) < p.config.Processes
	if keep {
		w.idle = time.Now()
		p.idle = append(p.idle, w)
		p.sweeper.Reset(idleFor)
	}
	slow := w.slow
	if slow {
		p.slow--
	}
	p.mu.Unlock()
	if !keep {
		w.close()
	}
	if !slow {
		<-p.turns
	}
}

// sweep ends processes that have had nothing to do for long.
func (p *Pool) sweep() {
	p.mu.Lock()
	var old []*process
	fresh := p.idle[:0]
	for _, w := range p.idle {
		if time.Since(w.idle) >= idleFor {
			old = append(old, w)
		} else {
			fresh = append(fresh, w)
		}
	}
	p.idle = fresh
	p.mu.Unlock()
	for _, w := range old {
		w.close()
	}
}

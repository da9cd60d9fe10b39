package elsewhere

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource/charts"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// errNoSource is why a chart cannot be read where nobody meant to.
var errNoSource = errors.New("charts from elsewhere are not read here")

// ErrForbidden says that no server may be asked for a chart.
var ErrForbidden = errors.New("not among the charts of agent.yaml")

const (
	// slowest is how long one archive may take: 5 MiB at 350 kbit/s.
	slowest = 2 * time.Minute
	// atOnce is how many are fetched at once from one server.
	atOnce = 2
	// firstWait is the wait after the first failure; it doubles up to lastWait. One that lasts waits that long at once.
	firstWait = time.Second
	lastWait  = 5 * time.Minute
)

// Server is whom a chart is fetched from.
type Server struct {
	*charts.Server
	// Store has what was fetched from it, and from nobody else: that somebody knows the digest of a chart, and may ask another
	// server, is no reason to have it.
	Store   *charts.Store
	Name    string // for people, and to count what is fetched from it at once
	Refused func() // told when it does not accept the credentials; may be nil
}

// FetcherConfig is what a fetcher is made of.
type FetcherConfig struct {
	// Server is the one that may be asked for an archive. An error is ErrForbidden.
	Server func(config.Locked) (Server, error)
	Now    func() time.Time
}

// Fetcher fetches charts beside whoever wants them. Nobody waits for it. It may be used concurrently.
type Fetcher struct {
	FetcherConfig
	poked chan struct{}

	mu    sync.Mutex
	wants map[config.Locked]*want
	due   []config.Locked // to be begun
}

// want is a chart that is not in the store.
type want struct {
	running bool
	waiters map[any]func()
	err     error // of the last try
	tries   int
	next    time.Time // when it may be tried again
}

// NewFetcher makes a fetcher, which fetches once it runs.
func NewFetcher(c FetcherConfig) *Fetcher {
	return &Fetcher{FetcherConfig: c, poked: make(chan struct{}, 1), wants: map[config.Locked]*want{}}
}

// State is how far the fetching of a chart is.
type State struct {
	Err   error     // of the last try; nil: it is under way
	Again time.Time // when the next try is due; zero: it is under way
}

// Lasting reports whether only somebody else's change will help.
func (s State) Lasting() bool { return Lasting(s.Err) }

// Lasting reports whether the error of a Source stays until somebody changes something.
func Lasting(err error) bool { return errors.Is(err, ErrForbidden) || charts.Lasting(err) }

// Get is a Source: what is in the store. What is not is an error, and will be fetched.
func (f *Fetcher) Get(l config.Locked) ([]byte, error) {
	if server, err := f.Server(l); err == nil {
		if data, err := server.Store.Get(l.SHA256()); err == nil {
			return data, nil
		}
	}
	return nil, f.Want(l, nil, nil).Describe(l)
}

// Describe says in words how far it is.
func (s State) Describe(l config.Locked) error {
	what := fmt.Sprintf("chart %s %s of %s", l.Chart, l.Resolved, l.Repository)
	if s.Err != nil {
		return fmt.Errorf("%s: %w", what, s.Err)
	}
	return fmt.Errorf("fetching %s", what)
}

// Want asks for a chart to be fetched. Where that is under way, or begins now, wake is called when it has ended, once for each
// who; who may be nil: nobody is woken.
func (f *Fetcher) Want(l config.Locked, who any, wake func()) State {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := f.wants[l]
	if w == nil {
		f.tidy()
		w = &want{waiters: map[any]func(){}}
		f.wants[l] = w
	}
	if !w.running && f.Now().Before(w.next) {
		return State{w.err, w.next}
	}
	if who != nil {
		w.waiters[who] = wake
	}
	if !w.running {
		w.running = true
		f.due = append(f.due, l)
		select {
		case f.poked <- struct{}{}:
		default:
		}
	}
	return State{Err: w.err}
}

// tidy forgets what nobody asked for again.
func (f *Fetcher) tidy() {
	for l, w := range f.wants {
		if !w.running && f.Now().Sub(w.next) > time.Hour {
			delete(f.wants, l)
		}
	}
}

// Run fetches until ctx ends, and returns after the last of its goroutines.
func (f *Fetcher) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	slots := map[string]chan struct{}{}
	for {
		for _, l := range f.take() {
			server, err := f.Server(l)
			if err != nil {
				f.end(l, err)
				continue
			}
			slot := slots[server.Name]
			if slot == nil {
				slot = make(chan struct{}, atOnce)
				slots[server.Name] = slot
			}
			running.Go(func() { f.fetch(ctx, server, l, slot) })
		}
		select {
		case <-ctx.Done():
			return
		case <-f.poked:
		}
	}
}

func (f *Fetcher) take() []config.Locked {
	f.mu.Lock()
	defer f.mu.Unlock()
	due := f.due
	f.due = nil
	return due
}

// fetch fetches one, when the server has a slot for it.
func (f *Fetcher) fetch(ctx context.Context, server Server, l config.Locked, slot chan struct{}) {
	select {
	case <-ctx.Done():
		return
	case slot <- struct{}{}:
	}
	defer func() { <-slot }()
	err := f.keep(ctx, server, l)
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, charts.ErrAuth) && server.Refused != nil {
		server.Refused()
	}
	f.end(l, err)
}

// keep has it in the store, unless another try that ended a moment ago put it there.
func (f *Fetcher) keep(ctx context.Context, server Server, l config.Locked) error {
	if _, err := server.Store.Get(l.SHA256()); err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	data, err := server.Fetch(ctx, l.URL, l.SHA256())
	if err == nil {
		_, err = server.Store.Put(data)
	}
	return err
}

// end notes how a try ended, and wakes whoever waits.
func (f *Fetcher) end(l config.Locked, err error) {
	f.mu.Lock()
	w := f.wants[l]
	w.running, w.err = false, err
	switch wait := min(firstWait<<min(w.tries, 16), lastWait); {
	case err == nil:
		delete(f.wants, l)
	case State{Err: err}.Lasting():
		w.next = f.Now().Add(lastWait)
	default:
		w.next, w.tries = f.Now().Add(wait), w.tries+1
	}
	waiters := w.waiters
	w.waiters = map[any]func(){}
	f.mu.Unlock()
	for _, wake := range waiters {
		wake()
	}
}

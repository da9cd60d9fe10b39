package elsewhere

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource/charts"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// bench is a fetcher at work, a server that answers as told, and a clock.
type bench struct {
	*Fetcher
	server *httptest.Server
	answer atomic.Pointer[http.HandlerFunc]
	asked  atomic.Int32

	mu  sync.Mutex
	now time.Time
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{now: time.Now()}
	b.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		(*b.answer.Load())(w, r)
	}))
	store := charts.NewStore(t.TempDir(), charts.DefaultLimit)
	b.Fetcher = NewFetcher(FetcherConfig{
		Server: func(l config.Locked) (Server, error) {
			if l.Chart == "foreign" {
				return Server{}, fmt.Errorf("%s is %w", l.URL, ErrForbidden)
			}
			return Server{Server: charts.NewServer(charts.Config{}), Store: store, Name: "one"}, nil
		},
		Now: func() time.Time {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.now
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		b.server.CloseClientConnections()
		b.server.Close()
	})
	return b
}

func (b *bench) says(h http.HandlerFunc) { b.answer.Store(&h) }

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// wanted asks for a chart and waits until the try has ended. then is done once it was asked for.
func (b *bench) wanted(t *testing.T, l config.Locked, then ...func()) State {
	t.Helper()
	ended := make(chan struct{})
	if s := b.Want(l, "somebody", func() { close(ended) }); !s.Again.IsZero() {
		t.Fatalf("it is not due: %v", s)
	}
	for _, do := range then {
		do()
	}
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody was woken")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Fetcher.mu.Lock()
	defer b.Fetcher.mu.Unlock()
	if w := b.wants[l]; w != nil {
		return State{w.err, w.next}
	}
	return State{}
}

func (b *bench) chart(name string, data []byte) config.Locked {
	l := entry(name, "^1.2", "1.2.0", data)
	l.URL = b.server.URL + "/" + name + ".tgz"
	return l
}

func TestFetcher(t *testing.T) {
	web := chartOf(t, "web", "1.2.0")
	b := newBench(t)
	l := b.chart("web", web)
	goOn := make(chan struct{})
	b.says(func(w http.ResponseWriter, _ *http.Request) {
		<-goOn
		w.WriteHeader(http.StatusBadGateway)
	})
	if _, err := b.Get(l); err == nil || err.Error() != "fetching chart web 1.2.0 of "+repository {
		t.Fatalf("at first: %v", err)
	}
	for wait := firstWait; wait <= 4*firstWait; wait *= 2 {
		s := b.wanted(t, l, func() {
			if wait == firstWait { // the try that Get began
				close(goOn)
			}
		})
		if s.Err == nil || s.Lasting() || s.Again.Sub(b.Now()) != wait {
			t.Fatalf("a server in trouble is asked again after %s: %v", s.Again.Sub(b.Now()), s.Err)
		}
		if again := b.Want(l, "somebody", nil); again.Err == nil || !again.Again.Equal(s.Again) {
			t.Fatalf("it is asked before that: %v", again)
		}
		b.pass(wait)
	}
	b.says(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(web[1:]) })
	s := b.wanted(t, l)
	if !s.Lasting() || s.Again.Sub(b.Now()) != lastWait {
		t.Fatalf("other bytes: %v", s)
	}
	b.pass(lastWait)
	b.says(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(web) })
	if s := b.wanted(t, l); s.Err != nil {
		t.Fatal(s.Err)
	}
	asked := b.asked.Load()
	if data, err := b.Get(l); err != nil || sumOf(data) != l.SHA256() || b.asked.Load() != asked {
		t.Errorf("kept: %v", err)
	}
}

// TestLesson32_OnlyListedServersAreAsked: a lock is written by an application, and may name any address.
func TestLesson32_OnlyListedServersAreAsked(t *testing.T) {
	b := newBench(t)
	b.says(func(http.ResponseWriter, *http.Request) {})
	if s := b.wanted(t, b.chart("foreign", nil)); !errors.Is(s.Err, ErrForbidden) || !s.Lasting() || b.asked.Load() != 0 {
		t.Errorf("asked %d times: %v", b.asked.Load(), s)
	}
}

// TestLesson12_ASlowServerIsWaitedForByNobody: whoever wants a chart goes on at once, and a server gets two requests at a time.
func TestLesson12_ASlowServerIsWaitedForByNobody(t *testing.T) {
	b := newBench(t)
	var inside, most atomic.Int32
	full := make(chan struct{}, 8)
	release := make(chan struct{})
	b.says(func(w http.ResponseWriter, _ *http.Request) {
		now := inside.Add(1)
		defer inside.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		full <- struct{}{}
		<-release
		w.WriteHeader(http.StatusNotFound)
	})
	var woken sync.WaitGroup
	for i := range 6 {
		woken.Add(1)
		if s := b.Want(b.chart(fmt.Sprint("web", i), nil), i, woken.Done); s.Err != nil || !s.Again.IsZero() {
			t.Fatalf("%v", s)
		}
	}
	<-full
	<-full
	close(release)
	woken.Wait()
	if most.Load() != atOnce {
		t.Errorf("%d at once", most.Load())
	}
}

package dashboard

import (
	"context"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/dashboardtest"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// ear is a connection that keeps what it was sent, or takes nothing.
type ear struct {
	http.ResponseWriter
	mu       sync.Mutex
	heard    strings.Builder
	deadline time.Time
	deaf     bool
}

func (e *ear) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf {
		time.Sleep(time.Until(e.deadline)) // as a full connection does
		return 0, os.ErrDeadlineExceeded
	}
	return e.heard.Write(p)
}
func (e *ear) FlushError() error { return nil }
func (e *ear) SetWriteDeadline(at time.Time) error {
	e.deadline = at
	return nil
}
func (e *ear) changes() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Count(e.heard.String(), "event: changed")
}

// listening has an ear listen until the returned function is called, which waits for the end.
func listening(s *Server, e *ear) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	e.ResponseWriter = httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/events", nil).WithContext(ctx)
	r.Host = "localhost"
	go func() {
		defer close(done)
		s.ServeHTTP(e, r)
	}()
	return func() { cancel(); <-done }
}

// TestEventsAreFew: however much changes, a viewer is told once a second, and of the last change too.
func TestEventsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := dashboardtest.Rich(time.Now())
		s, e := serverOf(t, source), &ear{}
		stop := listening(s, e)
		synctest.Wait()
		for range 50 {
			source.Change(func(*view.Board) {})
			time.Sleep(100 * time.Millisecond)
		}
		if n := e.changes(); n < 4 || n > 6 {
			t.Errorf("50 changes in five seconds were told %d times", n)
		}
		time.Sleep(2 * time.Second)
		before := e.changes()
		source.Change(func(*view.Board) {})
		synctest.Wait()
		if e.changes() != before+1 {
			t.Error("a change after a quiet time was not told at once")
		}
		time.Sleep(heardEvery)
		synctest.Wait()
		if !strings.Contains(e.heard.String(), "event: beat\n") {
			t.Errorf("nothing was heard in quiet times: %q", e.heard.String())
		}
		stop()
		synctest.Wait()
		if n := len(s.bell.listeners); n != 0 || source.Listeners() != 0 {
			t.Errorf("%d listeners are left of one that is gone, and %d at the source", n, source.Listeners())
		}
	})
}

// TestEventsEnd: a viewer has to come again, and is asked anew who it is.
func TestEventsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serverOf(t, dashboardtest.Rich(time.Now()))
		stop := listening(s, &ear{})
		defer stop()
		time.Sleep(listensFor + time.Second)
		synctest.Wait()
		if n := len(s.bell.listeners); n != 0 {
			t.Error("it listens for ever")
		}
	})
}

// TestEventsDropWhoDoesNotListen: a connection that takes nothing is given up, and holds up nobody.
func TestEventsDropWhoDoesNotListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := dashboardtest.Rich(time.Now())
		s, slow, quick := serverOf(t, source), &ear{deaf: true}, &ear{}
		stopSlow, stopQuick := listening(s, slow), listening(s, quick)
		synctest.Wait()
		began := time.Now()
		source.Change(func(*view.Board) {})
		if time.Since(began) != 0 {
			t.Error("a slow reader held up the source")
		}
		synctest.Wait()
		if quick.changes() != 1 {
			t.Error("a slow reader held up another")
		}
		time.Sleep(takesWithin)
		synctest.Wait()
		if n := len(s.bell.listeners); n != 1 {
			t.Errorf("%d listen, want only the quick one", n)
		}
		stopSlow()
		stopQuick()
	})
}

// TestHomeIsMadeOnce: many who ask for the same between two changes are answered by one page, and each after a change by a new one.
func TestHomeIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := dashboardtest.Rich(time.Now())
		s := serverOf(t, source)
		alone := source.Asked()
		get(s, "/")
		get(s, "/")
		if n := source.Asked() - alone; n != 2 {
			t.Errorf("without a listener two requests asked %d times: a change would not be seen", n)
		}
		stop := listening(s, &ear{})
		defer stop()
		synctest.Wait()
		before := source.Asked()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() { get(s, "/") })
		}
		all.Wait()
		if n := source.Asked() - before; n != 1 {
			t.Errorf("twenty requests asked %d times", n)
		}
		source.Change(func(b *view.Board) { b.Cells[0].Phase, b.Cells[0].Reason = "Failed", "it burns" })
		synctest.Wait()
		if !strings.Contains(get(s, "/").Body.String(), "it burns") {
			t.Error("after a change the page is that of before")
		}
	})
}

// TestEachIsCalledByName: a page that is made for many says to each who they are.
func TestEachIsCalledByName(t *testing.T) {
	s, err := New(Config{Source: dashboardtest.Rich(midday()), Gate: byHeader{}, Now: midday})
	if err != nil {
		t.Fatal(err)
	}
	_, leave, _ := s.bell.listen()
	defer leave()
	for _, name := range []string{"ada", "<b>lin</b>", ""} {
		got := get(s, "/", "X-Name", name).Body.String()
		if signed := strings.Contains(got, "Signed in as"); signed != (name != "") || !strings.Contains(got, html.EscapeString(name)) {
			t.Errorf("%q is not called by name", name)
		}
	}
}

type byHeader struct{}

func (byHeader) Viewer(_ http.ResponseWriter, r *http.Request) (Viewer, bool) {
	return Viewer{Name: r.Header.Get("X-Name")}, true
}

// TestEventsAreBounded: one more than can be served is told to come later.
func TestEventsAreBounded(t *testing.T) {
	s := serverOf(t, dashboardtest.Rich(midday()))
	s.bell.most = 1
	_, leave, _ := s.bell.listen()
	defer leave()
	got := get(s, "/events")
	if got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" || len(s.bell.listeners) != 1 {
		t.Errorf("got %d, and %d listeners", got.Code, len(s.bell.listeners))
	}
}

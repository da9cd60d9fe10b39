package access

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
)

func over(v dashboard.Viewer) bool {
	select {
	case <-v.Ended:
		return true
	default:
		return false
	}
}

func TestSessionsEnd(t *testing.T) {
	now := noon
	s := newSessions(time.Hour, 12*time.Hour, func() time.Time { return now })
	request := func() (context.Context, context.CancelFunc) { return context.WithCancel(t.Context()) }

	token := s.begin("ada", dashboard.Viewer{Name: "ada"})
	if _, ok := s.viewer(t.Context(), token+"x"); ok {
		t.Error("another token is as good")
	}
	if _, ok := s.viewer(t.Context(), ""); ok {
		t.Error("no token is as good")
	}
	ctx, leave := request()
	first, ok := s.viewer(ctx, token)
	if !ok || first.Name != "ada" {
		t.Fatalf("a session that began is not there: %+v", first)
	}
	// A stream is open: nothing is idle.
	now = now.Add(3 * time.Hour)
	ctx2, leave2 := request()
	if _, ok := s.viewer(ctx2, token); !ok {
		t.Error("a session with an open page is idle")
	}
	leave()
	leave2()
	closed(t, s, token)
	now = now.Add(time.Hour - time.Second)
	ctx, leave = request()
	if _, ok := s.viewer(ctx, token); !ok {
		t.Error("a session ended before it was idle for its time")
	}
	leave()
	closed(t, s, token)
	now = now.Add(time.Hour)
	if _, ok := s.viewer(t.Context(), token); ok || !over(first) {
		t.Error("an idle session goes on")
	}

	token = s.begin("ada", dashboard.Viewer{Name: "ada"})
	viewer, _ := s.viewer(t.Context(), token) // open to the end
	now = now.Add(12 * time.Hour)
	if _, ok := s.viewer(t.Context(), token); ok || !over(viewer) {
		t.Error("a session goes on for ever")
	}

	token = s.begin("ada", dashboard.Viewer{Name: "ada"})
	viewer, _ = s.viewer(t.Context(), token)
	s.end(token)
	s.end(token)
	if _, ok := s.viewer(t.Context(), token); ok || !over(viewer) {
		t.Error("a session that was ended goes on")
	}
}

// closed waits until no request of a session is under way: that it ends is told by its context, a moment later.
func closed(t *testing.T, s *sessions, token string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		s.mu.Lock()
		open := 0
		for _, held := range s.held {
			open += held.open
		}
		s.mu.Unlock()
		if open == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests of %q are still under way", open, token)
		}
	}
}

// TestSessionEndsItsStreams: what is under way ends when the session is longest, though nobody asks for it again.
func TestSessionEndsItsStreams(t *testing.T) {
	s := newSessions(time.Hour, 20*time.Millisecond, time.Now)
	viewer, _ := s.viewer(t.Context(), s.begin("ada", dashboard.Viewer{}))
	select {
	case <-viewer.Ended:
	case <-time.After(10 * time.Second):
		t.Error("it did not end")
	}
}

// TestSessionsAreBounded: however many log in, so many sessions are kept; one person's push out that person's.
func TestSessionsAreBounded(t *testing.T) {
	now := noon
	s := newSessions(time.Hour, 12*time.Hour, func() time.Time { now = now.Add(time.Millisecond); return now })
	first := s.begin("grace", dashboard.Viewer{})
	for range 5 * mostOfOne {
		s.begin("ada", dashboard.Viewer{})
	}
	if len(s.held) != mostOfOne+1 {
		t.Errorf("%d sessions are kept, want %d of ada and one of grace", len(s.held), mostOfOne)
	}
	if _, ok := s.viewer(t.Context(), first); !ok {
		t.Error("another's session was pushed out")
	}
	s = newSessions(time.Hour, 12*time.Hour, func() time.Time { return now })
	for i := range 3 {
		s.begin(strconv.Itoa(i), dashboard.Viewer{})
	}
	now = now.Add(2 * time.Hour)
	s.begin("ada", dashboard.Viewer{})
	if len(s.held) != 1 {
		t.Errorf("%d sessions are kept, of which one is not over", len(s.held))
	}
}

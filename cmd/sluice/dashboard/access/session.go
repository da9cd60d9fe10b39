package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
)

// sessions are those who are logged in. They may be used concurrently.
type sessions struct {
	idle, longest time.Duration
	now           func() time.Time

	mu   sync.Mutex
	held map[[32]byte]*session // by the hash of what the browser has: who reads this memory can log in as nobody
}

type session struct {
	of     string // whose it is
	viewer dashboard.Viewer
	began  time.Time
	seen   time.Time
	open   int // requests under way; as long as there is one, such as a stream, the session is not idle
	ended  chan struct{}
	timer  *time.Timer // ends it when it is longest, so that streams end too
}

// The sessions that are kept, of 1 KB each. The one that was idle longest makes room for another.
const (
	mostSessions = 10_000
	mostOfOne    = 20 // browsers and private windows of one person
)

func newSessions(idle, longest time.Duration, now func() time.Time) *sessions {
	return &sessions{idle: idle, longest: longest, now: now, held: map[[32]byte]*session{}}
}

// begin keeps a session, and returns what the browser has to show for it.
func (s *sessions) begin(of string, viewer dashboard.Viewer) (token string) {
	token = rand.Text() + rand.Text() // 260 bits
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.makeRoom(of)
	ended := make(chan struct{})
	viewer.Ended = ended
	now := s.now()
	s.held[key] = &session{
		of: of, viewer: viewer, began: now, seen: now, ended: ended, timer: time.AfterFunc(s.longest, func() { s.end(token) }),
	}
	return token
}

// makeRoom ends sessions that are over, and where there are too many the idlest.
func (s *sessions) makeRoom(of string) {
	var idlest, idlestOfOne *[32]byte
	ofOne := 0
	for key, held := range s.held {
		if s.over(held) {
			s.drop(key)
			continue
		}
		if idlest == nil || held.seen.Before(s.held[*idlest].seen) {
			idlest = &key
		}
		if held.of != of {
			continue
		}
		ofOne++
		if idlestOfOne == nil || held.seen.Before(s.held[*idlestOfOne].seen) {
			idlestOfOne = &key
		}
	}
	switch {
	case ofOne >= mostOfOne:
		s.drop(*idlestOfOne)
	case len(s.held) >= mostSessions:
		s.drop(*idlest)
	}
}

func (s *sessions) over(held *session) bool {
	now := s.now()
	return now.Sub(held.began) >= s.longest || held.open == 0 && now.Sub(held.seen) >= s.idle
}

func (s *sessions) drop(key [32]byte) {
	held := s.held[key]
	delete(s.held, key)
	held.timer.Stop()
	close(held.ended)
}

// viewer returns whose session it is, which is under way until ctx ends.
func (s *sessions) viewer(ctx context.Context, token string) (dashboard.Viewer, bool) {
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held[key]
	if held == nil {
		return dashboard.Viewer{}, false
	}
	if s.over(held) {
		s.drop(key)
		return dashboard.Viewer{}, false
	}
	held.open++
	held.seen = s.now()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		held.open--
		held.seen = s.now()
	})
	return held.viewer, true
}

// end ends a session, if there is one.
func (s *sessions) end(token string) {
	key := sha256.Sum256([]byte(token))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[key] != nil {
		s.drop(key)
	}
}

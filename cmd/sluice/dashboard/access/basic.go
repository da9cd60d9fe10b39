package access

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
)

// BasicConfig is what a Basic needs.
type BasicConfig struct {
	// Users reads lines name:hash, with bcrypt. They are read again after five minutes.
	Users func(context.Context) ([]byte, error)
	Sees  Sees
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
}

// Basic asks for a name and a password. It may be used concurrently.
type Basic struct {
	config BasicConfig
	key    [32]byte      // of what is remembered
	slots  chan struct{} // comparisons at once
	tries  *tries

	mu    sync.Mutex
	users *users
	text  []byte // that users were read from
	until time.Time
	err   error // of the last time that they were read
	// reading: somebody does.
	reading bool

	remembered struct {
		sync.Mutex
		until map[[32]byte]time.Time // by what was right
	}
}

const (
	// readAgain is how old users and what was right may be.
	readAgain = 5 * time.Minute
	// readSoon is when users are read again after that failed.
	readSoon = 10 * time.Second
	// longestPassword is what bcrypt takes; what is behind that it would not look at.
	longestPassword = 72
	// mostRemembered bounds what is remembered, of 100 bytes each.
	mostRemembered = 4096
)

// NewBasic makes a Basic. It reads no users yet.
func NewBasic(config BasicConfig) *Basic {
	if config.Now == nil {
		config.Now = time.Now
	}
	// Two comparisons at once leave the rest of the processors to the agent. Wrong passwords: ten at once and six a minute of one name,
	// thirty at once and one a second from one address, fifty at once and two a second from all.
	b := &Basic{config: config, slots: make(chan struct{}, 2), tries: newTries(often{0.1, 10}, often{1, 30}, often{2, 50})}
	_, _ = rand.Read(b.key[:]) // it never fails
	b.remembered.until = map[[32]byte]time.Time{}
	return b
}

// Viewer implements dashboard.Gate.
func (b *Basic) Viewer(w http.ResponseWriter, r *http.Request) (dashboard.Viewer, bool) {
	users, err := b.known(r.Context())
	if err != nil {
		w.Header().Set("Retry-After", "10")
		answer{
			Status: http.StatusServiceUnavailable, Title: "Nobody can be known now",
			Text: "The list of users cannot be read. The agent's log says why, and it is tried again.",
		}.give(w, r)
		return dashboard.Viewer{}, false
	}
	name, password, given := r.BasicAuth()
	if given {
		right, allowed := b.right(r, users, name, password)
		if !allowed {
			w.Header().Set("Retry-After", "10")
			answer{
				Status: http.StatusTooManyRequests, Title: "Too many wrong passwords",
				Text: "Wait a little before the next one.",
			}.give(w, r)
			return dashboard.Viewer{}, false
		}
		if right {
			viewer, ok := b.config.Sees.viewer(known{user: name})
			if !ok {
				stranger(w, r)
			}
			return viewer, ok
		}
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="Sluice", charset="UTF-8"`)
	answer{
		Status: http.StatusUnauthorized, Title: "Who are you?",
		Text: "A name and a password are needed here.",
	}.give(w, r)
	return dashboard.Viewer{}, false
}

// right compares a password. What is the same whoever there is: the hash that is compared with has one cost. What was right is
// remembered for a while, by a hash that only this process can make, since a comparison takes longer than a page.
func (b *Basic) right(r *http.Request, users *users, name, password string) (right, allowed bool) {
	hash, there := users.hash(name)
	seal := b.seal(name, password, hash)
	if b.remembers(seal) {
		return true, true
	}
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-r.Context().Done():
		return false, true
	}
	if b.remembers(seal) { // another request of the same page was first
		return true, true
	}
	now := b.config.Now()
	if !b.tries.may(r, name, now) {
		return false, false
	}
	same := bcrypt.CompareHashAndPassword(hash, []byte(password[:min(len(password), longestPassword)])) == nil
	if !same || !there || len(password) > longestPassword {
		b.tries.count(r, name, now)
		return false, true
	}
	b.remember(seal, now)
	return true, true
}

func (b *Basic) seal(name, password string, hash []byte) (seal [32]byte) {
	mac := hmac.New(sha256.New, b.key[:])
	for _, part := range [][]byte{[]byte(name), []byte(password), hash} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write(part)
	}
	mac.Sum(seal[:0])
	return seal
}

func (b *Basic) remembers(seal [32]byte) bool {
	b.remembered.Lock()
	defer b.remembered.Unlock()
	return b.config.Now().Before(b.remembered.until[seal])
}

func (b *Basic) remember(seal [32]byte, now time.Time) {
	b.remembered.Lock()
	defer b.remembered.Unlock()
	if len(b.remembered.until) >= mostRemembered {
		clear(b.remembered.until)
	}
	b.remembered.until[seal] = now.Add(readAgain)
}

// errReading is for those who come while the users are read for the first time.
var errReading = errors.New("the users are being read")

// known returns the users. Where they cannot be read those of the last time count, and why is logged once. One request reads them,
// and nobody else waits for it.
func (b *Basic) known(ctx context.Context) (*users, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.reading && !b.config.Now().Before(b.until) {
		b.reading = true
		b.mu.Unlock()
		reading, cancel := context.WithTimeout(context.WithoutCancel(ctx), readSoon)
		text, err := b.config.Users(reading)
		cancel()
		b.mu.Lock()
		b.reading = false
		b.take(text, err, b.config.Now())
	}
	if b.users == nil {
		return nil, cmp.Or(b.err, errReading)
	}
	return b.users, nil
}

// take keeps what was read. The caller holds b.mu.
func (b *Basic) take(text []byte, err error, now time.Time) {
	if err == nil && (b.users == nil || !bytes.Equal(text, b.text)) {
		var read *users
		if read, err = parseUsers(text); err == nil {
			b.users, b.text = read, bytes.Clone(text)
		}
	}
	b.until = now.Add(readAgain)
	if err != nil {
		b.until = now.Add(readSoon)
		if b.err == nil || b.err.Error() != err.Error() {
			b.config.Log.Error("Users of the dashboard were not read", "err", err)
		}
	}
	b.err = err
}

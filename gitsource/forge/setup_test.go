package forge_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
)

const (
	revision = "4f1c0c2e5d5f4c1c9b1f7a5e2f6f0d6a1b2c3d4e"
	token    = "very-secret-token"
)

// answer is one that a forge gives, after its documentation.
type answer struct {
	doc    string // the page that it follows
	on     string // method, path and the part of the query that counts: "GET /repos/acme/shop/pulls?page=2"
	status int    // zero is 200
	header map[string]string
	body   string
	times  int // how often it is given before the next one for the same request is; zero is for ever
}

// canned is a forge that knows some answers.
type canned struct {
	t   *testing.T
	url string

	mu      sync.Mutex
	answers []*answer
	asked   []request
}

type request struct {
	what   string // method and path
	header http.Header
	body   map[string]any
}

func serve(t *testing.T, answers ...answer) *canned {
	t.Helper()
	c := &canned{t: t}
	for _, a := range answers {
		if !strings.HasPrefix(a.doc, "https://") {
			t.Fatalf("answer to %s follows no documentation", a.on)
		}
		c.answers = append(c.answers, &a)
	}
	srv := httptest.NewServer(http.HandlerFunc(c.answer))
	t.Cleanup(srv.Close)
	c.url = srv.URL
	return c
}

func (c *canned) answer(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Error(err)
	}
	got := request{what: r.Method + " " + r.URL.EscapedPath(), header: r.Header.Clone()}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &got.body); err != nil {
			c.t.Errorf("%s has the body %q: %v", got.what, raw, err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, got)
	for i, a := range c.answers {
		what, query, _ := strings.Cut(a.on, "?")
		if what != got.what {
			continue
		}
		fits := true
		for pair := range strings.SplitSeq(query, "&") {
			if name, value, ok := strings.Cut(pair, "="); ok && r.URL.Query().Get(name) != value {
				fits = false
			}
		}
		if !fits {
			continue
		}
		if a.times--; a.times == 0 {
			c.answers = append(c.answers[:i:i], c.answers[i+1:]...)
		}
		w.Header().Set("Content-Type", "application/json")
		for name, value := range a.header {
			w.Header().Set(name, strings.ReplaceAll(value, "{url}", c.url))
		}
		w.WriteHeader(max(a.status, http.StatusOK))
		if a.status == 0 || a.status >= 200 {
			fmt.Fprint(w, a.body)
		}
		return
	}
	c.t.Errorf("nobody was to ask %s?%s", got.what, r.URL.RawQuery)
	w.WriteHeader(http.StatusTeapot)
}

// requests are those that were made, of one method and path where it is given.
func (c *canned) requests(what string) []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []request
	for _, r := range c.asked {
		if what == "" || r.what == what {
			out = append(out, r)
		}
	}
	return out
}

// clock is the time of a test. It stands until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func withToken() (gitsource.Secret, error) { return gitsource.NewSecret(token), nil }

func open(t *testing.T, kind forge.Kind, api string, change ...func(*forge.Config)) *forge.Client {
	t.Helper()
	cfg := forge.Config{
		Kind: kind, URL: "git@forge.example.org:acme/shop.git", API: api, Token: withToken, Now: newClock().Now,
		Timeout: 20 * time.Second,
	}
	for _, c := range change {
		c(&cfg)
	}
	client, err := forge.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func at(c *clock) func(*forge.Config) { return func(cfg *forge.Config) { cfg.Now = c.Now } }

// problem wants an error of a kind, and trouble returns it.
func problem(t *testing.T, err error, want forge.Problem) {
	t.Helper()
	_ = trouble(t, err, want)
}

func trouble(t *testing.T, err error, want forge.Problem) *forge.Error {
	t.Helper()
	var e *forge.Error
	if !errors.As(err, &e) {
		t.Fatalf("error = %v, want one of a forge: %s", err, want)
	}
	if e.Problem != want {
		t.Errorf("error = %v, want: %s", err, want)
	}
	if strings.Contains(err.Error(), token) {
		t.Errorf("error shows the token: %v", err)
	}
	return e
}

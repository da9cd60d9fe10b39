package reconciler

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// clock is the time of a test. It stands while somebody holds it, so that what servers do takes none of it.
type clock struct {
	held sync.RWMutex

	mu     sync.Mutex
	now    time.Time
	timers map[chan time.Time]time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), timers: map[chan time.Time]time.Time{}}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := make(chan time.Time, 1)
	c.timers[timer] = c.now.Add(d)
	return timer
}

func (c *clock) sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-c.After(d):
		return true
	}
}

// advance moves the time on, and rings what is due.
func (c *clock) advance(d time.Duration) {
	c.held.Lock()
	defer c.held.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for timer, at := range c.timers {
		if !at.After(c.now) {
			timer <- c.now
			delete(c.timers, timer)
		}
	}
}

// limited is GitHub's API as far as it takes statuses, with its documented limits for one account: 80 requests a minute and 500
// an hour that create something, of whomever. What is above gets a 403 with Retry-After:
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
type limited struct {
	clock *clock

	mu       sync.Mutex
	writes   []time.Time
	statuses map[string]map[string]string // by commit and context, what it says
	refused  int
}

func (l *limited) within(window time.Duration) (n int) {
	for _, at := range l.writes {
		if l.clock.Now().Sub(at) < window {
			n++
		}
	}
	return n
}

func (l *limited) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		fmt.Fprint(w, `{"statuses":[]}`)
		return
	}
	if l.within(time.Minute) >= 80 || l.within(time.Hour) >= 500 {
		l.refused++
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"message":"You have exceeded a secondary rate limit."}`)
		return
	}
	l.writes = append(l.writes, l.clock.Now())
	text, _ := io.ReadAll(r.Body) // of a request that was sent whole
	var said struct{ Context, State string }
	if err := json.Unmarshal(text, &said); err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	commit := filepath.Base(r.URL.Path)
	if l.statuses[commit] == nil {
		l.statuses[commit] = map[string]string{}
	}
	l.statuses[commit][said.Context] = said.State
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"id":1}`)
}

// pushCounter is a Git server behind something that notes when pushes come.
type pushCounter struct {
	clock *clock
	next  http.Handler

	mu     sync.Mutex
	pushes []time.Time
}

func (c *pushCounter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.clock.held.RLock()
	defer c.clock.held.RUnlock()
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/git-receive-pack") {
		c.mu.Lock()
		c.pushes = append(c.pushes, c.clock.Now())
		c.mu.Unlock()
	}
	c.next.ServeHTTP(w, r)
}

// most is how many pushes came within some minute.
func (c *pushCounter) most() (most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.pushes {
		n := 0
		for _, at := range c.pushes[i:] {
			if at.Sub(c.pushes[i]) < time.Minute {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// writer is the agent of one environment, of which nothing runs but what writes.
type writer struct {
	*Agent
	environment string
	src         *source
	client      *forge.Client
	maker       record.Maker
}

// office is a repository at GitHub that two writers share, who know nothing of each other.
type office struct {
	*testing.T
	clock   *clock
	git     *gittest.Server
	pushes  *pushCounter
	api     *limited
	commits []string
	writers []*writer
}

func newOffice(t *testing.T, commits int) *office {
	t.Helper()
	o := &office{T: t, clock: newClock(), git: gittest.New(t)}
	for i := range commits {
		o.commits = append(o.commits, o.git.Commit(t, "shop", gittest.Change{Files: map[string]string{
			"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", fmt.Sprint(i)),
		}}))
	}
	server, err := url.Parse(o.git.HTTP())
	if err != nil {
		t.Fatal(err)
	}
	o.pushes = &pushCounter{clock: o.clock, next: httputil.NewSingleHostReverseProxy(server)}
	o.api = &limited{clock: o.clock, statuses: map[string]map[string]string{}}
	git, api := httptest.NewServer(o.pushes), httptest.NewServer(o.api)
	t.Cleanup(git.Close)
	t.Cleanup(api.Close)
	for _, environment := range []string{"staging", "production"} {
		o.writers = append(o.writers, o.hire(environment, git.URL, api.URL))
	}
	return o
}

func (o *office) hire(environment, git, api string) *writer {
	o.Helper()
	dir := o.TempDir()
	for name, value := range map[string]string{"username": "agent", "password": gittest.Password, "token": "t"} {
		sub := filepath.Join(dir, map[bool]string{true: "forge", false: "git"}[name == "token"])
		if err := os.MkdirAll(sub, 0o700); err != nil {
			o.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, name), []byte(value), 0o600); err != nil {
			o.Fatal(err)
		}
	}
	rules, err := config.ParseAgent("agent.yaml", fmt.Appendf(nil, `
apiVersion: sluice.dev/v1alpha1
kind: Agent
metadata: {name: %[1]s}
dataDir: %[2]s
listen: none
environments: [{name: %[1]s}]
permissions: [{applications: ['*'], serviceAccount: a/b, namespaces: ['*']}]
repositories:
- name: shop
  url: %[3]s/shop.git
  applications: {path: '*'}
  credentials: {directory: %[4]s/git}
  forge: {kind: github, api: %[5]s, repository: acme/shop, token: {directory: %[4]s/forge}}
`, environment, o.TempDir(), git, dir, api))
	if err != nil {
		o.Fatal(err)
	}
	agent, err := New(Config{Agent: rules, Identity: environment, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		o.Fatal(err)
	}
	w := &writer{Agent: agent, environment: environment, src: agent.catalog.sources[0]}
	o.Cleanup(func() { w.src.git.Close() })
	conf := agent.publishing()
	conf.Clock = o.clock
	agent.now, agent.publisher = o.clock.Now, record.New(conf)
	w.src.pace.now, w.src.pace.sleep = o.clock.Now, o.clock.sleep
	if err := w.src.poll(o.Context()); err != nil {
		o.Fatal(err)
	}
	if w.client, err = agent.openForge(w.src.repo); err != nil {
		o.Fatal(err)
	}
	signer, err := record.NewKey()
	if err != nil {
		o.Fatal(err)
	}
	w.maker = record.Maker{Signer: signer}
	return w
}

// report has a writer tell of so many applications on each commit, in Git and at the forge, all at one moment.
func (o *office) report(w *writer, applications int) {
	o.Helper()
	for n := range applications {
		key := Key{fmt.Sprintf("app-%d", n), w.environment}
		chain := record.Chain{Application: key.Application, Environment: key.Environment}
		for _, revision := range o.commits {
			line, next, err := w.maker.Make(chain, record.Line{Phase: policies.Healthy, Revision: revision, Trigger: revision, At: o.clock.Now()})
			if err != nil {
				o.Fatal(err)
			}
			chain = next
			w.write(w.src, w.environment, []record.Line{line}, w.target(key))
			w.src.statuses.want(key, policies.Healthy, policies.Release{Revision: revision, Trigger: revision}, "")
		}
	}
}

// propose has a writer move so many branches of promotions, as fast as it is let.
func (o *office) propose(ctx context.Context, w *writer, branches int) error {
	for n := range branches {
		_, err := w.src.git.Publish(ctx, gitsource.Branch{
			Ref: fmt.Sprintf("%sapp-%d/%s", promotions, n, w.environment), Onto: o.commits[0], Message: "Promote", Time: o.clock.Now(),
			Files: gitsource.Files{"releases/x.yaml": {Content: fmt.Appendf(nil, "revision: %d\n", n)}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// run lets the time go on until all is told, and returns how long that took.
func (o *office) run(within time.Duration, branches int) time.Duration {
	o.Helper()
	ctx, cancel := context.WithCancel(o.Context())
	var running, proposing sync.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, w := range o.writers {
		running.Go(func() { w.publisher.Run(ctx) })
		proposing.Go(func() {
			if err := o.propose(ctx, w, branches); err != nil {
				o.Error(err)
			}
		})
	}
	proposed := make(chan struct{})
	running.Go(func() { proposing.Wait(); close(proposed) })
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for began := o.clock.Now(); ; o.clock.advance(time.Second) {
		elapsed, waits := o.clock.Now().Sub(began), 0
		for _, w := range o.writers {
			if w.src.statuses.flush(ctx, w.client) > 0 {
				waits++
			}
			waits += w.publisher.Status().Queued
		}
		select {
		case <-proposed:
			if waits == 0 {
				return elapsed
			}
		default:
		}
		if elapsed > within {
			o.Fatalf("after %s something is not told yet: %d", elapsed, waits)
		}
		<-tick.C
	}
}

// told says what is at the forge and in Git of so many applications.
func (o *office) told(applications int) {
	o.Helper()
	for _, revision := range o.commits {
		if n := len(o.api.statuses[revision]); n != applications*len(o.writers) {
			o.Errorf("%d statuses on %.7s, want %d of each writer", n, revision, applications)
		}
		for of, state := range o.api.statuses[revision] {
			if state != "success" {
				o.Errorf("%s is %s", of, state)
			}
		}
	}
	for _, w := range o.writers {
		notes, err := w.src.git.ReadNotes(o.Context(), record.Ref(w.environment))
		if err != nil {
			o.Fatal(err)
		}
		lines := record.ParseNotes(notes)
		good := record.Counting(lines, record.Verify(lines, record.NewKeyring(w.maker.Signer.Public())))
		if len(good) != applications*len(o.commits) {
			o.Errorf("%d lines of %s count, want %d", len(good), w.environment, applications*len(o.commits))
		}
	}
}

// TestLesson24_TwoWritersKeepToGitHubsLimits: 1000 statuses come up in one moment, of two agents that know nothing of each other.
// None is lost, neither at the forge nor in Git, and both together stay within what GitHub takes of statuses and of pushes.
func TestLesson24_TwoWritersKeepToGitHubsLimits(t *testing.T) {
	t.Parallel()
	const applications, branches = 20, 15
	o := newOffice(t, 25)
	for _, w := range o.writers {
		o.report(w, applications)
	}
	for _, w := range o.writers {
		if another, err := w.openForge(w.src.repo); err != nil || another.Budget() != w.client.Budget() {
			t.Errorf("what looks after requests counts for itself: %v", err)
		}
	}
	took := o.run(3*time.Hour, branches)
	o.told(applications)
	if o.api.refused > 0 {
		t.Errorf("the forge refused %d requests for their number", o.api.refused)
	}
	if n := len(o.api.writes); n != 1000 {
		t.Errorf("%d statuses were posted, want each of the 1000 once", n)
	}
	if most := o.pushes.most(); most > 6 {
		t.Errorf("%d pushes in a minute, of which GitHub takes 6", most)
	}
	notes := len(o.pushes.pushes) - 2*branches
	if notes > 10 {
		t.Errorf("%d pushes for the lines", notes)
	}
	t.Logf("all was told after %s: 1000 lines in %d pushes beside %d of branches, at most %d in a minute", took, notes, 2*branches, o.pushes.most())
}

// TestLesson24_AnAccountThatOthersUse: what the forge then refuses is posted when it said, and nothing is sent before.
func TestLesson24_AnAccountThatOthersUse(t *testing.T) {
	t.Parallel()
	const applications = 20
	o := newOffice(t, 10)
	for range 400 {
		o.api.writes = append(o.api.writes, o.clock.Now())
	}
	for _, w := range o.writers {
		o.report(w, applications)
	}
	o.run(3*time.Hour, 0)
	o.told(applications)
	if o.api.refused == 0 || o.api.refused > 2*61 {
		t.Errorf("%d requests were refused, want at most one a minute of each, for an hour", o.api.refused)
	}
}

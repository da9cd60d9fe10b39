package record

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/policies"
)

// forge is a server with notes: a union of lines for each ref and revision, as gitsource makes it. Its time is
// that of the test's bubble.
type forge struct {
	delay time.Duration // how long a push takes
	fail  func(ref string) error

	mu     sync.Mutex
	notes  map[string]map[string]map[string]bool // ref, revision, line
	pushes []push
}

type push struct {
	At    time.Duration // since the start of the bubble's clock
	Ref   string
	Lines int
	Keep  string
}

var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (f *forge) AppendNotes(ctx context.Context, ref string, add map[string][]string, keep []string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := push{At: time.Since(bubbleStart), Ref: strings.TrimPrefix(ref, Prefix), Keep: strings.Join(keep, " ")}
	for _, lines := range add {
		p.Lines += len(lines)
	}
	f.pushes = append(f.pushes, p)
	if f.delay > 0 {
		select {
		case <-time.After(f.delay):
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if f.fail != nil {
		if err := f.fail(ref); err != nil {
			return "", err
		}
	}
	if f.notes == nil {
		f.notes = map[string]map[string]map[string]bool{}
	}
	if f.notes[ref] == nil {
		f.notes[ref] = map[string]map[string]bool{}
	}
	for revision, lines := range add {
		if f.notes[ref][revision] == nil {
			f.notes[ref][revision] = map[string]bool{}
		}
		for _, line := range lines {
			f.notes[ref][revision][line] = true
		}
	}
	return revA, nil
}

// parsed reads a ref back.
func (f *forge) parsed(environment string) []ParsedLine {
	notes := map[string][]byte{}
	for revision, lines := range f.notes[Ref(environment)] {
		notes[revision] = []byte(strings.Join(slices.Sorted(maps.Keys(lines)), "\n"))
	}
	return ParseNotes(notes)
}

// run starts a publisher, without jitter if none is given; stop ends it and waits for Run.
func run(cfg Config) (p *Publisher, stop func()) {
	if cfg.Jitter == nil {
		cfg.Jitter = func(d time.Duration) time.Duration { return d }
	}
	p = New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { p.Run(ctx); close(ended) }()
	return p, func() { cancel(); <-ended }
}

// to makes lines of the phases for an environment, each on revA.
func to(t testing.TB, application, environment string, phases ...policies.Phase) []Line {
	t.Helper()
	chain := Chain{Application: application, Environment: environment}
	var lines []Line
	for _, phase := range phases {
		line, next, err := Maker{Signer: fixedKey()}.Make(chain, Line{Phase: phase, Revision: revA, At: noon})
		if err != nil {
			t.Fatal(err)
		}
		lines, chain = append(lines, line), next
	}
	return lines
}

// tally counts which IDs were confirmed.
type tally struct {
	mu    sync.Mutex
	times map[string]int
}

func (c *tally) done(ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times == nil {
		c.times = map[string]int{}
	}
	for _, id := range ids {
		c.times[id]++
	}
}

func (c *tally) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.times)
}

// wait lets the bubble's clock run.
func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestLesson24_AThousandApplicationsReportAtOnce(t *testing.T) {
	const applications = 1000
	cases := map[string]struct {
		reason string
		phase  policies.Phase
		spread time.Duration // between one application and the next
		pushes int
	}{
		"Progress": {"gathered for a second: one push", policies.Progressing, 0, 1},
		"Proven":   {"the first one goes at once, the others with the next slot", policies.Healthy, 0, 2},
		"InASec":   {"spread over a second, they still share the slots", policies.Healthy, time.Millisecond, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forge, confirmed := &forge{delay: 30 * time.Millisecond}, &tally{}
				p, stop := run(Config{})
				for n := range applications {
					line := to(t, fmt.Sprintf("app-%d", n), "production", tc.phase)
					p.Add(Target{Repository: "r", Environment: "production", Notes: forge}, line, confirmed.done)
					if tc.spread > 0 || n == 0 {
						wait(tc.spread)
					}
				}
				wait(3 * time.Second)
				stop()
				parsed := forge.parsed("production")
				for i, verdict := range Verify(parsed, NewKeyring(fixedKey().Public())) {
					if !verdict.Decisive() {
						t.Errorf("%s: %s", parsed[i].Summary(), verdict)
					}
				}
				if len(parsed) != applications || confirmed.count() != applications {
					t.Errorf("%d lines in Git, %d confirmed, want %d", len(parsed), confirmed.count(), applications)
				}
				if len(forge.pushes) > tc.pushes {
					t.Errorf("%s: %d pushes, want %d: %+v", tc.reason, len(forge.pushes), tc.pushes, forge.pushes)
				}
			})
		})
	}
}

func TestPublisherSlots(t *testing.T) {
	const sec = time.Second
	type add struct {
		at          time.Duration
		environment string
		phase       policies.Phase
	}
	cases := map[string]struct {
		reason string
		cfg    Config
		adds   []add
		want   []push
	}{
		"Gathers": {"lines of one interval go together", Config{Interval: 2 * sec},
			[]add{{0, "e1", policies.Progressing}, {sec, "e1", policies.Pending}, {3 * sec, "e1", policies.Holding}},
			[]push{{2 * sec, "e1", 2, ""}, {5 * sec, "e1", 1, ""}}},
		"DecisiveGoesFirst": {"proven does not wait to be gathered, and takes along what waits", Config{Interval: 5 * sec},
			[]add{{0, "e1", policies.Progressing}, {sec, "e1", policies.Healthy}},
			[]push{{sec, "e1", 2, revA}}},
		"OneBudget": {"a hosted forge: ten seconds between pushes, whatever the ref; a decisive line takes the next slot", Config{MinPush: 10 * sec},
			[]add{{0, "e1", policies.Progressing}, {1500 * time.Millisecond, "e2", policies.Progressing}, {2 * sec, "e3", policies.Failed}, {12 * sec, "e1", policies.RolledBack}},
			[]push{{sec, "e1", 1, ""}, {11 * sec, "e3", 1, ""}, {21 * sec, "e1", 1, ""}, {31 * sec, "e2", 1, ""}}},
		"OwnSlots": {"on a plain server each ref has its own slots", Config{},
			[]add{{0, "e1", policies.Healthy}, {0, "e2", policies.Healthy}, {sec / 2, "e1", policies.Failed}},
			[]push{{0, "e1", 1, revA}, {0, "e2", 1, revA}, {sec, "e1", 1, ""}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				forge := &forge{}
				p, stop := run(tc.cfg)
				for _, a := range tc.adds {
					wait(a.at - time.Since(bubbleStart))
					p.Add(Target{Repository: "r", Environment: a.environment, Notes: forge}, to(t, "app-"+strings.ToLower(string(a.phase)), a.environment, a.phase), nil)
				}
				wait(time.Minute)
				if diff := cmp.Diff(tc.want, forge.pushes); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
				}
				stop()
				if len(forge.pushes) != len(tc.want) {
					t.Errorf("pushed at shutdown with nothing waiting: %+v", forge.pushes)
				}
			})
		})
	}
}

func TestPublisherBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &forge{fail: func(string) error { return errors.New("dial https://bob:hunter2@forge: refused") }}
		good := &forge{}
		confirmed := &tally{}
		p, stop := run(Config{Backoff: time.Second, MaxBackoff: 6 * time.Second, Jitter: func(d time.Duration) time.Duration { return d + d/10 }})
		p.Add(Target{Repository: "bad", Environment: "e", Notes: bad}, to(t, "shop", "e", policies.Healthy), confirmed.done)
		wait(500 * time.Millisecond)
		p.Add(Target{Repository: "good", Environment: "e", Notes: good}, to(t, "shop", "e", policies.Healthy), nil)
		p.Add(Target{Repository: "bad", Environment: "e", Notes: bad}, to(t, "cart", "e", policies.Healthy), confirmed.done)
		wait(15500 * time.Millisecond)
		var at []float64
		for _, push := range bad.pushes {
			at = append(at, push.At.Seconds())
		}
		if diff := cmp.Diff([]float64{0, 1.1, 3.3, 7.7, 14.3}, at); diff != "" {
			t.Errorf("doubled up to the most, with jitter, and a decisive line does not cut it short (-want +got):\n%s", diff)
		}
		if len(good.pushes) != 1 {
			t.Errorf("another repository: %+v", good.pushes)
		}
		got := p.Status().Targets[0]
		want := TargetStatus{Repository: "bad", Environment: "e", Queued: 2, Oldest: bubbleStart.Local(), Pushes: 5, Failures: 5,
			LastError: "dial https://forge: refused"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
		bad.mu.Lock()
		bad.fail = nil
		bad.mu.Unlock()
		wait(5 * time.Second)
		if got := p.Status(); got.Queued != 0 || got.Targets[0].LastError != "" || got.Targets[0].LastPush.IsZero() {
			t.Errorf("after it came back: %+v", got)
		}
		if confirmed.count() != 2 {
			t.Errorf("%d confirmed, want 2", confirmed.count())
		}
		stop()
	})
}

type refusal struct{ error }

func (refusal) ReadOnly() bool { return true }

func TestPublisherWithReadOnlyCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forge{fail: func(string) error { return fmt.Errorf("push: %w", refusal{errors.New("denied")}) }}
		var said []string
		p, stop := run(Config{OnReadOnly: func(repository string, err error) { said = append(said, repository+" "+err.Error()) }})
		for _, environment := range []string{"e1", "e2"} {
			p.Add(Target{Repository: "r", Environment: environment, Notes: f}, to(t, "shop", environment, policies.Healthy), nil)
		}
		wait(59 * time.Minute)
		if len(f.pushes) != 12 {
			t.Errorf("%d attempts in an hour, want one every ten minutes for each ref", len(f.pushes))
		}
		if diff := cmp.Diff([]string{"r push: denied"}, said); diff != "" {
			t.Errorf("said (-want +got):\n%s", diff)
		}
		if status := p.Status(); status.Queued != 2 || !status.Targets[1].ReadOnly {
			t.Errorf("status: %+v", status)
		}
		f.mu.Lock()
		f.fail = nil
		f.mu.Unlock()
		wait(10 * time.Minute)
		if p.Status().Queued != 0 {
			t.Errorf("the right was given, and still: %+v", p.Status())
		}
		f.mu.Lock()
		f.fail = func(string) error { return refusal{errors.New("denied")} }
		f.mu.Unlock()
		p.Add(Target{Repository: "r", Environment: "e1", Notes: f}, to(t, "cart", "e1", policies.Healthy), nil)
		wait(time.Second)
		if len(said) != 2 {
			t.Errorf("taken away again, said %d times", len(said))
		}
		pushes := len(f.pushes)
		stop()
		if len(f.pushes) != pushes {
			t.Error("tried at shutdown what cannot be written")
		}
	})
}

func TestPublisherNeverHoldsAnybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, quick := &forge{delay: 24 * time.Hour}, &forge{}
		p, stop := run(Config{Timeout: time.Minute})
		block := make(chan struct{})
		p.Add(Target{Repository: "quick", Environment: "e", Notes: quick}, to(t, "stuck", "e", policies.Healthy), func([]string) { <-block })
		p.Add(Target{Repository: "slow", Environment: "e", Notes: slow}, to(t, "shop", "e", policies.Healthy), nil)
		wait(time.Second)
		before := time.Now()
		p.Add(Target{Repository: "slow", Environment: "e", Notes: slow}, to(t, "cart", "e", policies.Healthy), nil)
		p.Add(Target{Repository: "quick", Environment: "e", Notes: quick}, to(t, "cart", "e", policies.Healthy), nil)
		p.Status()
		if waited := time.Since(before); waited != 0 {
			t.Errorf("Add waited %s", waited)
		}
		wait(time.Second)
		if len(quick.pushes) != 2 {
			t.Errorf("a slow forge and a slow done function held another: %+v", quick.pushes)
		}
		wait(time.Minute)
		if got := p.Status().Targets[1]; got.Failures != 1 || got.LastError != context.DeadlineExceeded.Error() {
			t.Errorf("a hanging push was not ended by its timeout: %+v", got)
		}
		close(block)
		stop()
	})
}

func TestPublisherConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, first, second, late := &forge{delay: time.Second}, &tally{}, &tally{}, &tally{}
		target := Target{Repository: "r", Environment: "e", Notes: f}
		lines := to(t, "shop", "e", policies.Progressing, policies.Healthy)
		p, stop := run(Config{})
		p.Add(target, append(lines, lines...), first.done)
		wait(500 * time.Millisecond) // under way
		p.Add(target, lines, second.done)
		if first.count() != 0 {
			t.Error("confirmed before the push was")
		}
		wait(time.Second)
		p.Add(target, lines, late.done)
		wait(5 * time.Second)
		stop()
		if len(f.pushes) != 1 || f.pushes[0].Lines != 2 {
			t.Errorf("the same lines were pushed again: %+v", f.pushes)
		}
		want := map[string]int{lines[0].ID: 1, lines[1].ID: 1}
		for name, got := range map[string]*tally{"first": first, "second": second, "late": late} {
			if diff := cmp.Diff(want, got.times); diff != "" {
				t.Errorf("%s caller was told (-want +got):\n%s", name, diff)
			}
		}
	})
}

// TestLesson11_KilledBetweenPushAndConfirmation: the next process pushes the line again, and it is there once.
func TestLesson11_KilledBetweenPushAndConfirmation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forge{}
		outbox := Outbox{}
		for _, line := range to(t, "shop", "e", policies.Progressing, policies.Healthy) {
			outbox = outbox.Add(line)
		}
		for range 2 { // two processes; the first one's confirmation is lost
			p, stop := run(Config{})
			p.Add(Target{Repository: "r", Environment: "e", Notes: f}, outbox.Lines(), nil)
			wait(time.Minute)
			stop()
		}
		parsed := f.parsed("e")
		if len(f.pushes) != 2 || len(parsed) != 2 {
			t.Errorf("%d pushes, %d lines, want 2 of each", len(f.pushes), len(parsed))
		}
		for i, verdict := range Verify(parsed, NewKeyring(fixedKey().Public())) {
			if !verdict.Decisive() {
				t.Errorf("line %d: %s", i, verdict)
			}
		}
	})
}

func TestPublisherShutdown(t *testing.T) {
	cases := map[string]struct {
		reason string
		delay  time.Duration
		fail   error
		early  bool // a push is under way when the agent stops
		lines  int  // that Git has in the end
		took   time.Duration
		pushes int
	}{
		"LastFlush":   {"what waits to be gathered goes out at once", 0, nil, false, 1, 0, 1},
		"UnderWay":    {"a push that is under way is finished, then the rest goes", 2 * time.Second, nil, true, 2, 3 * time.Second, 2},
		"Failing":     {"one attempt, no more", 0, errors.New("down"), false, 0, 0, 1},
		"Hanging":     {"it is bounded", time.Hour, nil, false, 0, 5 * time.Second, 1},
		"HangingWork": {"so is what was under way; there is no second attempt after the bound", time.Hour, nil, true, 0, 5 * time.Second, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, confirmed := &forge{delay: tc.delay, fail: func(string) error { return tc.fail }}, &tally{}
				target := Target{Repository: "r", Environment: "e", Notes: f}
				p, stop := run(Config{Interval: 10 * time.Second, MinPush: time.Hour})
				if tc.early {
					p.Add(target, to(t, "early", "e", policies.Healthy), confirmed.done)
					wait(time.Second)
				}
				p.Add(target, to(t, "shop", "e", policies.Progressing), confirmed.done)
				synctest.Wait()
				before := time.Now()
				stop()
				if took := time.Since(before); took != tc.took {
					t.Errorf("%s: took %s, want %s", tc.reason, took, tc.took)
				}
				if got := len(f.parsed("e")); got != tc.lines || confirmed.count() != tc.lines || len(f.pushes) != tc.pushes {
					t.Errorf("%s: %d lines, %d confirmed, want %d; %d pushes, want %d", tc.reason, got, confirmed.count(), tc.lines, len(f.pushes), tc.pushes)
				}
			})
		})
	}
}

func TestPublisherRefusesAndRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forge{}
		target := Target{Repository: "r", Environment: "new", Notes: f}
		p, stop := run(Config{})
		unsigned, _ := Chain{Application: "shop", Environment: "new"}.Next(Line{Phase: policies.Healthy, Revision: revA, At: noon})
		p.Add(target, append(to(t, "shop", "new", policies.Progressing), unsigned), nil)
		p.Add(target, to(t, "shop", "old", policies.Progressing), nil)
		p.Add(Target{Repository: "r", Environment: "gone", Notes: f}, to(t, "shop", "gone", policies.Progressing), nil)
		p.Remove("r", "gone")
		p.Remove("other", "gone")
		if got := p.Status(); got.Refused != 1 || got.Queued != 2 {
			t.Errorf("status: %+v", got)
		}
		wait(time.Minute)
		stop()
		if len(f.parsed("new")) != 1 || len(f.parsed("old")) != 1 || len(f.parsed("gone")) != 0 {
			t.Errorf("each line belongs to the ref of its own environment: %+v", f.pushes)
		}
	})
}

// TestPublisherKeepsProvenRevisions: each revision named as proven is kept once, and no other.
func TestPublisherKeepsProvenRevisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &forge{}
		p, stop := run(Config{})
		target := Target{Repository: "r", Environment: "production", Notes: f}
		var lines []Line
		for _, application := range []string{"shop", "cart"} {
			lines = append(lines, story(t, fixedKey(), application, Line{Phase: policies.Healthy, Revision: revB},
				Line{Phase: policies.Failed, Revision: revC}, Line{Phase: policies.Healthy, Revision: revA})...)
		}
		p.Add(target, lines, nil)
		synctest.Wait()
		stop()
		want := []push{{0, "production", 6, revA + " " + revB}}
		if diff := cmp.Diff(want, f.pushes); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestPublisherLargeBacklog: a forge comes back after a long time; pushes stay bounded, and the order holds.
func TestPublisherLargeBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, confirmed := &forge{}, &tally{}
		p, stop := run(Config{})
		for n := range maxBatch + 10 {
			p.Add(Target{Repository: "r", Environment: "e", Notes: f}, to(t, fmt.Sprintf("app-%d", n), "e", policies.Pending), confirmed.done)
		}
		wait(5 * time.Second)
		stop()
		want := []push{{time.Second, "e", maxBatch, ""}, {2 * time.Second, "e", 10, ""}}
		if diff := cmp.Diff(want, f.pushes); diff != "" || confirmed.count() != maxBatch+10 {
			t.Errorf("%d confirmed (-want +got):\n%s", confirmed.count(), diff)
		}
	})
}

func TestPublisherJitterStaysNear(t *testing.T) {
	jitter := New(Config{}).cfg.Jitter
	different := map[time.Duration]bool{}
	for range 100 {
		got := jitter(time.Minute)
		if got < 45*time.Second || got > 75*time.Second {
			t.Errorf("jitter of a minute: %s", got)
		}
		different[got] = true
	}
	if len(different) < 2 {
		t.Error("agents that failed together would try together")
	}
}

func TestRecentForgetsTheOldest(t *testing.T) {
	var r recent
	for n := range rememberedIDs + 2 {
		r.put(fmt.Sprint(n))
		r.put(fmt.Sprint(n))
	}
	if len(r.known) != rememberedIDs || len(r.ring) != rememberedIDs || r.known["0"] || r.known["1"] || !r.known["2"] {
		t.Errorf("%d known, %d in the ring", len(r.known), len(r.ring))
	}
}

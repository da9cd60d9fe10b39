package forge_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource/forge"
)

// counting is GitHub's account: it takes 80 writes in any minute and 500 in any hour, and remembers who said what.
type counting struct {
	clock *clock

	mu     sync.Mutex
	writes []time.Time
	seen   map[string]bool
	over   int
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		fmt.Fprint(w, `{"statuses":[]}`)
		return
	}
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	c.writes = append(c.writes, now)
	minute, hour := 0, 0
	for _, at := range c.writes {
		if now.Sub(at) <= time.Minute {
			minute++
		}
		if now.Sub(at) <= time.Hour {
			hour++
		}
	}
	if minute > 80 || hour > 500 {
		c.over++
	}
	c.seen[string(body)] = true
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"id":1}`)
}

// TestLesson24_ThousandStatusesOfTwoWriters: none is lost, and the forge's limits are never exceeded.
func TestLesson24_ThousandStatusesOfTwoWriters(t *testing.T) {
	clock := newClock()
	account := &counting{clock: clock, seen: map[string]bool{}}
	srv := httptest.NewServer(account)
	t.Cleanup(srv.Close)
	writers := make([]*forge.Client, 2)
	left := make([][]forge.Status, 2)
	for i := range writers {
		writers[i] = open(t, forge.GitHub, srv.URL, at(clock), func(c *forge.Config) {
			c.Budget = forge.NewBudget(forge.LimitsOf(forge.GitHub, 2))
		})
		for n := range 500 {
			left[i] = append(left[i], forge.Status{Context: fmt.Sprintf("sluice/app-%d-%d/production", i, n), State: forge.StateSuccess})
		}
	}
	for began := clock.Now(); len(left[0])+len(left[1]) > 0; clock.Add(100 * time.Millisecond) {
		if clock.Now().Sub(began) > 3*time.Hour {
			t.Fatalf("%d and %d are left after three hours", len(left[0]), len(left[1]))
		}
		for i, w := range writers {
			for len(left[i]) > 0 {
				err := w.SetStatus(t.Context(), revision, left[i][0])
				if err != nil {
					e := trouble(t, err, forge.RateLimited)
					if wait := forge.RetryAfter(err, clock.Now()); wait <= 0 || wait > time.Hour || !e.Until.Equal(clock.Now().Add(wait)) {
						t.Fatalf("RetryAfter = %s", wait)
					}
					break
				}
				left[i] = left[i][1:]
			}
		}
		// A loop comes back when it was told to; here whichever is first.
		_, first := writers[0].Budget().Free(clock.Now())
		_, second := writers[1].Budget().Free(clock.Now())
		if next := min(first.Sub(clock.Now()), second.Sub(clock.Now())); next > 0 {
			clock.Add(next)
		}
	}
	if account.over > 0 {
		t.Errorf("the limits were exceeded %d times", account.over)
	}
	if len(account.seen) != 1000 || len(account.writes) != 1000 {
		t.Errorf("%d statuses came in %d writes, want 1000 in 1000", len(account.seen), len(account.writes))
	}
}

// TestLongUnderWay: a write counts from when it was answered, and while it is not.
func TestLongUnderWay(t *testing.T) {
	clock := newClock()
	arrived, release := make(chan struct{}), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-release
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"id":1}`)
	}))
	t.Cleanup(srv.Close)
	client := open(t, forge.GitHub, srv.URL, at(clock), func(c *forge.Config) { c.Budget = forge.NewBudget(forge.Limits{PerMinute: 1}) })
	done := make(chan error, 1)
	go func() { done <- client.Comment(t.Context(), 7, "first") }()
	<-arrived
	clock.Add(2 * time.Minute)
	problem(t, client.Comment(t.Context(), 7, "second"), forge.RateLimited)
	close(release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	clock.Add(59 * time.Second)
	problem(t, client.Comment(t.Context(), 7, "second"), forge.RateLimited)
	clock.Add(2 * time.Second)
	go func() { <-arrived }()
	if err := client.Comment(t.Context(), 7, "second"); err != nil {
		t.Error(err)
	}
	if n := client.Requests(); n != (forge.Counts{Writes: 2, Limited: 2}) {
		t.Errorf("Requests = %+v", n)
	}
}

// TestForgeSaysWait: nothing is sent before the time that the forge named, and reading waits too.
func TestForgeSaysWait(t *testing.T) {
	clock := newClock()
	srv := serve(t,
		answer{doc: gitHubLimits, on: kinds[forge.GitHub], status: 403, header: map[string]string{"Retry-After": "60"}, body: `{}`, times: 1},
		answer{doc: gitHubLimits, on: "GET /repos/acme/shop/pulls", body: `[]`,
			header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": fmt.Sprint(clock.Now().Add(5 * time.Minute).Unix()),
				"Date": clock.Now().Format(http.TimeFormat)}})
	client := open(t, forge.GitHub, srv.url, at(clock))
	problem(t, client.Comment(t.Context(), 7, "x"), forge.RateLimited)
	_, err := client.Find(t.Context(), "b")
	problem(t, err, forge.RateLimited)
	clock.Add(61 * time.Second)
	if _, err := client.Find(t.Context(), "b"); err != nil { // the last that the hour allows
		t.Fatal(err)
	}
	_, err = client.Find(t.Context(), "b")
	if wait := forge.RetryAfter(err, clock.Now()); wait != 5*time.Minute {
		t.Errorf("RetryAfter = %s, want 5m0s", wait)
	}
	if n := len(srv.requests("")); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

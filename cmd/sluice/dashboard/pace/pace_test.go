package pace_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/pace"
)

func TestEach(t *testing.T) {
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	enter := func(e *pace.Each, who string, at time.Time) int {
		entered := 0
		for range 10 {
			if leave, ok := e.Enter(who, at); ok {
				leave()
				leave() // once is enough
				entered++
			}
		}
		return entered
	}
	e := pace.New(pace.Config{PerSecond: 2, Burst: 4})
	for _, step := range []struct {
		reason, who string
		after       time.Duration
		want        int
	}{
		{"a burst", "ada", 0, 4},
		{"another's is another's", "grace", 0, 4},
		{"two are back after a second", "ada", time.Second, 2},
		{"and no more than a burst ever", "ada", time.Hour, 4},
	} {
		if got := enter(e, step.who, now.Add(step.after)); got != step.want {
			t.Errorf("%s: %d entered, want %d", step.reason, got, step.want)
		}
	}
	if e.May("ada", now.Add(time.Hour)) || !e.May("ada", now.Add(2*time.Hour)) || !e.May("new", now) {
		t.Error("who may enter is not who could")
	}

	e = pace.New(pace.Config{PerSecond: 100, Burst: 100, Open: 2})
	first, _ := e.Enter("ada", now)
	if _, ok := e.Enter("ada", now); !ok {
		t.Error("two may be within, and the second did not enter")
	}
	if _, ok := e.Enter("ada", now); ok {
		t.Error("two may be within, and a third entered")
	}
	first()
	if _, ok := e.Enter("ada", now); !ok {
		t.Error("one has left, and nobody else entered")
	}
}

// TestEachIsBounded: however many ask, so many are remembered, and whoever used up what there was is not forgotten for it.
func TestEachIsBounded(t *testing.T) {
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	e := pace.New(pace.Config{PerSecond: 1, Burst: 2, Most: 10})
	refused := 0
	for i := range 1000 {
		if _, ok := e.Enter(strconv.Itoa(i), now); !ok {
			refused++
		}
	}
	if refused != 990 {
		t.Errorf("%d of 1000 were refused, want all but the 10 that are remembered", refused)
	}
	e = pace.New(pace.Config{PerSecond: 1, Burst: 2, Most: 10})
	for range 2 {
		e.Enter("eager", now)
	}
	for i := range 20 {
		if leave, ok := e.Enter(strconv.Itoa(i), now); ok {
			leave()
		}
	}
	if e.May("eager", now) {
		t.Error("who used up all was forgotten, and begins anew")
	}
	if !e.May("late", now.Add(time.Minute)) {
		t.Error("who asked nothing for a minute is still remembered")
	}
}

func TestAddress(t *testing.T) {
	for remote, want := range map[string]struct {
		who   string
		local bool
	}{
		"10.1.2.3:4":               {"10.1.2.3", false},
		"[::ffff:10.1.2.3]:4":      {"10.1.2.3", false},
		"127.0.0.9:4":              {"127.0.0.9", true},
		"[::1]:4":                  {"::/64", true},
		"[2001:db8:1:2:3:4:5:6]:7": {"2001:db8:1:2::/64", false},
		"[fe80::1%eth0]:7":         {"fe80::/64", false},
		"@":                        {"@", false},
	} {
		if who, local := pace.Address(remote); who != want.who || local != want.local {
			t.Errorf("%s: %s, %v; want %s, %v", remote, who, local, want.who, want.local)
		}
	}
}

package policies

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// windowOf is such as "deny 0 18 * * 5 for 62h Europe/Berlin".
func windowOf(text string) (Window, error) {
	kind, rest, _ := strings.Cut(text, " ")
	expression, rest, _ := strings.Cut(rest, " for ")
	part := strings.Fields(rest)
	w := Window{Deny: kind == "deny", Cron: expression, Zone: time.UTC}
	var err error
	if w.Schedule, err = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(w.Cron); err != nil {
		return w, err
	}
	if w.For, err = time.ParseDuration(part[0]); err == nil && len(part) > 1 {
		w.Zone, err = time.LoadLocation(part[1])
	}
	return w, err
}

func windowsOf(t *testing.T, texts ...string) (all []Window) {
	t.Helper()
	for _, text := range texts {
		w, err := windowOf(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, w)
	}
	return all
}

// window says when changes may begin: deny=0_9_*_*_*_for_1h, allow= for no window any more, override=incident/1h from now on.
func (s *story) window(key, value string) error {
	value = strings.ReplaceAll(value, "_", " ")
	switch {
	case key == "known":
		s.plan.Known = value == "yes"
		return nil
	case value == "":
		s.plan.Windows, s.plan.Override = nil, Override{}
		return nil
	case key == "override":
		reason, until, _ := strings.Cut(value, "/")
		d, err := time.ParseDuration(until)
		s.plan.Override = Override{Reason: reason, Until: start.Add(s.clock + d)}
		return err
	}
	w, err := windowOf(key + " " + value)
	s.plan.Windows = append(s.plan.Windows, w)
	return err
}

func TestOpenAt(t *testing.T) {
	const form = "2006-01-02 15:04"
	const weekend, hours = "deny 0 18 * * 5 for 62h Europe/Berlin", "allow 0 9 * * 1-5 for 8h Europe/Berlin"
	cases := map[string]struct {
		reason  string
		windows []string
		now     string // UTC
		open    bool
		until   string // UTC
		says    string
	}{
		"None":           {"nothing keeps a change away", nil, "2026-11-20 12:00", true, "", ""},
		"BeforeDeny":     {"open until it begins", []string{weekend}, "2026-11-20 12:00", true, "2026-11-20 17:00", ""},
		"DenyBegins":     {"its first moment is within it", []string{weekend}, "2026-11-20 17:00", false, "2026-11-23 07:00", `no changes begin before Mon 2026-11-23 08:00 CET (deny "0 18 * * 5" for 62h, Europe/Berlin)`},
		"InDeny":         {"closed to its end", []string{weekend}, "2026-11-22 00:00", false, "2026-11-23 07:00", "before Mon 2026-11-23 08:00 CET"},
		"DenyIsOver":     {"its last moment is the one before", []string{weekend}, "2026-11-23 07:00", true, "2026-11-27 17:00", ""},
		"OutsideOfAllow": {"with any that allows, only within one", []string{hours}, "2026-11-20 17:00", false, "2026-11-23 08:00", `outside of all windows that allow them (allow "0 9 * * 1-5" for 8h, Europe/Berlin)`},
		"InAllow":        {"open to its end", []string{hours}, "2026-11-20 12:00", true, "2026-11-20 16:00", ""},
		"SeveralAllow":   {"any of them will do", []string{hours, "allow 0 12 * * 6 for 1h"}, "2026-11-21 12:30", true, "2026-11-21 13:00", ""},
		"NextOfSeveral":  {"the one that comes next is named", []string{hours, "allow 0 12 * * 6 for 1h"}, "2026-11-21 10:00", false, "2026-11-21 12:00", `allow "0 12 * * 6"`},
		"DenyWins":       {"over one that allows", []string{hours, "deny 30 10 * * * for 1h Europe/Berlin"}, "2026-11-20 10:00", false, "2026-11-20 10:30", "deny"},
		"DenyThenAllow":  {"open only when both say so", []string{hours, weekend}, "2026-11-21 10:00", false, "2026-11-23 08:00", "before Mon 2026-11-23 09:00 CET"},
		"Meeting":        {"one that begins where another ends makes it longer", []string{"deny 0 10 * * * for 1h", "deny 0 11 * * * for 1h"}, "2026-11-20 10:30", false, "2026-11-20 12:00", ""},
		"Overlapping":    {"firings that overlap are one window", []string{"deny */30 8-9 * * * for 1h"}, "2026-11-20 08:10", false, "2026-11-20 10:30", ""},
		"Always":         {"it never opens", []string{"deny 0 0 * * * for 24h"}, "2026-11-20 08:10", false, "", `no changes begin within a year (deny "0 0 * * *" for 1d, UTC)`},
		"AlwaysAllowed":  {"it never closes", []string{"allow 0 0 * * * for 24h"}, "2026-11-20 08:10", true, "", ""},
		"AYear":          {"one that began long ago holds", []string{"deny 0 0 1 1 * for 8760h"}, "2026-12-31 23:59", false, "", "within a year"},
		"LeapDay":        {"rare ones are found", []string{"deny 0 0 29 2 * for 24h"}, "2027-03-01 00:00", true, "2028-02-29 00:00", ""},
		"InSpring":       {"62 hours pass, an hour later by the clock", []string{weekend}, "2026-03-28 12:00", false, "2026-03-30 07:00", "Mon 2026-03-30 09:00 CEST"},
		"InAutumn":       {"62 hours pass, an hour earlier by the clock", []string{weekend}, "2026-10-24 12:00", false, "2026-10-26 06:00", "Mon 2026-10-26 07:00 CET"},
		"SkippedHour":    {"it comes when the clocks jump", []string{"deny 30 2 * * 0 for 1h Europe/Berlin"}, "2026-03-29 01:00", false, "2026-03-29 02:00", ""},
		"NotBefore":      {"and no moment earlier", []string{"deny 30 2 * * 0 for 1h Europe/Berlin"}, "2026-03-29 00:59", true, "2026-03-29 01:00", ""},
		"DoubledFirst":   {"an hour that comes twice", []string{"deny 30 2 * * 0 for 30m Europe/Berlin"}, "2026-10-25 00:30", false, "2026-10-25 01:00", ""},
		"DoubledAgain":   {"fires again", []string{"deny 30 2 * * 0 for 30m Europe/Berlin"}, "2026-10-25 01:00", true, "2026-10-25 01:30", ""},
		"NoMidnight":     {"a day that begins at one o'clock", []string{"deny 0 0 * * 5 for 1h Africa/Cairo"}, "2026-04-23 22:00", false, "2026-04-23 23:00", ""},
		"HalfAnHour":     {"clocks that move by half an hour", []string{"deny 0 2 * * 0 for 1h Australia/Lord_Howe"}, "2026-04-04 15:30", false, "2026-04-04 16:30", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			now, err := time.Parse(form, c.now)
			if err != nil {
				t.Fatal(err)
			}
			got, until := OpenAt(windowsOf(t, c.windows...), now), ""
			if !got.Until.IsZero() {
				until = got.Until.UTC().Format(form)
			}
			if got.Open != c.open || until != c.until || !strings.Contains(got.Reason, c.says) || got.Open != (got.Reason == "") {
				t.Errorf("%s: open %v until %q because %q, want %v until %q because %q", c.reason, got.Open, until, got.Reason, c.open, c.until, c.says)
			}
		})
	}
}

// walked finds out of each minute whether a window holds: from a minute on whose wall clock, or one that was skipped right
// before it, fits the expression.
func walked(w Window, from time.Time, minutes int) (holds []bool) {
	wallOf := func(at time.Time) time.Time {
		l := at.In(w.Zone)
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
	}
	var since, next time.Time // nothing fires between them
	fits := func(wall time.Time) bool {
		if !wall.After(since) || wall.After(next) {
			since = wall.Add(-time.Minute)
			if next = w.Schedule.Next(since); next.IsZero() {
				next = since.AddDate(5, 0, 0)
			}
		}
		return next.Equal(wall)
	}
	last, left := time.Time{}, int(w.For/time.Minute)
	for i := -left; i < minutes; i++ {
		at := from.Add(time.Duration(i) * time.Minute)
		wall, fires := wallOf(at), false
		for skipped := wallOf(at.Add(-time.Minute)).Add(time.Minute); skipped.Before(wall); skipped = skipped.Add(time.Minute) {
			fires = fires || fits(skipped)
		}
		if fires || fits(wall) {
			last = at
		}
		if i >= 0 {
			holds = append(holds, !last.IsZero() && at.Sub(last) < w.For)
		}
	}
	return holds
}

// TestWindowsAgreeWithAWalk: whatever the expressions, the zones and the clocks do, it is the same as looking at each minute.
func TestWindowsAgreeWithAWalk(t *testing.T) {
	const minutes = 72 * 60
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kolkata", "Antarctica/Troll"}
	days := []string{"2026-03-07", "2026-03-28", "2026-04-04", "2026-04-23", "2026-10-24", "2026-10-30", "2026-11-01", "2018-11-03", "2026-07-15"}
	pick := func(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 7))
		var windows []Window
		var texts []string
		for range 1 + r.IntN(3) {
			text := fmt.Sprintf("%s %s %s %s %s %s for %s %s", pick(r, "deny", "allow"),
				pick(r, "0", "30", "*/17", "*", "5,50"), pick(r, "0", "1", "2", "3", "*", "*/5", "23", "1-3"),
				pick(r, "*", "*", "29", "1-7", "*/2"), pick(r, "*", "*", "3", "10-11"), pick(r, "*", "*", "0", "5", "1-5"),
				pick(r, "1m", "30m", "1h", "5h", "26h", "62h"), pick(r, zones...))
			texts = append(texts, text)
			windows = append(windows, windowsOf(t, text)...)
		}
		from, err := time.Parse(time.DateOnly, pick(r, days...))
		if err != nil {
			t.Fatal(err)
		}
		open := together(windows, from, minutes)
		for i := 0; i < minutes; i += 1 + r.IntN(400) {
			next := i
			for next < minutes && open[next] == open[i] {
				next++
			}
			got := OpenAt(windows, from.Add(time.Duration(i)*time.Minute))
			far := got.Until.IsZero() || !got.Until.Before(from.Add(minutes*time.Minute))
			until := from.Add(time.Duration(next) * time.Minute)
			if got.Open != open[i] || far != (next == minutes) || !far && !got.Until.Equal(until) {
				t.Fatalf("seed %d: %q in minute %d from %s: %+v, want open %v until %s", seed, texts, i, from, got, open[i], until)
			}
		}
	}
}

// together is of each minute whether changes may begin.
func together(windows []Window, from time.Time, minutes int) (open []bool) {
	denied, allowed, allows := make([]bool, minutes), make([]bool, minutes), false
	for _, w := range windows {
		for i, holds := range walked(w, from, minutes) {
			denied[i] = denied[i] || w.Deny && holds
			allowed[i] = allowed[i] || !w.Deny && holds
		}
		allows = allows || !w.Deny
	}
	for i := range minutes {
		open = append(open, !denied[i] && (allowed[i] || !allows))
	}
	return open
}

// BenchmarkOpenAt is the worst that a file can ask for: every minute for a minute, with no end in sight.
func BenchmarkOpenAt(b *testing.B) {
	w, err := windowOf("allow * * * * * for 1m Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		OpenAt([]Window{w}, start)
	}
}

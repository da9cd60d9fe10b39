package policies

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// scheduled promotes on working days, at nine in Berlin.
func scheduled(t *testing.T, change func(*Promotion)) Promotion {
	t.Helper()
	w, err := windowOf("allow 0 9 * * 1-5 for 1m Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	p := fromStaging(change)
	p.Cron, p.Schedule, p.Zone = w.Cron, w.Schedule, w.Zone
	return p
}

// TestPromotionSchedule: each firing promotes the newest candidate that there is then. What one decision gives as fired, the
// next is given.
func TestPromotionSchedule(t *testing.T) {
	type step struct {
		at      string // UTC; nine in Berlin is eight
		commits string
		want    string
		due     bool
		says    string
	}
	const older, newer = "c2 d2 staging", "c3 d3 staging; c2 d2 staging"
	cases := map[string]struct {
		reason string
		change func(*Promotion)
		steps  []step
	}{
		"BeginsWithTheNext": {"the firing before the first decision is not made up for", nil, []step{
			{"2026-11-20 08:05", older, "c2", false, `c2 waits: the next promotion is scheduled for Mon 2026-11-23 09:00 CET ("0 9 * * 1-5", Europe/Berlin)`},
			{"2026-11-22 12:00", older, "c2", false, "c2 waits"},
			{"2026-11-23 08:00", older, "c2", true, "c2 may be promoted"},
		}},
		"BetweenFirings": {"what comes between them waits for the next, and what was picked may still be merged", nil, []step{
			{"2026-11-20 07:59", older, "c2", false, "c2 waits"},
			{"2026-11-20 08:00", older, "c2", true, "c2 may be promoted"},
			{"2026-11-20 08:01", newer, "c2", true, "c2 may be promoted: proven in staging; c3 waits: the next promotion is scheduled for Mon"},
			{"2026-11-23 08:00", newer, "c3", true, "c3 may be promoted"},
		}},
		"NoneAtAFiring": {"a candidate that comes after a firing waits for the next", nil, []step{
			{"2026-11-20 07:59", "", "", false, "nothing newer"},
			{"2026-11-20 08:00", "", "", false, "nothing newer"},
			{"2026-11-20 08:10", older, "c2", false, "c2 waits"},
		}},
		"ALittleLate": {"a firing while the agent was away counts for an hour", nil, []step{
			{"2026-11-20 07:00", older, "c2", false, "c2 waits"},
			{"2026-11-20 08:59", older, "c2", true, "c2 may be promoted"},
		}},
		"TooLate": {"and no longer", nil, []step{
			{"2026-11-20 07:00", older, "c2", false, "c2 waits"},
			{"2026-11-20 09:01", older, "c2", false, "for Mon 2026-11-23 09:00"},
		}},
		"NotSoaked": {"a firing is no word for what is not soaked, and what was picked stays", soaking, []step{
			{"2026-11-19 07:00", "c2 d2 staging+30m", "c2", false, "c2 waits: the next promotion"},
			{"2026-11-19 08:00", "c2 d2 staging+30m", "c2", true, "c2 may be promoted"},
			{"2026-11-20 08:00", "c3 d3 staging; c2 d2 staging+30m", "c2", true, "c3 waits: it must be healthy in staging"},
			{"2026-11-20 08:20", "c3 d3 staging+30m; c2 d2 staging+30m", "c2", true, "c3 waits: the next promotion"},
		}},
		"Withdrawn": {"what was picked and is proven no more is not due, nor when it is again", nil, []step{
			{"2026-11-20 07:00", older, "c2", false, "c2 waits"},
			{"2026-11-20 08:00", older, "c2", true, "c2 may be promoted"},
			{"2026-11-20 08:10", "c2 d2", "", false, "not proven in staging"},
			{"2026-11-20 08:20", older, "c2", false, "c2 waits"},
		}},
		"InSpring": {"nine o'clock is nine o'clock", nil, []step{
			{"2026-03-29 12:00", older, "c2", false, "Mon 2026-03-30 09:00 CEST"},
			{"2026-03-30 07:00", older, "c2", true, "c2 may be promoted"},
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, facts := scheduled(t, c.change), PromotionFacts{Window: Openness{Open: true}}
			for _, s := range c.steps {
				now, err := time.Parse("2006-01-02 15:04", s.at)
				if err != nil {
					t.Fatal(err)
				}
				facts.Now, facts.Candidates = now, candidates(t, s.commits)
				got := p.Decide(facts)
				if shown(got) != s.want || got.Due != s.due || !strings.Contains(got.Reason, s.says) {
					t.Errorf("%s: at %s %q due %v because %q, want %q due %v because %q", c.reason, s.at, shown(got), got.Due, got.Reason, s.want, s.due, s.says)
				}
				if got.RetryAfter == 0 || p.times().last(now.Add(got.RetryAfter)) != now.Add(got.RetryAfter).In(p.Zone) {
					t.Errorf("%s: at %s nobody looks again at the next firing, but after %s", c.reason, s.at, got.RetryAfter)
				}
				facts.Fired = got.Fired
			}
		})
	}
}

// TestPromotionKeepsItsWord: whatever branches look like, nothing is proposed that is as old as the pin or what was declined,
// gives what is pinned or declined, or does not qualify; what is decided is decided again from the same facts; and a commit on
// top that changes nothing changes nothing.
func TestPromotionKeepsItsWord(t *testing.T) {
	proposed, due := 0, 0
	for seed := range uint64(5000) {
		r := rand.New(rand.NewPCG(seed, 5))
		p := fromStaging(func(p *Promotion) { p.Commit = r.IntN(2) == 0 })
		switch r.IntN(4) {
		case 0:
			soaking(&p)
		case 1:
			fanIn(&p)
		case 2:
			p = scheduled(t, func(q *Promotion) { q.Commit = p.Commit })
		}
		facts := PromotionFacts{Now: start, Window: Openness{Open: true}, Fired: Firing{At: start.Add(-100 * time.Hour)}}
		var text []string
		for i := 1 + r.IntN(8); i > 0; i-- {
			who := []string{"", "staging", "load", "staging+1h", "staging+1h,load+1h"}[r.IntN(5)]
			text = append(text, fmt.Sprintf("c%d d%d %s", i, r.IntN(4), who))
		}
		facts.Candidates = candidates(t, strings.Join(text, ";"))
		pick := func() Pinned {
			c := facts.Candidates[r.IntN(len(facts.Candidates))]
			return Pinned{c.Revision, c.Digest}
		}
		facts.Pin = pick()
		if r.IntN(3) == 0 {
			facts.Declined = pick()
		}
		got := p.Decide(facts)
		if got.Reason == "" {
			t.Fatalf("seed %d: no reason", seed)
		}
		if got.Due {
			due++
		}
		again := facts
		again.Fired = got.Fired
		if same := p.Decide(again); shown(same) != shown(got) || same.Due != got.Due || same.Fired != got.Fired {
			t.Fatalf("seed %d: %s\n%+v, then\n%+v", seed, text, got, same)
		}
		if c := got.Candidate; c != nil {
			proposed++
			at := slices.IndexFunc(facts.Candidates, func(o Candidate) bool { return o.Revision == c.Revision })
			for _, o := range facts.Candidates[:at+1] {
				if is(facts.Pin, o) || is(facts.Declined, o) {
					t.Fatalf("seed %d: %s: %s is proposed, though %s is %+v or %+v", seed, text, c.Revision, o.Revision, facts.Pin, facts.Declined)
				}
			}
			if why := p.lacks(*c); why != "" {
				t.Fatalf("seed %d: %s: %s is proposed: %s", seed, text, c.Revision, why)
			}
		}
		unrelated := facts.Candidates[0]
		unrelated.Revision = "c9"
		more := again
		more.Candidates = append([]Candidate{unrelated}, facts.Candidates...)
		if then := p.Decide(more); p.lacks(facts.Candidates[0]) == "" && (shown(then) != shown(got) || then.Due != got.Due) {
			t.Fatalf("seed %d: %s: an unrelated commit makes %s of %s", seed, text, shown(then), shown(got))
		}
	}
	if proposed < 500 || due < 300 {
		t.Errorf("%d were proposed and %d due: too little was tried", proposed, due)
	}
}

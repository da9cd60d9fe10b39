package policies

import (
	"fmt"
	"strings"
	"time"
)

// Promotion is how releases come from other environments. All that it says must be true before one is due.
type Promotion struct {
	// From are the environments that a release must have been proven in, each of them; at least one.
	From []string
	// Commit: no person is asked. Then the newest candidate that is due goes before a newer one that is not, or a busy
	// environment would never pass anything on; and none is due while windows are closed.
	Commit bool
	// HealthyFor is how long it must have been healthy there, as its own agent watched it; 0: it is enough that it was proven.
	HealthyFor time.Duration
	// Checks must be green on the commit.
	Checks []string
	// Releases is how many must have been proven there since the last promotion.
	Releases int
	// Quiet is how long nothing must have been proven there.
	Quiet time.Duration
	// Cron is as it is written, Schedule what it says, in Zone; nil: at any time.
	Cron     string
	Schedule Schedule
	Zone     *time.Location
}

// Pinned is a revision of the target, and what it renders to there. The zero value is none.
type Pinned struct {
	Revision string `json:"revision,omitempty"`
	Digest   string `json:"digest,omitempty"` // empty: it is not known
}

// Firing is a firing of the schedule that was dealt with, and what it picked, which stays picked until the next.
type Firing struct {
	At   time.Time `json:"at,omitzero"`
	Pick Pinned    `json:"pick,omitzero"`
}

// Same reports whether nothing happened between two states of a schedule.
func (f Firing) Same(other Firing) bool { return f.At.Equal(other.At) && f.Pick == other.Pick }

// Arrivals are what came to be proven in an environment that releases come from.
type Arrivals struct {
	Releases int       // since the pin was moved last
	Last     time.Time // when the newest of them was seen here first, by the clock that Now is of
}

// PromotionFacts is what is known when it is decided.
type PromotionFacts struct {
	Now time.Time
	// Candidates are the commits of the polled branch that come after the pin, along first parents, the newest first. Those
	// that nothing attests are among them: what they render to may be what is pinned.
	Candidates []Candidate
	Pin        Pinned
	// Declined is what a person did not want: what a pin that was moved back left, or a closed request proposed.
	Declined Pinned
	// Arrived are by environment.
	Arrived map[string]Arrivals
	// Fired is what the last decision gave; zero: there was none, and the schedule begins with its next firing.
	Fired Firing
	// Blocked is why nothing can be decided now, such as a forge that does not answer; no firing is used up by that.
	Blocked string
	// Window says when the target's changes may begin.
	Window Openness
}

// PromotionDecision is what a promotion comes to.
type PromotionDecision struct {
	// Candidate is what a merge request should propose; nil: nothing.
	Candidate *Candidate
	// Due: all that the promotion demands is true of it.
	Due bool
	// Reason is why it is due, or what it waits for, or why there is none.
	Reason string
	// RetryAfter is when to decide again although nothing new is known; 0: never.
	RetryAfter time.Duration
	// Fired is to be saved and given with the next facts.
	Fired Firing
}

// late is how long after a firing it still counts: as long as an upgrade or a Git server's bad hour lasts. What is later than
// that may be a time at which nobody wants it.
const late = time.Hour

// Decide says which release is to be proposed, and whether it is due. The newest commit that qualifies and gives the target
// other objects than its pin wins, among neighbours that give the same the oldest, so that an unrelated commit moves nothing.
func (p Promotion) Decide(f PromotionFacts) PromotionDecision {
	if f.Blocked != "" {
		return PromotionDecision{Reason: f.Blocked, Fired: f.Fired}
	}
	found, passed := p.qualified(f)
	fired, next, firing := p.fire(f, found)
	d := PromotionDecision{Fired: fired, RetryAfter: next}
	if len(found) == 0 {
		d.Reason = passed
		return d
	}
	var waits string
	if d.Candidate = picked(fired.Pick, found); d.Candidate == nil {
		d.Candidate, waits = p.choose(f, found)
		waits = joinReasons(waits, firing)
	}
	if waits != "" {
		d.Reason = short(d.Candidate.Revision) + " waits: " + waits
		d.RetryAfter = soonest(d.RetryAfter, p.quietEnds(f))
	} else {
		d.Due, d.Reason = true, short(d.Candidate.Revision)+" may be promoted: "+p.evidence(*d.Candidate)
	}
	if newest := found[0]; newest != d.Candidate {
		d.Reason = joinReasons(d.Reason, short(newest.Revision)+" waits: "+joinReasons(p.soaks(*newest), firing))
	}
	d.Reason = joinReasons(d.Reason, passed)
	return p.shut(d, f)
}

// choose is the candidate that is proposed, and what it waits for.
func (p Promotion) choose(f PromotionFacts, found []*Candidate) (chosen *Candidate, waits string) {
	general := p.arrived(f)
	chosen = found[0]
	if p.Commit {
		for _, c := range found {
			if p.soaks(*c) == "" {
				chosen = c
				break
			}
		}
	}
	return chosen, joinReasons(p.soaks(*chosen), general)
}

// shut tells of closed windows. What a person merges waits at the target; what nobody is asked about is not moved there yet,
// so that the newest goes when they open.
func (p Promotion) shut(d PromotionDecision, f PromotionFacts) PromotionDecision {
	if f.Window.Open || !d.Due {
		return d
	}
	if p.Commit {
		d.Due, d.Reason = false, short(d.Candidate.Revision)+" waits: "+f.Window.Reason
		d.RetryAfter = soonest(d.RetryAfter, until(f.Now, f.Window.Until))
		return d
	}
	d.Reason = joinReasons(d.Reason, "once merged it waits: "+f.Window.Reason)
	return d
}

func joinReasons(parts ...string) string {
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	return strings.Join(said, "; ")
}

// until is how long it is to a time; 0: it does not come, or has passed.
func until(now, at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return max(at.Sub(now), 0)
}

// soonest is the shorter of two times to wait; 0 is never.
func soonest(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// lasted is how long something was, as people say it: whole minutes, or seconds where it is less than one.
func lasted(d time.Duration) string {
	if d < time.Minute || d%time.Minute != 0 && d < 10*time.Minute {
		return fmt.Sprint(d.Round(time.Second))
	}
	return spoken(d.Truncate(time.Minute))
}

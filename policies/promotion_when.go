package policies

import (
	"fmt"
	"strings"
	"time"
)

// soaks says what is missing of the time that a candidate must have been healthy; empty: nothing. It is attested or it is not:
// the clock here says nothing of what happened there.
func (p Promotion) soaks(c Candidate) string {
	if p.HealthyFor == 0 {
		return ""
	}
	var missing []string
	for _, env := range p.From {
		if a, _ := c.attested(env); !a.Soaked || a.HealthyFor < p.HealthyFor {
			missing = append(missing, env)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("it must be healthy in %s for %s, and the agent there has not said so yet", strings.Join(missing, " and "), lasted(p.HealthyFor))
}

// arrived says what is missing of the releases, and of the quiet, that there must have been where they come from.
func (p Promotion) arrived(f PromotionFacts) string {
	var missing []string
	for _, env := range p.From {
		seen := f.Arrived[env]
		if seen.Releases < p.Releases {
			missing = append(missing, fmt.Sprintf("%d of %d releases were proven in %s since the last promotion", seen.Releases, p.Releases, env))
		}
		if ends := seen.Last.Add(p.Quiet); p.Quiet > 0 && ends.After(f.Now) {
			missing = append(missing, fmt.Sprintf("nothing new may have been proven in %s for %s, which is so at %s", env, lasted(p.Quiet), Clock(ends, p.zone())))
		}
	}
	return strings.Join(missing, "; ")
}

// quietEnds is how long it is to the first end of a quiet time that is not over; 0: there is none.
func (p Promotion) quietEnds(f PromotionFacts) (wait time.Duration) {
	if p.Quiet == 0 {
		return 0
	}
	for _, env := range p.From {
		wait = soonest(wait, until(f.Now, f.Arrived[env].Last.Add(p.Quiet)))
	}
	return wait
}

// fire deals with a firing that was not dealt with: it picks what is due then. Where nothing is, what an earlier one picked
// stays picked, as long as it is a candidate. It says too how long it is to the next firing, and when that is.
func (p Promotion) fire(f PromotionFacts, found []*Candidate) (fired Firing, wait time.Duration, text string) {
	if p.Schedule == nil {
		return Firing{}, 0, ""
	}
	next := p.times().next(f.Now)
	wait, text = until(f.Now, next), p.nextFiring(next)
	if f.Fired.At.IsZero() { // whether the last one was dealt with is not known: it is not done twice
		return Firing{At: f.Now}, wait, text
	}
	fired = f.Fired
	if picked(fired.Pick, found) == nil {
		fired.Pick = Pinned{}
	}
	at := p.times().last(f.Now)
	if at.IsZero() || !at.After(fired.At) {
		return fired, wait, text
	}
	fired.At = at
	if len(found) > 0 {
		if c, waits := p.choose(f, found); waits == "" {
			fired.Pick = Pinned{Revision: c.Revision, Digest: c.Digest}
		}
	}
	return fired, wait, text
}

// times is the schedule as a window that is open as long as a firing counts.
func (p Promotion) times() Window {
	return Window{Cron: p.Cron, Schedule: p.Schedule, Zone: p.zone(), For: late}
}

func (p Promotion) zone() *time.Location {
	if p.Zone == nil {
		return time.UTC
	}
	return p.Zone
}

func (p Promotion) nextFiring(next time.Time) string {
	if next.IsZero() {
		return fmt.Sprintf("no promotion is scheduled within ten years (%q, %s)", p.Cron, p.zone())
	}
	return fmt.Sprintf("the next promotion is scheduled for %s (%q, %s)", Clock(next, p.zone()), p.Cron, p.zone())
}

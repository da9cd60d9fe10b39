package policies

import (
	"fmt"
	"time"
)

// Schedule says when something fires: at the first whole minute after a time that fits the wall clock of that time's
// zone. It is only asked of zones whose clocks never change. Zero: not within five years.
type Schedule interface {
	Next(after time.Time) time.Time
}

// Window says when changes may begin: from each firing of its schedule on, for a time.
//
// What clocks do to it: a firing at an hour that is skipped in spring comes when the clocks jump, one at an hour that
// comes twice in autumn comes twice. For is time that passes, whatever the clocks do meanwhile.
type Window struct {
	Deny     bool           // no change begins in it; otherwise they may begin in it, and outside of it not
	Cron     string         // as it is written
	Schedule Schedule       // of Cron
	Zone     *time.Location // of Cron
	For      time.Duration  // a minute to a year
	// Of is where it is written, where people would not look for it first; empty: in the file of the application.
	Of string
}

// Text is the window as people read it.
func (w Window) Text() string {
	kind := "allow"
	if w.Deny {
		kind = "deny"
	}
	text := fmt.Sprintf("%s %q for %s, %s", kind, w.Cron, spoken(w.For), w.Zone)
	if w.Of != "" {
		text += ", of " + w.Of
	}
	return text
}

// spoken is a duration in whole days, hours or minutes.
func spoken(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// Open reports whether a time lies within the window, and when that may be otherwise: at the end of the firing, which the
// next one may have reached before, or at the next firing. Zero: not within ten years.
func (w Window) Open(now time.Time) (open bool, until time.Time) {
	if last := w.last(now); !last.IsZero() {
		return true, last.Add(w.For)
	}
	return false, w.next(now)
}

// farthest is how far off a firing is looked for: 29 February comes every four years, but for 2100.
const farthest = 10 * 366 * 24 * time.Hour

// next is the first firing after a time. It goes from change of the clocks to change of the clocks: between them there
// is nothing special about them.
func (w Window) next(after time.Time) time.Time {
	at := after.In(w.Zone)
	for at.Sub(after) < farthest {
		_, offset := at.Zone()
		_, change := at.ZoneBounds()
		fires := w.Schedule.Next(at.In(time.FixedZone("", offset)))
		switch {
		case !fires.IsZero() && (change.IsZero() || fires.Before(change)):
			return fires.In(w.Zone)
		case change.IsZero():
			return time.Time{}
		case w.firesAtChange(change, offset):
			return change
		}
		at = change
	}
	return time.Time{}
}

// firesAtChange reports whether the wall clock of a change of the clocks fires, or one that the change skips.
func (w Window) firesAtChange(change time.Time, before int) bool {
	_, offset := change.Zone()
	wall := func(offset int) time.Time { return change.UTC().Add(time.Duration(offset) * time.Second) }
	fires := w.Schedule.Next(wall(min(before, offset)).Add(-time.Second))
	return !fires.IsZero() && !fires.After(wall(offset))
}

// last is the newest firing up to a time whose window holds then; zero: there is none. Half of what may hold it is left out
// at a time, since a window may be a year long and fire every minute.
func (w Window) last(now time.Time) time.Time {
	last, low, high := time.Time{}, now.Add(-w.For), now
	for low.Before(high) {
		middle := low
		if half := high.Sub(low) / 2; half >= time.Second {
			middle = low.Add(half)
		}
		switch fires := w.next(middle); {
		case fires.IsZero() || fires.After(now):
			high = middle
		default:
			last, low = fires, fires
		}
	}
	return last
}

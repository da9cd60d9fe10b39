package policies

import (
	"fmt"
	"time"
)

// Openness is whether changes may begin at a time.
type Openness struct {
	Open bool
	// Until is when it is otherwise; zero: not within a year.
	Until time.Time
	// Reason is why it is closed, and until when; empty: it is not.
	Reason string
	// Override is why it is open although the windows say otherwise; empty: they do not.
	Override string
}

// Override lets changes begin whatever the windows say, for a time. The zero value lets none.
type Override struct {
	Reason string
	Until  time.Time
}

const (
	// ahead is how far off the next opening is looked for: as long as a window may be.
	ahead = 366 * 24 * time.Hour
	// mostTurns bounds the beginnings and ends of windows that are looked at for it: a day of one that fires every minute for a
	// minute, half a millisecond. Where they are more, Until is how far they were looked at.
	mostTurns = 1440
)

// OpenAt says whether changes may begin by all windows together: no window that denies holds then, and where some allow, one
// of them does.
func OpenAt(windows []Window, now time.Time) Openness {
	by, until := closedBy(windows, now)
	at := Openness{Open: by < 0}
	for turns := 0; !until.IsZero() && until.Sub(now) <= ahead; turns++ {
		then, later := closedBy(windows, until)
		if (then < 0) != at.Open || turns == mostTurns {
			at.Until = until
			break
		}
		until = later
	}
	if !at.Open {
		at.Reason = closedText(windows[by], at.Until)
	}
	return at
}

// closedBy is the window that closes all, and until when that is so at least: the first that denies and holds, or, where some
// allow and none of those holds, the one of them that comes next. Below 0: it is open. No time: for ever.
func closedBy(windows []Window, now time.Time) (by int, until time.Time) {
	var next, ends, denies time.Time // of the next that allows, of those that do, of the next that denies
	by, allowed := -1, false
	for i, w := range windows {
		switch holds, until := w.Open(now); {
		case w.Deny && holds:
			return i, until
		case w.Deny:
			denies = sooner(denies, until)
		case holds:
			allowed = true
			if until.After(ends) {
				ends = until
			}
		case by < 0 || sooner(next, until) != next:
			by, next = i, until
		}
	}
	if allowed || by < 0 {
		return -1, sooner(ends, denies)
	}
	return by, next
}

// sooner is the first of two times; none is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func closedText(w Window, until time.Time) string {
	text := "no changes begin within a year"
	if !until.IsZero() {
		text = "no changes begin before " + Clock(until, w.Zone)
	}
	if w.Deny {
		return fmt.Sprintf("%s (%s)", text, w.Text())
	}
	return fmt.Sprintf("%s, outside of all windows that allow them (%s)", text, w.Text())
}

// Clock is a time as people read it in a zone.
func Clock(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("Mon 2006-01-02 15:04 MST")
}

// Openness is whether a change may begin now, by the windows and a person's word.
func (p Plan) Openness(now time.Time) Openness {
	if len(p.Windows) == 0 {
		return Openness{Open: true}
	}
	at := OpenAt(p.Windows, now)
	if at.Open || !now.Before(p.Override.Until) {
		return at
	}
	text := fmt.Sprintf("windows were overridden until %s: %s", Clock(p.Override.Until, time.UTC), p.Override.Reason)
	return Openness{Open: true, Until: p.Override.Until, Override: text}
}

// Turns are the next times, at most so many, at which changes may begin from then on, or may not any more.
func Turns(windows []Window, now time.Time, most int) (turns []time.Time) {
	for range 10 * most { // some are only how far was looked
		at := OpenAt(windows, now)
		if at.Until.IsZero() || len(turns) == most {
			break
		}
		now = at.Until
		if by, _ := closedBy(windows, now); (by < 0) != at.Open {
			turns = append(turns, now)
		}
	}
	return turns
}

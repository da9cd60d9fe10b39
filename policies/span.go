package policies

import "time"

// Span is a time during which the windows let changes begin, or do not.
type Span struct {
	From, Until time.Time
	Open        bool
	Reason      string // why not
}

// Spans are what comes between two times by all windows together, at most so many, in their order and without gaps.
func Spans(windows []Window, from, until time.Time, most int) (spans []Span) {
	for range 10 * most { // some are only how far was looked
		if !from.Before(until) || len(windows) == 0 {
			break
		}
		at := OpenAt(windows, from)
		end := until
		if !at.Until.IsZero() && at.Until.Before(until) {
			end = at.Until
		}
		if n := len(spans); n > 0 && spans[n-1].Open == at.Open {
			spans[n-1].Until = end
		} else if n == most {
			break
		} else {
			spans = append(spans, Span{From: from, Until: end, Open: at.Open, Reason: at.Reason})
		}
		from = end
	}
	return spans
}

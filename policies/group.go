package policies

import "strings"

// Share is what one environment would have of a promotion of several together.
type Share struct {
	Name string // application/environment
	PromotionDecision
}

// Together says whether what several environments would have is due as a whole: when each that has a candidate is due, and there
// is one. The reason names who waits for what first, then who waits for nobody but them. One without a candidate keeps nobody
// waiting.
func Together(shares []Share) (due bool, reason string) {
	var waiting, ready, none []string
	for _, s := range shares {
		switch {
		case s.Candidate == nil:
			none = append(none, s.Name+": "+s.Reason)
		case s.Due:
			ready = append(ready, s.Name)
		default:
			waiting = append(waiting, s.Name+": "+s.Reason)
		}
	}
	all := strings.Join(ready, ", ")
	switch {
	case len(waiting) > 0 && len(ready) > 0:
		return false, joinReasons(strings.Join(waiting, "; "), "due but for that: "+all)
	case len(waiting) > 0:
		return false, strings.Join(waiting, "; ")
	case len(ready) > 0:
		return true, "may be promoted together: " + all
	}
	return false, strings.Join(none, "; ")
}

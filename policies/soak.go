package policies

import (
	"slices"
	"time"
)

// Soak is how long a proven release was watched and well, for environments that it goes on to.
type Soak struct {
	// Since is when it began to be well without a break; zero while it is not.
	Since time.Time `json:"since,omitzero"`
	// Told is the longest time that Git was told of.
	Told time.Duration `json:"told,omitempty"`
}

// soak attests that a proven release was well for each of the times that others wait for. An unhealthy moment begins the time
// anew, and so does a time in which nobody watched: silence is never health.
func (s State) soak(p Plan, o Observation, told []Record) (State, []Record) {
	if s.Phase != Healthy || len(p.Soaks) == 0 || s.Assess || !s.Applied {
		s.Soak = Soak{}
		return s, told
	}
	if o.Health != Current {
		s.Soak.Since = time.Time{}
		return s, told
	}
	if s.Soak.Since.IsZero() {
		s.Soak.Since = o.Now
	}
	if s.Soak.Since.Before(o.Watched) {
		s.Soak.Since = o.Watched
	}
	for due := s.Soak.next(p); due > 0 && o.Now.Sub(s.Soak.Since) >= due; due = s.Soak.next(p) {
		s.Soak.Told = due
		told = append(told, Record{Phase: Healthy, Release: s.Release, Began: s.Began, Soaked: due, Reason: "it was well for " + due.String()})
	}
	return s, told
}

// next is the shortest time that Git was not told of; zero: there is none.
func (s Soak) next(p Plan) time.Duration {
	for _, due := range slices.Sorted(slices.Values(p.Soaks)) {
		if due > s.Told {
			return due
		}
	}
	return 0
}

// soakDue is when the next time is over; zero: never.
func (s State) soakDue(p Plan) time.Time {
	next := s.Soak.next(p)
	if s.Phase != Healthy || s.Soak.Since.IsZero() || next == 0 {
		return time.Time{}
	}
	return s.Soak.Since.Add(next)
}

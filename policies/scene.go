package policies

import (
	"strings"
	"time"
)

// Scene is what is kept of a release that failed in its stages, for a person to look at: a pod or two that are not well, or
// that measured badly, taken out of everything that selects them. The zero value: nothing is kept.
type Scene struct {
	// Until is when they go; a newer release brings it forward.
	Until time.Time `json:"until,omitzero"`
	// Tried: as many as could be were taken out, and Pods are their names.
	Tried bool     `json:"tried,omitempty"`
	Pods  []string `json:"pods,omitempty"`
}

// SceneSeen is what became of a scene: whether the last [Keep] of the release in the state ended and what it kept, and
// whether the last [Clear] found nothing more to delete.
type SceneSeen struct {
	Tried   bool
	Pods    []string
	Cleared bool
}

// kept moves the scene: it begins when a staged release has failed, and is over when its time is.
func kept(s State, before Phase, p Plan, o Observation) State {
	switch {
	case s.Phase == Failed && before != Failed && s.Back && len(s.Staged) > 0 && p.Canary != nil && p.Canary.Keep > 0:
		s.Scene = Scene{Until: o.Now.Add(p.Canary.Keep)}
	case s.Scene.Until.IsZero():
	case s.Scene.over(o.Now) && (o.Scene.Cleared || s.Scene.Tried && len(s.Scene.Pods) == 0):
		s.Scene = Scene{}
	case !s.Scene.Tried && o.Scene.Tried:
		s.Scene.Tried, s.Scene.Pods = true, o.Scene.Pods
	}
	return s
}

func (s Scene) over(now time.Time) bool { return !s.Until.IsZero() && !now.Before(s.Until) }

// end lets the scene be cleared now.
func (s Scene) end(now time.Time) Scene {
	if !s.Until.IsZero() && now.Before(s.Until) {
		s.Until = now
	}
	return s
}

// tell says what is kept, for the end of a sentence.
func (s Scene) tell() string {
	if len(s.Pods) == 0 {
		return ""
	}
	return "; kept for a look until " + s.Until.UTC().Format("2006-01-02 15:04 MST") + ": " + strings.Join(s.Pods, ", ")
}

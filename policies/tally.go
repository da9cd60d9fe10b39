package policies

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Tally is what the samples of an analysis in a stage come to, since all pods of the stage are Ready.
type Tally struct {
	Analysis string `json:"analysis"`
	Taken    int    `json:"taken"`
	Good     int    `json:"good,omitempty"`
	Bad      int    `json:"bad,omitempty"`
	// Missed counts the samples in a row, up to the last one, that have no value.
	Missed int `json:"missed,omitempty"`
	// Last is when the last sample began; Value and Says are its. Worst is what the last bad one says.
	Last  time.Time `json:"last,omitzero"`
	Value string    `json:"value,omitempty"`
	Says  string    `json:"says,omitempty"`
	Worst string    `json:"worst,omitempty"`
}

// take counts a sample that is newer than the last one.
func (t Tally) take(s Sample) Tally {
	t.Taken++
	t.Last, t.Value, t.Says = s.At, s.Value, s.Says
	switch s.Result {
	case Good:
		t.Good++
		t.Missed = 0
	case Bad:
		t.Bad++
		t.Missed, t.Worst = 0, s.Says
	default:
		t.Missed++
		t.Says = string(s.Result)
		if s.Says != "" {
			t.Says += ": " + s.Says
		}
	}
	return t
}

// due is when the next sample is to be taken, in a stage that was reached at a time; zero: never.
func (a Analysis) due(t Tally, reached time.Time) time.Time {
	switch {
	case a.Once && t.Good >= a.Samples:
		return time.Time{}
	case t.Taken > 0:
		return t.Last.Add(a.Interval)
	case a.Once:
		return reached
	}
	return reached.Add(a.Interval)
}

// failed says why the stage fails, and doubtful why nobody can say how it is; both empty: neither.
func (a Analysis) failed(t Tally, held bool) (failed, doubtful string) {
	switch most := a.Samples + a.Failures + a.Errors; {
	case t.Bad >= a.Failures:
		return fmt.Sprintf("analysis %s: %s, %d bad of %s", a.Name, t.Worst, t.Bad, samples(t.Taken)), ""
	case t.Missed >= a.Errors:
		return "", fmt.Sprintf("analysis %s: %s, %s in a row", a.Name, t.Says, samples(t.Missed))
	case held && t.Good < a.Samples && t.Taken >= most:
		return "", fmt.Sprintf("analysis %s: %d of %d good samples after %d: %s", a.Name, t.Good, a.Samples, t.Taken, t.Says)
	}
	return "", ""
}

func samples(n int) string {
	if n == 1 {
		return "1 sample"
	}
	return fmt.Sprintf("%d samples", n)
}

// Measured are the analyses of a stage: which its step names, and which no step names.
func (c *Canary) Measured(stage int) []Analysis {
	if c == nil || stage < 1 || stage > len(c.Steps) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(c.Analyses), func(a Analysis) bool {
		names := func(step CanaryStep) bool { return slices.Contains(step.Analyses, a.Name) }
		return !names(c.Steps[stage-1]) && slices.ContainsFunc(c.Steps, names)
	})
}

func (s State) tally(name string) Tally {
	i := slices.IndexFunc(s.Measured, func(t Tally) bool { return t.Analysis == name })
	if i < 0 {
		return Tally{Analysis: name}
	}
	return s.Measured[i]
}

// measure counts the samples that were taken since the stage was reached, each once.
func (s State) measure(p Plan, o Observation) State {
	var measured []Tally
	for _, a := range p.Canary.Measured(s.Stage) {
		t := s.tally(a.Name)
		for _, sample := range o.Samples {
			if sample.Analysis == a.Name && sample.At.After(s.Reached) && sample.At.After(t.Last) {
				t = t.take(sample)
			}
		}
		if t.Taken > 0 {
			measured = append(measured, t)
		}
	}
	s.Measured = measured
	return s
}

// judge says whether each analysis of a stage has its good samples, and what is against the stage. held says that its time
// is over.
func (s State) judge(p Plan, held bool) (enough bool, against string) {
	enough = true
	var doubts []string
	for _, a := range p.Canary.Measured(s.Stage) {
		t := s.tally(a.Name)
		failed, doubtful := a.failed(t, held)
		if failed != "" {
			return false, fmt.Sprintf("stage %d: %s", s.Stage, failed)
		}
		if doubtful != "" {
			doubts = append(doubts, doubtful)
		}
		enough = enough && t.Good >= a.Samples
	}
	if len(doubts) > 0 {
		return false, fmt.Sprintf("inconclusive: stage %d: %s", s.Stage, strings.Join(doubts, "; "))
	}
	return enough, ""
}

// Against reports whether what was measured of the stage is against the release, whose pods may be Ready all the same.
func (s State) Against(p Plan) bool {
	_, against := s.judge(p, true)
	return against != ""
}

// Waits says what a stage waits for whose pods are Ready, as far as analyses keep it; empty: they do not.
func (s State) Waits(p Plan) string {
	if s.Form != Held || s.Reached.IsZero() {
		return ""
	}
	var waits []string
	for _, a := range p.Canary.Measured(s.Stage) {
		switch t := s.tally(a.Name); {
		case t.Missed > 0:
			waits = append(waits, fmt.Sprintf("%s: %s, %s in a row", a.Name, t.Says, samples(t.Missed)))
		case t.Good < a.Samples:
			waits = append(waits, fmt.Sprintf("%s: %d of %d good samples", a.Name, t.Good, a.Samples))
		}
	}
	return strings.Join(waits, "; ")
}

// Measuring are the analyses of the stage of which a sample is to be taken now.
func (s State) Measuring(p Plan, now time.Time) []Analysis {
	if s.Form != Held || !s.Applied || s.Reached.IsZero() {
		return nil
	}
	return slices.DeleteFunc(p.Canary.Measured(s.Stage), func(a Analysis) bool {
		at := a.due(s.tally(a.Name), s.Reached)
		return at.IsZero() || at.After(now)
	})
}

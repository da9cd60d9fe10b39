package policies

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Analysis is something that is measured of a stage while it is held, by samples.
type Analysis struct {
	Name string
	// Min and Max bound a good value, both included; nil: there is no bound. Equals is the only good one; empty: any is.
	Min, Max *float64
	Equals   string
	// Compare says that what is judged is the canary's value against the stable pods'; empty: the value itself.
	Compare Comparison
	// Interval is the time from one sample to the next, and to the first one. Once: the first is taken without delay, and
	// when there are enough good ones, none is any more.
	Interval time.Duration
	Once     bool
	// Failures is how many bad samples make the stage fail, Errors how many without a value in a row make it inconclusive,
	// and Samples how many good ones the stage needs. Each is at least 1.
	Failures, Errors, Samples int
}

// Comparison is how a value is held against that of the stable pods.
type Comparison string

// The comparisons.
const (
	Ratio      Comparison = "ratio"      // the canary's divided by the stable pods'
	Difference Comparison = "difference" // the canary's less the stable pods'
)

// Result is what a sample says.
type Result string

// The results. Neither NoData nor NoAnswer is ever good.
const (
	Good     Result = "good"
	Bad      Result = "bad"
	NoData   Result = "no data"   // the provider has no value
	NoAnswer Result = "no answer" // the provider could not be asked
)

// Reading is what a provider answered.
type Reading struct {
	// Value is a number, or with Equals any text. Stable is that of the stable pods, where Compare wants it.
	Value, Stable string
	// Result is what the provider knows by itself, such as that a Job failed; empty: Value is judged. Says is why.
	Result Result
	Says   string
}

// Sample is a reading that was judged.
type Sample struct {
	Analysis string
	// At is when the reading began.
	At     time.Time
	Result Result
	// Value is what was judged, as people read it; Says is a sentence about it.
	Value, Says string
}

// Judge makes a sample of a reading that began at a time.
func (a Analysis) Judge(r Reading, at time.Time) Sample {
	s := Sample{Analysis: a.Name, At: at, Result: r.Result, Value: r.Value, Says: r.Says}
	if s.Result != "" {
		return s
	}
	if a.Equals != "" {
		s.Result, s.Says = Good, fmt.Sprintf("%q", r.Value)
		if r.Value != a.Equals {
			s.Result, s.Says = Bad, fmt.Sprintf("%q is not %q", r.Value, a.Equals)
		}
		return s
	}
	value, text, fault := a.judged(r)
	s.Value, s.Says = text, text
	switch {
	case fault != "":
		s.Result, s.Value, s.Says = NoAnswer, "", fault
	case math.IsNaN(value):
		s.Result, s.Value, s.Says = NoData, "", "the value is not a number: nothing was counted"
	case a.Max != nil && value > *a.Max:
		s.Result, s.Says = Bad, text+" is above "+number(*a.Max)
	case a.Min != nil && value < *a.Min:
		s.Result, s.Says = Bad, text+" is below "+number(*a.Min)
	default:
		s.Result = Good
	}
	return s
}

// judged is the number that the bounds are for, and how people read it.
func (a Analysis) judged(r Reading) (value float64, text, fault string) {
	value, err := strconv.ParseFloat(r.Value, 64)
	if err != nil {
		return 0, "", fmt.Sprintf("%q is not a number", r.Value)
	}
	if a.Compare == "" {
		return value, number(value), ""
	}
	stable, err := strconv.ParseFloat(r.Stable, 64)
	if err != nil {
		return 0, "", fmt.Sprintf("%q, of the stable pods, is not a number", r.Stable)
	}
	both := fmt.Sprintf(" (%s against %s of the stable pods)", number(value), number(stable))
	switch {
	case a.Compare == Difference:
		value -= stable
	case value == stable: // also where both are 0
		value = 1
	default:
		value /= stable
	}
	return value, string(a.Compare) + " " + number(value) + both, ""
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

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

// analyses are those of a stage: which its step names, and which no step names.
func (c *Canary) analyses(stage int) []Analysis {
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
	for _, a := range p.Canary.analyses(s.Stage) {
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
	for _, a := range p.Canary.analyses(s.Stage) {
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

// Waits says what a stage waits for whose pods are Ready, as far as analyses keep it; empty: they do not.
func (s State) Waits(p Plan) string {
	if s.Form != Held || s.Reached.IsZero() {
		return ""
	}
	var waits []string
	for _, a := range p.Canary.analyses(s.Stage) {
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
	return slices.DeleteFunc(p.Canary.analyses(s.Stage), func(a Analysis) bool {
		at := a.due(s.tally(a.Name), s.Reached)
		return at.IsZero() || at.After(now)
	})
}

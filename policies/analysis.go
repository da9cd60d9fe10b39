package policies

import (
	"fmt"
	"math"
	"strconv"
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
	// Failures is how many bad samples make the stage fail, whatever good ones came in between, Errors how many without a value
	// in a row make it inconclusive, and Samples how many good ones the stage needs. Each is at least 1.
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

package policies

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func bound(v float64) *float64 { return &v }

func TestJudge(t *testing.T) {
	for name, tc := range map[string]struct {
		reason   string
		analysis Analysis
		reading  Reading
		want     Sample
	}{
		"AtMost":     {"both bounds are included", Analysis{Max: bound(0.01)}, Reading{Value: "0.01"}, Sample{Result: Good, Value: "0.01", Says: "0.01"}},
		"TooMuch":    {"value and threshold are named", Analysis{Max: bound(0.01)}, Reading{Value: "0.0341"}, Sample{Result: Bad, Value: "0.0341", Says: "0.0341 is above 0.01"}},
		"TooLittle":  {"value and threshold are named", Analysis{Min: bound(10)}, Reading{Value: "9"}, Sample{Result: Bad, Value: "9", Says: "9 is below 10"}},
		"Infinite":   {"it is more than anything", Analysis{Max: bound(1)}, Reading{Value: "+Inf"}, Sample{Result: Bad, Value: "+Inf", Says: "+Inf is above 1"}},
		"NotANumber": {"nothing divided by nothing: there was no traffic", Analysis{Max: bound(1)}, Reading{Value: "NaN"}, Sample{Result: NoData, Says: "the value is not a number: nothing was counted"}},
		"AText":      {"a provider that answers something else was not asked rightly", Analysis{Max: bound(1)}, Reading{Value: "ok"}, Sample{Result: NoAnswer, Says: `"ok" is not a number`}},
		"Equal":      {"texts are compared to the letter", Analysis{Equals: "true"}, Reading{Value: "true"}, Sample{Result: Good, Value: "true", Says: `"true"`}},
		"NotEqual":   {"texts are compared to the letter", Analysis{Equals: "true"}, Reading{Value: "false"}, Sample{Result: Bad, Value: "false", Says: `"false" is not "true"`}},
		"TwiceAsSlow": {"the canary's is divided by the stable pods'", Analysis{Max: bound(1.5), Compare: Ratio}, Reading{Value: "0.4", Stable: "0.2"},
			Sample{Result: Bad, Value: "ratio 2 (0.4 against 0.2 of the stable pods)", Says: "ratio 2 (0.4 against 0.2 of the stable pods) is above 1.5"}},
		"NoErrorsAtAll": {"none against none is the same", Analysis{Max: bound(1.5), Compare: Ratio}, Reading{Value: "0", Stable: "0"},
			Sample{Result: Good, Value: "ratio 1 (0 against 0 of the stable pods)", Says: "ratio 1 (0 against 0 of the stable pods)"}},
		"ErrorsAgainstNone": {"any is infinitely more than none", Analysis{Max: bound(1.5), Compare: Ratio}, Reading{Value: "0.1", Stable: "0"},
			Sample{Result: Bad, Value: "ratio +Inf (0.1 against 0 of the stable pods)", Says: "ratio +Inf (0.1 against 0 of the stable pods) is above 1.5"}},
		"Difference": {"the stable pods' is taken off", Analysis{Max: bound(0.1), Compare: Difference}, Reading{Value: "0.25", Stable: "0.125"},
			Sample{Result: Bad, Value: "difference 0.125 (0.25 against 0.125 of the stable pods)", Says: "difference 0.125 (0.25 against 0.125 of the stable pods) is above 0.1"}},
		"Said": {"what a provider knows by itself is not judged again", Analysis{Max: bound(1)}, Reading{Result: Bad, Says: "the Job failed"}, Sample{Result: Bad, Says: "the Job failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.analysis.Judge(tc.reading, time.Time{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestStagesMeasureWhatTheyName: one that no step names is in all of them.
func TestStagesMeasureWhatTheyName(t *testing.T) {
	c := &Canary{
		Steps:    []CanaryStep{{Analyses: []string{"smoke"}}, {Analyses: []string{"latency", "smoke"}}, {}},
		Analyses: []Analysis{{Name: "errors"}, {Name: "latency"}, {Name: "smoke"}},
	}
	for stage, want := range [][]string{nil, {"errors", "smoke"}, {"errors", "latency", "smoke"}, {"errors"}, nil} {
		var got []string
		for _, a := range c.Measured(stage) {
			got = append(got, a.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("stage %d (-want +got):\n%s", stage, diff)
		}
	}
}

// TestBadSamplesAddUp: over the stage, while samples without a value count only in a row.
func TestBadSamplesAddUp(t *testing.T) {
	a := Analysis{Name: "errors", Interval: time.Second, Failures: 3, Errors: 2, Samples: 100}
	tally := Tally{}
	for n, result := range []Result{Bad, Good, NoData, Good, NoAnswer, Bad, NoData, Good, Good, Bad} {
		failed, doubtful := a.failed(tally, true)
		if failed != "" || doubtful != "" {
			t.Fatalf("after %d samples it is %q, %q", n, failed, doubtful)
		}
		tally = tally.take(Sample{Result: result, Says: "1 is above 0", At: start.Add(time.Duration(n) * time.Second)})
	}
	if failed, _ := a.failed(tally, true); failed != "analysis errors: 1 is above 0, 3 bad of 10 samples" {
		t.Errorf("after the third bad one it is %q", failed)
	}
}

// TestAnalysisAlwaysEnds: whatever the samples say, a stage whose time is over ends.
func TestAnalysisAlwaysEnds(t *testing.T) {
	a := Analysis{Name: "errors", Interval: time.Second, Failures: 3, Errors: 2, Samples: 4}
	results := []Result{Good, Bad, NoData, NoAnswer}
	for seed := range 4 * 4 * 4 * 4 {
		tally, at := Tally{}, seed
		for n := 1; ; n++ {
			tally = tally.take(Sample{Result: results[at%4], At: start.Add(time.Duration(n) * time.Second)})
			at = (at/4 + at%4*64) % 256 // the same four results over and over
			failed, doubtful := a.failed(tally, true)
			if failed != "" || doubtful != "" || tally.Good >= a.Samples {
				break
			}
			if n > a.Samples+a.Failures+a.Errors {
				t.Fatalf("%d: after %d samples nobody knows: %+v", seed, n, tally)
			}
		}
	}
}

// TestAJobRunsOnce: without delay, and not again once it was well.
func TestAJobRunsOnce(t *testing.T) {
	a := Analysis{Name: "smoke", Once: true, Interval: time.Minute, Failures: 1, Errors: 2, Samples: 1}
	if at := a.due(Tally{}, start); !at.Equal(start) {
		t.Errorf("the first is due at %s", at)
	}
	if at := a.due(Tally{Taken: 1, Missed: 1, Last: start}, start); !at.Equal(start.Add(time.Minute)) {
		t.Errorf("after one without an answer the next is due at %s", at)
	}
	if at := a.due(Tally{Taken: 1, Good: 1, Last: start}, start); !at.IsZero() {
		t.Errorf("after a good one another is due at %s", at)
	}
}

// TestTally: what is in a row is in a row, and what is bad stays said.
func TestTally(t *testing.T) {
	at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	got := Tally{Analysis: "errors"}
	for n, s := range []Sample{
		{Result: NoData}, {Result: NoAnswer, Says: "connection refused"}, {Result: Bad, Value: "2", Says: "2 is above 1"},
		{Result: NoAnswer, Says: "connection refused"}, {Result: Good, Value: "1", Says: "1"}, {Result: NoData, Says: "no series"},
	} {
		s.At = at(n)
		got = got.take(s)
	}
	want := Tally{Analysis: "errors", Taken: 6, Good: 1, Bad: 1, Missed: 1, Last: at(5), Says: "no data: no series", Worst: "2 is above 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("tally (-want +got):\n%s", diff)
	}
	got = Tally{}.take(Sample{Result: NoAnswer, At: at(1)}).take(Sample{Result: Bad, At: at(2)})
	if got.Missed != 0 {
		t.Errorf("a bad sample is an answer, and %d are missed in a row", got.Missed)
	}
}

// TestDueSaysWhenTheNextSampleIs: the key is woken for it, also when the time of the stage is over long since.
func TestDueSaysWhenTheNextSampleIs(t *testing.T) {
	a := Analysis{Name: "errors", Interval: 30 * time.Second, Failures: 1, Errors: 1, Samples: 9}
	p := Plan{Canary: &Canary{Steps: []CanaryStep{{Hold: time.Minute}}, Analyses: []Analysis{a}}}
	s := State{Applied: true, Staging: Staging{Form: Held, Stage: 1, Reached: start}}
	if due := s.Due(p, start); !due.Equal(start.Add(30 * time.Second)) {
		t.Errorf("the first is due at %s", due)
	}
	s.Measured = []Tally{{Analysis: "errors", Taken: 4, Last: start.Add(2 * time.Hour)}}
	now := start.Add(2*time.Hour + time.Second)
	if due := s.Due(p, now); !due.Equal(start.Add(2*time.Hour+30*time.Second)) || len(s.Measuring(p, now)) > 0 {
		t.Errorf("the next is due at %s, and %d are now", due, len(s.Measuring(p, now)))
	}
	if waits := s.Waits(p); waits != "errors: 0 of 9 good samples" {
		t.Errorf("it waits for %q", waits)
	}
}

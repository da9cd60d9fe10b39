package dashboard

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

func TestTick(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.01507: "0.015", 1.38: "1.4", 181.7: "182", 12345: "12k", -3e6: "-3M", 2e9: "2G", 1e-7: "1e-07"} {
		if got := tick(v); got != want {
			t.Errorf("tick(%g) is %q, want %q", v, got, want)
		}
	}
}

// TestChartsStayInTheirFrame: whatever is measured is drawn within, and what is no number is drawn as none.
func TestChartsStayInTheirFrame(t *testing.T) {
	value := func(v float64) *float64 { return &v }
	for name, values := range map[string][]*float64{
		"Nothing": nil, "One": {value(3)}, "Same": {value(0), value(0)}, "Below": {value(-5), value(-1)}, "Missing": {nil, value(2), nil},
		"NoNumber": {value(math.NaN()), value(math.Inf(1)), value(1)}, "Huge": {value(1e300), value(-1e300)},
	} {
		t.Run(name, func(t *testing.T) {
			a := view.Analysis{Name: name, Max: value(2), Min: value(-1)}
			for i, v := range values {
				a.Samples = append(a.Samples, view.Sample{At: midday().Add(time.Duration(i) * time.Minute), Value: v, Bad: i == 1})
			}
			c := chartOf(a)
			if len(c.Dots) != len(values) || strings.Contains(c.Line, "NaN") || strings.Contains(c.Line, "Inf") {
				t.Errorf("%d dots of %d samples, line %q", len(c.Dots), len(values), c.Line)
			}
			for _, d := range c.Dots {
				if !(d.X >= chartLeft && d.X <= chartRight && d.Y >= chartTop && d.Y <= chartBottom) {
					t.Errorf("a dot is at %g, %g", d.X, d.Y)
				}
			}
			for _, b := range append(c.Bounds, c.Ticks...) {
				if !(b.Y >= chartTop && b.Y <= chartBottom) || b.Bad < 0 {
					t.Errorf("%q is at %g, %g high", b.Text, b.Y, b.Bad)
				}
			}
		})
	}
}

// TestStageMarks: the stage that is under way is marked, and on the way back none is.
func TestStageMarks(t *testing.T) {
	classes := func(c view.Canary) string {
		var out []string
		for _, m := range stageMarks(c) {
			out = append(out, m.Class)
		}
		return strings.Join(out, " ")
	}
	for want, c := range map[string]view.Canary{
		"done now next": {Stage: 2, Stages: 3, Form: "hold"}, "done done": {Stage: 3, Stages: 2, Form: "finish"}, "next": {}, "off off": {Stage: 1, Stages: 2, Form: "abort"},
	} {
		if got := classes(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

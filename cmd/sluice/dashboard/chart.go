package dashboard

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// Charts are SVG whose geometry is in attributes, since no style may be in a page. Beside each is a table with the same numbers.

// mark is a rectangle of a chart.
type mark struct {
	X, Y, W, H float64
	Class      string
	Title      string
}

// stageMarks are the stages of a canary, a hundred wide.
func stageMarks(c view.Canary) []mark {
	const gap = 1.5
	stages := max(1, c.Stages)
	wide := (100 - gap*float64(stages-1)) / float64(stages)
	var out []mark
	for i := range stages {
		m := mark{X: rounded(float64(i) * (wide + gap)), W: rounded(wide), H: 6, Class: "next"}
		switch {
		case c.Form == "abort" || c.Form == "return" || c.Form == "drain":
			m.Class = "off"
		case i+1 < c.Stage:
			m.Class = "done"
		case i+1 == c.Stage:
			m.Class = "now"
		}
		out = append(out, m)
	}
	return out
}

// podDots are pods, one square each.
type podDots struct {
	Wide int
	Dots []mark
}

// dotsOf are as many pods, the first of them Ready. So many that nobody would count them are not drawn.
func dotsOf(all, ready int, class string) podDots {
	const most, step = 40, 10
	d := podDots{Wide: max(1, step*min(all, most))}
	for i := range min(all, most) {
		m := mark{X: float64(i * step), Class: class}
		if i >= ready {
			m.Class += " unready"
		}
		d.Dots = append(d.Dots, m)
	}
	return d
}

// analysisChart is what one analysis measured, 420 by 160, and its thresholds.
type analysisChart struct {
	view.Analysis
	Line   string // the points that a line goes through
	Dots   []dot
	Bounds []bound
	Ticks  []bound
	From   time.Time
	To     time.Time
}

// dot is a sample; where it has no value it stands at the bottom.
type dot struct {
	X, Y  float64
	Class string // good, bad or none
}

// bound is a horizontal line with its value.
type bound struct {
	Y    float64
	Text string
	Bad  float64 // the height of what is beyond it, to the top (max) or the bottom (min)
	Max  bool
}

const (
	chartLeft, chartTop        = 40.0, 10.0
	chartRight, chartBottom    = 412.0, 140.0
	chartRoom                  = 1.15 // above the highest value
	deliveryWidth, deliveryTop = 240.0, 48.0
)

func chartOf(a view.Analysis) analysisChart {
	c := analysisChart{Analysis: a}
	low, high := 0.0, 0.0
	take := func(v float64) { low, high = math.Min(low, v), math.Max(high, v) }
	for _, s := range a.Samples {
		if s.Value != nil && !math.IsInf(*s.Value, 0) && !math.IsNaN(*s.Value) {
			take(*s.Value)
		}
	}
	for _, v := range []*float64{a.Min, a.Max} {
		if v != nil {
			take(*v)
		}
	}
	if high == low {
		high = low + 1
	}
	high = low + (high-low)*chartRoom
	y := func(v float64) float64 { return rounded(chartBottom - (v-low)/(high-low)*(chartBottom-chartTop)) }
	if a.Max != nil {
		c.Bounds = append(c.Bounds, bound{Y: y(*a.Max), Text: "max " + number(*a.Max), Bad: rounded(y(*a.Max) - chartTop), Max: true})
	}
	if a.Min != nil {
		c.Bounds = append(c.Bounds, bound{Y: y(*a.Min), Text: "min " + number(*a.Min), Bad: rounded(chartBottom - y(*a.Min))})
	}
	c.Ticks = []bound{{Y: y(low), Text: tick(low)}, {Y: y(high), Text: tick(high)}}
	if len(a.Samples) > 0 {
		c.From, c.To = a.Samples[0].At, a.Samples[len(a.Samples)-1].At
	}
	c.plot(y)
	return c
}

// tick is a value at an axis, where there is room for six letters.
func tick(v float64) string {
	switch size := math.Abs(v); {
	case size >= 1e15, size > 0 && size < 1e-3:
		return fmt.Sprintf("%.0e", v)
	case size >= 1e9:
		return fmt.Sprintf("%.0fG", v/1e9)
	case size >= 1e6:
		return fmt.Sprintf("%.0fM", v/1e6)
	case size >= 1e4:
		return fmt.Sprintf("%.0fk", v/1e3)
	case size >= 100:
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.2g", v)
}

func (c *analysisChart) plot(y func(float64) float64) {
	var line []string
	whole := c.To.Sub(c.From).Seconds()
	for _, s := range c.Samples {
		d := dot{X: (chartLeft + chartRight) / 2, Y: chartBottom, Class: "none"}
		if whole > 0 {
			d.X = rounded(chartLeft + 8 + s.At.Sub(c.From).Seconds()/whole*(chartRight-chartLeft-16))
		}
		if s.Value != nil && !math.IsInf(*s.Value, 0) && !math.IsNaN(*s.Value) {
			d.Y, d.Class = y(*s.Value), "good"
			line = append(line, fmt.Sprintf("%g,%g", d.X, d.Y))
		}
		if s.Bad {
			d.Class = "bad"
		}
		c.Dots = append(c.Dots, d)
	}
	c.Line = strings.Join(line, " ")
}

// Path is a bad sample's mark, which is another shape, not only another colour.
func (d dot) Path() string {
	return fmt.Sprintf("M%g %gl6 10h-12z", d.X, rounded(d.Y-6))
}

func rounded(v float64) float64 { return math.Round(v*10) / 10 }

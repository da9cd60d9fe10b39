package dashboard

import (
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// delivery is how one environment was delivered to, over time.
type delivery struct {
	Environment string
	Periods     []view.Delivery // the oldest first
	Bars        []mark          // deployments, and failures above them
	Lead        []mark          // the lead time of each period
	// What they come to in all; Lead and Restore are the last ones known.
	Deployments, Failures, Changes int
	LeadSeconds, RestoreSeconds    float64
	Longest                        float64 // the longest lead time, in seconds
}

// Since is the first day of the charts.
func (d delivery) Since() string { return d.Periods[0].From.UTC().Format("2 Jan") }

// Until is the last day.
func (d delivery) Until() string { return d.Periods[len(d.Periods)-1].To.UTC().Format("2 Jan 2006") }

// Rate is the share of changes that failed.
func (d delivery) Rate() string {
	if d.Changes == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(d.Failures)/float64(d.Changes))
}

func deliveries(metrics []view.Delivery, order []string) []delivery {
	by := map[string]*delivery{}
	for _, m := range metrics {
		d := by[m.Environment]
		if d == nil {
			d = &delivery{Environment: m.Environment}
			by[m.Environment] = d
			if !slices.Contains(order, m.Environment) {
				order = append(slices.Clone(order), m.Environment)
			}
		}
		d.Periods = append(d.Periods, m)
		d.Deployments, d.Failures, d.Changes = d.Deployments+m.Deployments, d.Failures+m.Failures, d.Changes+m.Changes
		if m.LeadSeconds > 0 {
			d.LeadSeconds = m.LeadSeconds
		}
		if m.RestoreSeconds > 0 {
			d.RestoreSeconds = m.RestoreSeconds
		}
	}
	var out []delivery
	for _, env := range order {
		if d := by[env]; d != nil {
			d.draw()
			out = append(out, *d)
		}
	}
	return out
}

func (d *delivery) draw() {
	most, longest := 1, 1.0
	for _, p := range d.Periods {
		most, longest = max(most, p.Deployments+p.Failures), max(longest, p.LeadSeconds)
	}
	d.Longest = longest
	step := deliveryWidth / float64(len(d.Periods))
	wide := rounded(max(1, step*0.72))
	for i, p := range d.Periods {
		x := rounded(float64(i)*step + step*0.14)
		bar := func(from, n int, class string) mark {
			return mark{
				X: x, W: wide, Y: rounded(deliveryTop * (1 - float64(from+n)/float64(most))), H: rounded(deliveryTop * float64(n) / float64(most)),
				Class: class,
			}
		}
		if p.Deployments > 0 {
			d.Bars = append(d.Bars, bar(0, p.Deployments, "good"))
		}
		if p.Failures > 0 {
			d.Bars = append(d.Bars, bar(p.Deployments, p.Failures, "bad"))
		}
		if p.LeadSeconds > 0 {
			h := rounded(deliveryTop * p.LeadSeconds / longest)
			d.Lead = append(d.Lead, mark{X: x, W: wide, Y: rounded(deliveryTop - h), H: h, Class: "lead"})
		}
	}
}

// Says is the chart in a sentence.
func (d delivery) Says() string {
	return fmt.Sprintf("%s to %s in %s, %s", plural(d.Deployments, "deployment"), d.Environment, plural(len(d.Periods), "period"),
		plural(d.Failures, "failure"))
}

package reconciler

import (
	"maps"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// charted bounds the samples that are kept of each analysis: two hours of one every 30 s, at 40 bytes each.
const charted = 240

// chart are the last samples of a stage, for those who look. No pass reads them.
type chart struct {
	stage  time.Time // when it was reached
	series map[string][]view.Sample
}

// note adds a sample of a stage, and begins anew with another stage.
func (c *chart) note(stage time.Time, of policies.Analysis, r policies.Reading, s policies.Sample) {
	if !c.stage.Equal(stage) || c.series == nil {
		c.stage, c.series = stage, map[string][]view.Sample{}
	}
	shown := view.Sample{At: s.At, Bad: s.Result == policies.Bad}
	if value, ok := of.Number(r); ok {
		shown.Value = &value
	}
	series := append(c.series[of.Name], shown)
	c.series[of.Name] = series[max(0, len(series)-charted):]
}

// charted are copies of the last samples, by analysis.
func (t *target) charted() map[string][]view.Sample {
	t.mu.Lock()
	defer t.mu.Unlock()
	copied := maps.Clone(t.chart.series)
	for name := range copied {
		copied[name] = slices.Clone(copied[name])
	}
	return copied
}

// charts keeps a sample for those who look, unless nobody waits for it any more.
func (t *target) charts(q *question, r policies.Reading, s policies.Sample) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !q.withdrawn {
		t.chart.note(q.reached, q.analysis, r, s)
	}
}

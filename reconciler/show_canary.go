package reconciler

import (
	"strings"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// tagOf is the tag of an image; empty where it has none, as with a digest alone.
func tagOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		return image[i+1:]
	}
	return ""
}

// canary is where a staged release stands; nil: none is under way.
func (p *Pass) canary() *view.Canary {
	saved := p.target.held.saved
	state := saved.State
	if !state.Assess && state.Form == policies.Settled {
		return nil
	}
	c := &view.Canary{
		Stage: state.At(), Stages: saved.Stages, Form: string(state.Form), Due: saved.Due, Began: state.StageBegan,
		Waits: p.shownText(WaitsFor(p.Key, state)), Approve: state.Awaited(),
	}
	if state.Closed {
		c.Due = state.Opens
	}
	if state.Split.By != (policies.Traffic{}) {
		weight := state.Split.Weight
		c.Weight = &weight
	}
	if p.Wanted.Canary != nil {
		c.Stages = len(p.Wanted.Canary.Steps)
		for i, step := range p.Wanted.Canary.Steps {
			c.Plan = append(c.Plan, view.Stage{Number: i + 1, Text: stageText(step)})
		}
	}
	for _, s := range state.Staged {
		shown := view.Workload{Object: s.Name, Replicas: s.Replicas, Want: s.Pods}
		if w, known := p.workload(s); known {
			shown.New, shown.NewReady, shown.Proven, shown.ProvenReady = w.New.There, w.New.Ready, w.Proven.There, w.Proven.Ready
		}
		c.Workloads = append(c.Workloads, shown)
	}
	c.Analyses = p.analyses(state)
	return c
}

// stageText is a stage as it is planned: "25% for 5m once approved".
func stageText(step policies.CanaryStep) string {
	text := step.String()
	if step.Hold > 0 {
		text += " for " + shortly(step.Hold)
	}
	if step.Approve {
		text += " once approved"
	}
	if len(step.Analyses) > 0 {
		text += ", measured by " + strings.Join(step.Analyses, ", ")
	}
	return text
}

// shortly is a duration without what is nothing of it: "5m", not "5m0s".
func shortly(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// analyses are what is measured of the stage, with the last samples. While it ends they are those of before.
func (p *Pass) analyses(state policies.State) (all []view.Analysis) {
	rules := p.Wanted.Canary
	if rules == nil {
		return nil
	}
	series := p.target.charted()
	for _, a := range rules.Analyses {
		shown := view.Analysis{Name: a.Name, Min: a.Min, Max: a.Max, Compare: string(a.Compare), Samples: series[a.Name]}
		known := len(shown.Samples) > 0
		for _, m := range rules.Measured(state.Stage) {
			known = known || m.Name == a.Name && state.Form.Held()
		}
		for _, t := range state.Measured {
			if t.Analysis == a.Name {
				known = true
				shown.Taken, shown.Good, shown.Bad, shown.Says = t.Taken, t.Good, t.Bad, p.shownText(t.Says)
			}
		}
		if known {
			all = append(all, shown)
		}
	}
	return all
}

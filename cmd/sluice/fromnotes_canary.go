package main

import (
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// canaryOf is where a staged release stood when its agent last said so; nil: it is not in its stages.
func canaryOf(row environmentStatus) *view.Canary {
	stage := row.Evidence.Stage
	underWay := row.Phase == policies.Progressing || row.Phase == policies.Holding || row.Phase == policies.Promoting
	if stage.Number == 0 || !underWay {
		return nil
	}
	c := &view.Canary{Stage: stage.Number, Stages: stage.Of, Began: row.At}
	if stage.Approve {
		c.Approve, c.Waits = stage.Number, "a person"
	}
	for _, m := range row.Evidence.Measured {
		c.Analyses = append(c.Analyses, view.Analysis{
			Name: printable(m.Analysis), Taken: m.Samples, Good: m.Good, Bad: m.Bad, Says: printable(m.Last),
		})
	}
	return c
}

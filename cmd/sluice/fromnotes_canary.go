package main

import (
	"fmt"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/told"
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
			Name: told.Line(m.Analysis), Taken: m.Samples, Good: m.Good, Bad: m.Bad, Says: told.Line(m.Last),
		})
	}
	return c
}

// helpFrom is how a person makes an environment go on, as far as notes tell; nil: nobody has to.
func helpFrom(c view.Cell) *view.Help {
	command := func(verb string) string { return fmt.Sprintf("sluice %s %s %s", verb, c.Application, c.Environment) }
	switch {
	case c.Paused:
		return &view.Help{What: "resume", Command: command("resume") + " --push"}
	case c.Canary != nil && c.Canary.Approve > 0:
		return &view.Help{What: fmt.Sprintf("approve stage %d", c.Canary.Approve), Command: command("approve")}
	}
	switch policies.Phase(c.Phase) {
	case policies.Failed, policies.RolledBack:
		return &view.Help{What: "push a fix, or try again by another number as retry: in " + config.ReleasePath(c.Environment)}
	default:
		return nil
	}
}

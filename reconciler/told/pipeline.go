package told

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// Places are the columns of environments in the pipeline of their application.
func Places(app *config.Application) map[string]int {
	places := map[string]int{}
	for range app.Environments { // a pipeline is not longer than that, also where it goes in a circle
		moved := false
		for _, env := range app.Environments {
			if env.Promotion == nil {
				continue
			}
			for _, from := range env.Promotion.From {
				if next := places[from] + 1; next > places[env.Name] && next < len(app.Environments) {
					places[env.Name], moved = next, true
				}
			}
		}
		if !moved {
			break
		}
	}
	return places
}

// Promotion is the rules of a promotion in words; nil: there are none.
func Promotion(p *config.Promotion) *view.Promotion {
	if p == nil {
		return nil
	}
	made := &view.Promotion{From: slices.Clone(p.From), By: string(p.By)}
	say := func(format string, args ...any) { made.When = append(made.When, fmt.Sprintf(format, args...)) }
	w := p.When
	if w.HealthyFor > 0 {
		say("healthy for %s", w.HealthyFor)
	}
	if len(w.Checks) > 0 {
		say("checks %s", strings.Join(w.Checks, ", "))
	}
	if w.Releases > 0 {
		say("%d releases proven", w.Releases)
	}
	if w.Quiet > 0 {
		say("nothing proven for %s", w.Quiet)
	}
	if w.Schedule != "" {
		say("at %s %s", w.Schedule, w.TimeZone)
	}
	if p.Group != "" {
		say("together with the group %s", p.Group)
	}
	return made
}

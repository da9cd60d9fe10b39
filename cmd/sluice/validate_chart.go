package main

import (
	"context"
	"path/filepath"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// chartNote is what the author of a chart should know, though nothing is wrong.
type chartNote struct {
	Environment string `json:"environment"`
	render.Remark
}

// chartNotes looks at the charts that the environments of an application are rendered from. What does not render has no
// notes: it is no matter of this file.
func chartNotes(ctx context.Context, file string) (notes []chartNote) {
	place, err := locate(ctx, filepath.Dir(file), "")
	if err != nil {
		return nil
	}
	defer place.close()
	app, faults := config.Load(place.tree, place.dir)
	if app == nil {
		return nil
	}
	known := map[render.Remark]bool{}
	for i := range app.Environments {
		env := &app.Environments[i]
		if len(faults.For(env.Name)) > 0 {
			continue
		}
		remarks, err := render.Remarks(ctx, place.over(ctx), place.request(app, env, render.Capabilities{}))
		if err != nil {
			continue
		}
		for _, r := range remarks {
			if !known[r] {
				known[r], notes = true, append(notes, chartNote{env.Name, r})
			}
		}
	}
	return notes
}

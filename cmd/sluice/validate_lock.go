package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/render"
)

// faultsOf makes faults of what a parser says.
func faultsOf(file string, err error) (faults config.Faults) {
	if err != nil && !errors.As(err, &faults) {
		return config.Faults{{File: file, Message: err.Error()}}
	}
	return faults
}

// validateLock checks that the lock beside a sluice.yaml has what its sources ask for, and nothing else. It needs no network.
func validateLock(ctx context.Context, file string, app *config.Application) (faults config.Faults) {
	dir := filepath.Dir(file)
	place, err := locate(ctx, dir, "")
	if err != nil {
		return config.Faults{{File: file, Message: err.Error()}}
	}
	defer place.close()
	name := filepath.Join(dir, render.LockFile)
	lock, err := config.LoadLock(place.tree, place.dir)
	if err != nil {
		return faultsOf(name, err)
	}
	tree, whole := withoutIgnored(ctx, place.tree, dir), true
	var all []render.Elsewhere
	for _, env := range app.Environments {
		at := fmt.Sprintf("environments[%s].source", env.Name)
		needs, err := env.Source.Elsewheres(ctx, tree, place.dir)
		if err != nil {
			whole = false // what cannot be read has no render either, which says why
			continue
		}
		lacking, _ := elsewhere.Lacking(lock, needs)
		for _, e := range lacking {
			faults = append(faults, config.Fault{File: file, Path: at, Message: fmt.Sprintf("needs chart %s, which %s does not have: run `sluice lock`", e, render.LockFile)})
		}
		all = append(all, needs...)
	}
	if len(faults) > 0 || !whole {
		return faults
	}
	_, idle := elsewhere.Lacking(lock, all)
	for _, l := range idle {
		faults = append(faults, config.Fault{File: name, Message: fmt.Sprintf("has chart %s, which nothing asks for any more: run `sluice lock`", l.Asks())})
	}
	return faults
}

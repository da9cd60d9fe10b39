package elsewhere

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice/gitsource/charts"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// Needs lists the charts from elsewhere that all environments of an application ask for in a tree, each once, dependencies
// included.
func Needs(ctx context.Context, tree render.Tree, dir string, app *config.Application) ([]render.Elsewhere, error) {
	var needs []render.Elsewhere
	var faults []error
	for _, env := range app.Environments {
		of, err := env.Source.Elsewheres(ctx, tree, dir)
		if err != nil {
			faults = append(faults, fmt.Errorf("environments[%s].source: %w", env.Name, err))
		}
		for _, e := range of {
			if !slices.Contains(needs, e) {
				needs = append(needs, e)
			}
		}
	}
	return needs, errors.Join(faults...)
}

// Lacking are those of the needs that a lock does not have, and Idle its entries that nobody needs.
func Lacking(lock config.Lock, needs []render.Elsewhere) (lacking []render.Elsewhere, idle []config.Locked) {
	for _, e := range needs {
		if _, ok := lock.For(e); !ok && !slices.Contains(lacking, e) {
			lacking = append(lacking, e)
		}
	}
	for _, l := range lock.Charts {
		if !slices.Contains(needs, l.Asks()) {
			idle = append(idle, l)
		}
	}
	return lacking, idle
}

// Resolver asks repositories what there is.
type Resolver struct {
	// Server is the one of an address.
	Server func(address string) (*charts.Server, error)
	// Keep is given each archive that was taken in; may be nil.
	Keep func([]byte) error
	// Upgrade looks for newer versions within the ranges too. Otherwise what is locked and still asked for stays.
	Upgrade bool
}

// Resolve makes a lock that has exactly the needs.
func (r Resolver) Resolve(ctx context.Context, lock config.Lock, needs []render.Elsewhere) (config.Lock, error) {
	var made config.Lock
	var faults []error
	for _, e := range needs {
		known, ok := lock.For(e)
		if ok && !r.Upgrade {
			made.Charts = append(made.Charts, known)
			continue
		}
		l, err := r.resolve(ctx, e, known)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		made.Charts = append(made.Charts, l)
	}
	return made, errors.Join(faults...)
}

// resolve finds one. A version that is locked already stays what it was taken for, whatever the repository says of it now.
func (r Resolver) resolve(ctx context.Context, e render.Elsewhere, known config.Locked) (config.Locked, error) {
	server, err := r.Server(e.Repository)
	if err != nil {
		return known, err
	}
	all, err := server.Versions(ctx, e.Repository, e.Name)
	if err != nil {
		return known, err
	}
	v, ok := charts.Pick(all, e.Version)
	if !ok {
		return known, fmt.Errorf("chart %s: the repository has no version of it in this range", e)
	}
	if v.Version == known.Resolved {
		return known, nil
	}
	if server, err = r.Server(v.At()); err != nil {
		return known, err
	}
	archive, err := server.Take(ctx, v)
	if err != nil {
		return known, err
	}
	if err := check(archive.Data, e, v.Version); err != nil {
		return known, fmt.Errorf("chart %s: %w", e, err)
	}
	if r.Keep != nil {
		if err := r.Keep(archive.Data); err != nil {
			return known, err
		}
	}
	return config.Locked{
		Repository: e.Repository, Chart: e.Name, Version: e.Version, Resolved: v.Version, URL: archive.URL, Digest: "sha256:" + archive.SHA256,
	}, nil
}

// check says whether an archive is the chart that was asked for.
func check(archive []byte, e render.Elsewhere, version string) error {
	name, has, err := render.AboutChart(archive)
	switch {
	case err != nil:
		return err
	case name != e.Name || has != version:
		return fmt.Errorf("the archive of %s %s is %s %s", e.Name, version, name, has)
	}
	return nil
}

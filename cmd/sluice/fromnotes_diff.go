package main

import (
	"context"
	"fmt"

	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// mostDiffs bounds those that are remembered: some kilobytes each.
const mostDiffs = 64

// diffs are those that were asked for. Two of one repository are not made at once, since each renders twice: who has the turn may
// use them.
type diffs struct {
	turn  chan struct{}
	known map[diffKey]view.Diff
}

// diffKey is what is compared, by whose rules.
type diffKey struct {
	tip      string
	from, to view.Side
}

func newDiffs() diffs { return diffs{make(chan struct{}, 1), map[diffKey]view.Diff{}} }

// diff renders two releases of an application, by the rules of the branch, and compares their objects.
func (n *noted) diff(ctx context.Context, look *sight, from, to view.Side) (view.Diff, error) {
	if look.branch == nil {
		return view.Diff{}, view.ErrElsewhere
	}
	select {
	case n.diffs.turn <- struct{}{}:
		defer func() { <-n.diffs.turn }()
	case <-ctx.Done():
		return view.Diff{}, ctx.Err()
	}
	key := diffKey{look.branch.tip, from, to}
	if known, ok := n.diffs.known[key]; ok {
		return known, nil
	}
	before, err := look.side(ctx, from)
	if err != nil {
		return view.Diff{}, err
	}
	after, err := look.side(ctx, to)
	if err != nil {
		return view.Diff{}, err
	}
	_, env := look.rules(to.Key)
	made := reconciler.DiffOf{
		Application: to.Application, From: before.DiffSide, To: after.DiffSide, Before: before.objects, After: after.objects,
		Versioned: env.Rollout.Staged(),
	}.Diff().View(from, to)
	if len(n.diffs.known) >= mostDiffs {
		clear(n.diffs.known)
	}
	n.diffs.known[key] = made
	return made, nil
}

// side renders a release. An environment that the branch has no more, or a revision that is gone, cannot be known here.
func (s *sight) side(ctx context.Context, of view.Side) (side, error) {
	app, env := s.rules(of.Key)
	if env == nil {
		return side{}, view.ErrElsewhere
	}
	tree, err := s.branch.repo.Tree(of.Revision)
	if err != nil {
		return side{}, fmt.Errorf("%w: %w", view.ErrElsewhere, err)
	}
	then := *env
	place := checkout{tree: tree, dir: s.branch.apps[of.Application].dir, revision: of.Revision}
	if place.dir, err = config.Locate(tree, app.Metadata.Name, place.dir, config.Repository{Path: place.dir}, app.Was...); err != nil {
		return side{}, err
	}
	if then.Source, err = config.LoadSource(tree, place.dir, env.Name, env.Was...); err != nil {
		return side{}, err
	}
	return place.side(ctx, app, &then)
}

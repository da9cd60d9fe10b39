package gitsource

import (
	"context"
	"fmt"
)

// Draft is a revision as it would be with these files on top of it, to be looked at before anything is pushed. Nobody else sees
// it: its objects lie in the mirror alone. The same arguments give the same Tree, whose Revision no branch has.
func (r *Repository) Draft(ctx context.Context, onto string, files Files) (*Tree, error) {
	revision, err := r.draft(ctx, onto, files)
	if err != nil {
		return nil, fmt.Errorf("draft on %s of %q: %w", onto, r.address, err)
	}
	return r.Tree(revision)
}

func (r *Repository) draft(ctx context.Context, onto string, files Files) (string, error) {
	base, err := r.Commit(onto)
	if err != nil {
		return "", err
	}
	if err := files.check(); err != nil {
		return "", err
	}
	select {
	case r.fetching <- struct{}{}: // whoever changes the mirror, lest it is replaced meanwhile
		defer func() { <-r.fetching }()
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	m := r.reader()
	defer m.release()
	b := builder{repo: r, mirror: m}
	revision, changed, err := b.commitOn(onto, []string{onto}, files, "Draft", base.Time)
	if err != nil || !changed {
		return onto, err
	}
	return revision, m.store.Write(b.objs...)
}

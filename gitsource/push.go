package gitsource

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// errUnsure says that the answer to a push was lost. Whether it arrived is seen by looking at the references again.
var errUnsure = errors.New("the push may have arrived")

// push sends updates with the new objects, and after the server's yes keeps them in the mirror too, so that they are not
// fetched. The error is one of all updates; each has its own in the answer.
func (r *Repository) push(ctx context.Context, m *mirror, b *builder, p wire.Push) (wire.Pushed, error) {
	var err error
	if p.Pack, err = b.pack(); err != nil {
		return wire.Pushed{}, err
	}
	if r.cfg.Pace != nil {
		answered, err := r.cfg.Pace(ctx)
		if err != nil {
			return wire.Pushed{}, err
		}
		defer answered()
	}
	leave, err := r.cfg.Hosts.enter(ctx, r.address.Host)
	if err != nil {
		return wire.Pushed{}, err
	}
	pushed, err := r.remote.Push(ctx, p)
	leave()
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		return wire.Pushed{}, fmt.Errorf("%w: %w", errUnsure, err)
	}
	if err != nil {
		return wire.Pushed{}, err
	}
	var done []wire.Update
	for i, u := range p.Updates {
		if pushed.Errs[i] == nil {
			done = append(done, u)
		}
	}
	r.remember(ctx, m, b, done)
	return pushed, nil
}

// remember is a convenience: what it cannot keep, the next fetch brings.
func (r *Repository) remember(ctx context.Context, m *mirror, b *builder, done []wire.Update) {
	if len(done) == 0 {
		return
	}
	select {
	case r.fetching <- struct{}{}:
		defer func() { <-r.fetching }()
	case <-ctx.Done():
		return
	}
	if err := m.store.Write(b.objs...); err != nil {
		return
	}
	refs := m.store.Refs()
	for _, u := range done {
		switch {
		case refs[u.Ref].Hash != u.Old:
		case u.New == "":
			delete(refs, u.Ref)
		default:
			refs[u.Ref] = store.Ref{Hash: u.New}
		}
	}
	_ = m.store.SetRefs(refs) //nolint:errcheck // see above
}

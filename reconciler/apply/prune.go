package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// PruneOptions are what may go.
type PruneOptions struct {
	// Allow lists kinds that are kept otherwise: PersistentVolumeClaim, Namespace, CustomResourceDefinition.
	Allow []string
}

// Keeps says why an object is not deleted, whatever it is like; empty: it may be.
func (o PruneOptions) Keeps(id ID) string {
	if precious(id) && !slices.Contains(o.Allow, id.Kind) {
		return fmt.Sprintf("kept: a %s is deleted only where prune.delete allows it", id.Kind)
	}
	return ""
}

// Prune deletes objects that the release has no more, in the reverse order of an apply. Each is looked at first: one
// that is not the one we made, or that bears labels of somebody else by now, is skipped, as are those whose kind is
// kept and those annotated sluice.dev/prune: disabled. Every object in the changes can be forgotten, whatever became
// of it; the others are to be tried again. The error is [Errors], or says that ctx has ended.
func (c *Client) Prune(ctx context.Context, owner Owner, stale Inventory, opts PruneOptions) ([]Change, error) {
	if c.broken != nil {
		return nil, fmt.Errorf("prune %s: %w", owner, c.broken)
	}
	changes, faults := make([]*Change, len(stale)), make(Errors, len(stale))
	for _, class := range slices.Backward(inOrder()) {
		c.each(len(stale), func(i int) {
			e := stale[i]
			if classOf(e.ID, e.Version) != class || ctx.Err() != nil {
				return
			}
			change, err := c.pruneOne(ctx, owner, e, opts)
			if err != nil && !(ctx.Err() != nil && ctxError(err)) {
				faults[i] = c.refusal(ctx, e.ID, err)
			}
			changes[i] = change
		})
		if faults.orNil() != nil || ctx.Err() != nil {
			break
		}
	}
	var done []Change
	for _, change := range changes {
		if change != nil {
			done = append(done, *change)
		}
	}
	if err := faults.orNil(); err != nil {
		return done, err
	}
	if err := ctx.Err(); err != nil {
		return done, fmt.Errorf("prune %s: %w", owner, err)
	}
	return done, nil
}

func (c *Client) pruneOne(ctx context.Context, owner Owner, e Entry, opts PruneOptions) (*Change, error) {
	deleted := func(reason string) (*Change, error) { return &Change{ID: e.ID, Action: Deleted, Reason: reason}, nil }
	skipped := func(reason string) (*Change, error) { return &Change{ID: e.ID, Action: Skipped, Reason: reason}, nil }
	if c.reserved(e.ID) {
		return skipped("kept: the namespace is reserved")
	}
	if why := opts.Keeps(e.ID); why != "" {
		return skipped(why)
	}
	found, err := c.cluster.kinds.findAny(ctx, e.GVK())
	if errors.Is(err, errNoKind) {
		return deleted("its kind is gone, and all objects with it")
	}
	if err != nil {
		return nil, err
	}
	for range tries {
		live, err := c.get(ctx, found, e.ID)
		switch {
		case apierrors.IsNotFound(err):
			return deleted("")
		case err != nil:
			return nil, err
		}
		if reason := keep(owner, e, live, c.cluster.agent); reason != "" {
			return skipped(reason)
		}
		if live.GetDeletionTimestamp() != nil {
			return deleted("it is being deleted")
		}
		switch err := c.remove(ctx, found, e.ID, live); {
		case err == nil || apierrors.IsNotFound(err):
			return deleted("")
		case !apierrors.IsConflict(err):
			return nil, err
		}
	}
	return nil, &ObjectError{ID: e.ID, Reason: "it changes too often to be deleted", Transient: true, Code: http.StatusConflict}
}

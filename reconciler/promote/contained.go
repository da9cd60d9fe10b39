package promote

import (
	"context"
	"fmt"
)

// contained reports whether the polled branch has all that a branch changes, though not its commits: somebody squashed it, or
// picked from it. Then it has had its say, and nothing of it is lost with it.
func (k *Keeper) contained(ctx context.Context, l lane, head string) (bool, error) {
	base, err := k.Git.MergeBase(ctx, l.Tip, head)
	if err != nil || base == "" {
		return false, err
	}
	paths, err := k.Git.ChangedPaths(ctx, base, head)
	if err != nil {
		return false, err
	}
	theirs, err := k.Git.Tree(head)
	if err != nil {
		return false, fmt.Errorf("read %.7s: %w", head, err)
	}
	tip, err := k.Git.Tree(l.Tip)
	if err != nil {
		return false, fmt.Errorf("read %.7s: %w", l.Tip, err)
	}
	for _, path := range paths {
		before, errBefore := theirs.Object(path)
		after, errAfter := tip.Object(path)
		if before != after || (errBefore == nil) != (errAfter == nil) {
			return false, nil
		}
	}
	return true, nil
}

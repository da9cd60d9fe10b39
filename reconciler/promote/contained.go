package promote

import (
	"context"
	"fmt"
)

// contained reports whether the branch that it is merged into has all that a branch changes, though not its commits: somebody squashed it, or
// picked from it. Then it has had its say, and nothing of it is lost with it.
func (l lane) contained(ctx context.Context, head string) (bool, error) {
	base, err := l.in.Git.MergeBase(ctx, l.in.Tip, head)
	if err != nil || base == "" {
		return false, err
	}
	paths, err := l.in.Git.ChangedPaths(ctx, base, head)
	if err != nil {
		return false, err
	}
	theirs, err := l.in.Git.Tree(head)
	if err != nil {
		return false, fmt.Errorf("read %.7s: %w", head, err)
	}
	tip, err := l.in.Git.Tree(l.in.Tip)
	if err != nil {
		return false, fmt.Errorf("read %.7s: %w", l.in.Tip, err)
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

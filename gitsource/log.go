package gitsource

import (
	"context"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
)

// Range is the commits that To reaches and From does not.
type Range struct {
	From        string // empty is nothing: the whole history
	To          string
	FirstParent bool // only those that followed one another on the branch, without what was merged
	Limit       int  // how many are read; zero means 50, which a person may still look through
}

const defaultLimit = 50

// Commits reads the commits of a range, the newest first, and says how many there are in all. Times are those of the
// commits, as in git log: where a commit claims to be older than its parent, one that From reaches may be among them.
func (r *Repository) Commits(ctx context.Context, in Range) ([]Commit, int, error) {
	if in.Limit == 0 {
		in.Limit = defaultLimit
	}
	m := r.reader()
	defer m.release()
	hashes, err := r.inRange(ctx, m, in)
	if err != nil {
		return nil, 0, fmt.Errorf("list commits of %q: %w", r.address, r.judge(m, err))
	}
	var commits []Commit
	for _, h := range hashes[:min(len(hashes), in.Limit)] {
		c, err := r.readCommit(m, h)
		if err != nil {
			return nil, 0, fmt.Errorf("list commits of %q: %w", r.address, r.lost(m, err))
		}
		commits = append(commits, c)
	}
	return commits, len(hashes), nil
}

func (r *Repository) inRange(ctx context.Context, m *mirror, in Range) ([]store.Hash, error) {
	to, err := parseRevision(in.To)
	if err != nil {
		return nil, err
	}
	from := []start{{to, fromOther}}
	if in.From != "" {
		h, err := parseRevision(in.From)
		if err != nil {
			return nil, err
		}
		from = append(from, start{h, fromAncestor})
	}
	w, err := r.walk(m, onlyOther, from...)
	if err != nil {
		return nil, err
	}
	var order []store.Hash
	seen := map[store.Hash]bool{}
	err = w.run(ctx, nil, func(h store.Hash) {
		if !seen[h] {
			seen[h] = true
			order = append(order, h)
		}
	})
	if err != nil {
		return nil, err
	}
	if in.FirstParent {
		order = nil
		for h := to; w.marks[h] == fromOther; {
			order = append(order, h)
			c, err := r.commit(m, h)
			if err != nil || len(c.parents) == 0 {
				return order, err
			}
			h = c.parents[0]
		}
		return order, nil
	}
	kept := order[:0]
	for _, h := range order {
		if w.marks[h] == fromOther { // what From reaches was found out later
			kept = append(kept, h)
		}
	}
	return kept, nil
}

// MergeBase is the newest commit that both reach, and from which no other such commit is reached; empty where their
// histories have nothing in common. Both must be in the mirror, or it is ErrNotFound.
func (r *Repository) MergeBase(ctx context.Context, a, b string) (string, error) {
	if err := checkHashes([]string{a, b}); err != nil {
		return "", err
	}
	m := r.reader()
	defer m.release()
	base, err := r.mergeBase(ctx, m, plumbing.NewHash(a), plumbing.NewHash(b))
	if err != nil {
		return "", fmt.Errorf("compare history in %q: %w", r.address, r.judge(m, err))
	}
	if base.IsZero() {
		return "", nil
	}
	return base.String(), nil
}

// belowBoth marks what a common ancestor reaches: it is common too, and not the best.
const belowBoth = fromBoth + 1

// mergeBase walks from both commits, newest first, until nothing is left that is not below a common ancestor.
func (r *Repository) mergeBase(ctx context.Context, m *mirror, a, b store.Hash) (store.Hash, error) {
	w, err := r.walk(m, func(mark int) bool { return mark&belowBoth == 0 }, start{a, fromAncestor}, start{b, fromOther})
	if err != nil {
		return store.Hash{}, err
	}
	var common []store.Hash
	below := func(h store.Hash) int {
		if w.marks[h]&fromBoth == fromBoth {
			return belowBoth
		}
		return 0
	}
	err = w.run(ctx, below, func(h store.Hash) {
		if w.marks[h] == fromBoth {
			common = append(common, h)
		}
	})
	if err != nil {
		return store.Hash{}, err
	}
	for _, h := range common {
		if w.marks[h] == fromBoth {
			return h, nil
		}
	}
	return store.Hash{}, nil
}

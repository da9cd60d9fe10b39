package promote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// lane is a branch and its merge request: each asks for one revision of an environment, by one commit on the tip.
type lane struct {
	Subject
	in      Ledger // where the branch is, and what it is merged into
	branch  string
	message func(revision string) string // of the commit
	// asks is the revision that a commit asks for; empty: nobody can tell.
	asks func(gitsource.Commit, *gitsource.Tree) string
	// files are what is to be written onto a revision, so that it has what is asked for.
	files func(ctx context.Context, onto, revision string) (gitsource.Files, error)
}

// promotionLane asks for a candidate.
func (k *Keeper) promotionLane(s Subject) lane {
	return pins(lane{Subject: s, in: k.ledger(s), branch: "sluice/promote/" + s.Application + "/" + s.Environment, message: s.promotes})
}

// revertLane asks for the release that was proven before one that failed: where a pin is followed by the pin, and else by what
// that release was rendered from.
func (k *Keeper) revertLane(s Subject) lane {
	l := lane{Subject: s, in: k.ledger(s), branch: "sluice/revert/" + s.Application + "/" + s.Environment, message: s.reverts}
	if env, ok := s.Rules.Environment(s.Environment); !ok || env.Follow.Pin {
		return pins(l)
	}
	l.asks = func(c gitsource.Commit, _ *gitsource.Tree) string { return named(c.Message) }
	l.files = func(ctx context.Context, onto, revision string) (gitsource.Files, error) {
		return k.restored(ctx, s, onto, revision)
	}
	return l
}

// pins has a lane ask by the pin in the release file.
func pins(l lane) lane {
	l.asks = func(_ gitsource.Commit, tree *gitsource.Tree) string { return l.wordsAt(tree).Revision }
	l.files = func(_ context.Context, onto, revision string) (gitsource.Files, error) {
		tree, err := l.in.Git.Tree(onto)
		if err != nil {
			return nil, fmt.Errorf("read %.7s: %w", onto, err)
		}
		before, err := readFile(tree, l.file())
		if err != nil {
			return nil, err
		}
		after, err := config.Pin(l.file(), before, revision)
		return gitsource.Files{l.file(): {Content: after}}, err
	}
	return l
}

// made reports whether the commit of a branch is what we would make where it stands, and no more.
func (l lane) made(ctx context.Context, now known) (bool, error) {
	files, err := l.files(ctx, now.base, now.asks)
	if err != nil {
		return false, ctx.Err() // where we could not have made it, it is not ours
	}
	draft, err := l.in.Git.Draft(ctx, now.base, files)
	if err != nil {
		return false, ctx.Err()
	}
	head, err := l.in.Git.Tree(now.head)
	if err != nil {
		return false, fmt.Errorf("read %.7s: %w", now.head, err)
	}
	want, errWant := draft.Object(".")
	have, err := head.Object(".")
	return want == have, errors.Join(errWant, err)
}

// fits reports whether the commit of a branch would change just the same on top of the tip.
func (l lane) fits(ctx context.Context, now known) bool {
	files, err := l.files(ctx, l.in.Tip, now.asks)
	if err != nil {
		return false
	}
	draft, err := l.in.Git.Draft(ctx, l.in.Tip, files)
	if err != nil {
		return false
	}
	want, errWant := l.in.changes(ctx, l.in.Tip, draft.Revision())
	have, errHave := l.in.changes(ctx, now.base, now.head)
	return errWant == nil && errHave == nil && maps.Equal(want, have)
}

// changes are the paths that differ between two revisions, with what they were and what they are.
func (in Ledger) changes(ctx context.Context, from, to string) (map[string][2]string, error) {
	paths, err := in.Git.ChangedPaths(ctx, from, to)
	if err != nil {
		return nil, err
	}
	before, err := in.Git.Tree(from)
	if err != nil {
		return nil, err
	}
	after, err := in.Git.Tree(to)
	if err != nil {
		return nil, err
	}
	all := map[string][2]string{}
	for _, name := range paths {
		was, _ := before.Object(name) //nolint:errcheck // what is not there is empty
		is, _ := after.Object(name)   //nolint:errcheck // likewise
		all[name] = [2]string{was, is}
	}
	return all, nil
}

func readFile(tree *gitsource.Tree, file string) ([]byte, error) {
	data, err := fs.ReadFile(tree, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return data, nil
}

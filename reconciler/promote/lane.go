package promote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"path"
	"strings"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// picks are the revisions that are asked for, by the path of the release file of the environment that is to have them.
type picks map[string]string

// lane is a branch and its merge request: it asks for a revision of an environment, or of several, by one commit on the tip.
type lane struct {
	Subject              // of several any of them: they have the repository in common
	members []Subject    // all that may have a part in it
	in      Ledger       // where the branch is, and what it is merged into
	group   string       // empty: it is of one environment alone
	name    string       // as statuses have it: application/environment, or group/name
	branch  string       // without refs/heads/
	log     *slog.Logger // names what it is of
	message func(picks) string
	// asks is what a commit asks for; nothing: nobody can tell.
	asks func(context.Context, gitsource.Commit) (picks, error)
	// files are what is to be written onto a revision, so that it has what is asked for.
	files func(ctx context.Context, onto string, asked picks) (gitsource.Files, error)
}

// lane is one of a single environment, that asks by its pin.
func (k *Keeper) lane(s Subject, kind string, message func(revision string) string) lane {
	l := lane{
		Subject: s, members: []Subject{s}, in: k.ledger(s), name: s.name(), branch: "sluice/" + kind + "/" + s.name(),
		log:     k.Log.With("app", s.Application, "env", s.Environment),
		message: func(asked picks) string { return message(asked[s.file()]) },
	}
	return pins(l)
}

// promotionLane asks for a candidate.
func (k *Keeper) promotionLane(s Subject) lane { return k.lane(s, "promote", s.promotes) }

// revertLane asks for the release that was proven before one that failed: where a pin is followed by the pin, and else by what
// that release was rendered from.
func (k *Keeper) revertLane(s Subject) lane {
	l := k.lane(s, "revert", s.reverts)
	if env, ok := s.Rules.Environment(s.Environment); !ok || env.Follow.Pin {
		return l
	}
	l.asks = func(_ context.Context, c gitsource.Commit) (picks, error) {
		return picks{s.file(): named(c.Message)}, nil
	}
	l.files = func(ctx context.Context, onto string, asked picks) (gitsource.Files, error) {
		return k.restored(ctx, s, onto, asked[s.file()])
	}
	return l
}

// pins has a lane ask by the pins in release files. Which it asks for is read from those that its branch changed, so that it is
// known for ours whoever has a part in it by now.
func pins(l lane) lane {
	l.asks = l.pinned
	l.files = func(_ context.Context, onto string, asked picks) (gitsource.Files, error) {
		tree, err := l.in.Git.Tree(onto)
		if err != nil {
			return nil, fmt.Errorf("read %.7s: %w", onto, err)
		}
		files := gitsource.Files{}
		for file, revision := range asked {
			before, err := readFile(tree, file)
			if err != nil {
				return nil, err
			}
			after, err := config.Pin(file, before, revision)
			if err != nil {
				return nil, err
			}
			files[file] = gitsource.File{Content: after}
		}
		return files, nil
	}
	return l
}

// pinned are the pins that a branch has and that what it comes from has not.
func (l lane) pinned(ctx context.Context, head gitsource.Commit) (picks, error) {
	base, err := l.in.Git.MergeBase(ctx, l.in.Tip, head.Hash)
	if err == nil && base == "" && len(head.Parents) == 1 { // the polled branch was rewritten
		base = head.Parents[0]
	}
	if err != nil || base == "" {
		return nil, err
	}
	paths, err := l.in.Git.ChangedPaths(ctx, base, head.Hash)
	if err != nil {
		return nil, err
	}
	tree, err := l.in.Git.Tree(head.Hash)
	if err != nil {
		return nil, fmt.Errorf("read %.7s: %w", head.Hash, err)
	}
	asked := picks{}
	for _, file := range paths {
		dir, environment := path.Dir(path.Dir(file)), strings.TrimSuffix(path.Base(file), ".yaml")
		if path.Join(dir, config.ReleasePath(environment)) != file {
			continue
		}
		if words, _, err := config.LoadRelease(tree, dir, environment, nil); err == nil && words.Revision != "" {
			asked[file] = words.Revision
		}
	}
	return asked, nil
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

package promote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// errNotRestored says that a revision cannot be made to render as an earlier one by its files.
var errNotRestored = errors.New("it is to be reverted by hand")

// restored is what has to be written onto a revision so that the environment renders there as it did at a proven one: all that
// either render read, and of sluice.yaml what shapes its objects. Nobody else's block in it, and no release file, is touched.
func (k *Keeper) restored(ctx context.Context, s Subject, onto, proven string) (gitsource.Files, error) {
	after, now, ok, err := k.render(ctx, s, onto)
	if err == nil && !ok {
		err = fmt.Errorf("%s is not in sluice.yaml at %.7s: %w", s.Environment, onto, errNotRestored)
	}
	if err != nil {
		return nil, err
	}
	before, then, ok, err := k.render(ctx, s, proven)
	if err == nil && !ok {
		err = fmt.Errorf("%s was not in sluice.yaml at %.7s: %w", s.Environment, proven, errNotRestored)
	}
	if err != nil {
		return nil, err
	}
	var files gitsource.Files
	if now.Dir == then.Dir {
		paths := append(written(after.trace), written(before.trace)...)
		slices.Sort(paths)
		files, err = k.Git.Restore(ctx, onto, proven, slices.Compact(paths))
	} else {
		files, err = k.movedBack(after.trace, before.trace, now.Dir, then.Dir, proven)
	}
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(files, func(name string, _ gitsource.File) bool {
		return strings.HasPrefix(name, path.Join(now.Dir, path.Dir(config.ReleasePath(s.Environment)))+"/")
	})
	return files, k.block(s, files, onto, proven, now.Dir, then.Dir)
}

// written are the files in Git that say what a render read. Of a chart from elsewhere that is the lock.
func written(t render.Trace) (files []string) {
	for name := range t.Files() {
		if dir, _, ok := render.InFetched(name); ok {
			name = path.Join(dir, render.LockFile)
		}
		files = append(files, name)
	}
	return files
}

// movedBack is what was read at a proven revision, where the folder of the application lies by now.
func (k *Keeper) movedBack(after, before render.Trace, now, then, proven string) (gitsource.Files, error) {
	tree, err := k.Git.Tree(proven)
	if err != nil {
		return nil, fmt.Errorf("read %.7s: %w", proven, err)
	}
	files := gitsource.Files{}
	for _, name := range written(after) {
		if _, inside := below(now, name); inside {
			files[name] = gitsource.File{}
		}
	}
	for _, name := range written(before) {
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, fmt.Errorf("read %.7s: %w", proven, err)
		}
		if rest, inside := below(then, name); inside {
			name = path.Join(now, rest)
		}
		files[name] = gitsource.File{Content: content}
	}
	return files, nil
}

// below is a path within a folder of the tree.
func below(dir, name string) (string, bool) {
	if dir = path.Clean(dir); dir == "." {
		return name, true
	}
	return strings.CutPrefix(name, dir+"/")
}

// block restores the environment's block of sluice.yaml.
func (k *Keeper) block(s Subject, files gitsource.Files, onto, proven, now, then string) error {
	file := path.Join(now, config.FileName)
	var texts [2][]byte
	for i, at := range []struct{ revision, dir string }{{onto, now}, {proven, then}} {
		tree, err := k.Git.Tree(at.revision)
		if err != nil {
			return fmt.Errorf("read %.7s: %w", at.revision, err)
		}
		if texts[i], err = readFile(tree, path.Join(at.dir, config.FileName)); err != nil {
			return err
		}
	}
	var was []string
	if env, ok := s.Rules.Environment(s.Environment); ok {
		was = env.Was
	}
	text, err := config.Restore(file, texts[0], texts[1], s.Environment, was...)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotRestored, err)
	}
	files[file] = gitsource.File{Content: text}
	return nil
}

// restores reports whether an environment renders at a draft as it did at a proven revision.
func (k *Keeper) restores(ctx context.Context, s Subject, draft, proven string) error {
	after, _, there, err := k.render(ctx, s, draft)
	if err != nil {
		return err
	}
	before, _, _, err := k.render(ctx, s, proven)
	if err == nil && (!there || !after.same(before)) {
		return fmt.Errorf("with the files of %.7s it renders to something else: %w", proven, errNotRestored)
	}
	return err
}

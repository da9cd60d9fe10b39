package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/sluice-cd/sluice/render"
)

// atRevision reads a commit of the repository around a working folder, through a copy that close removes. Branches,
// tags and the likes of HEAD~2 are resolved on the caller's own machine; the agent is only ever given full hashes.
func atRevision(ctx context.Context, root, abs, revision string) (checkout, error) {
	repo, err := git.PlainOpenWithOptions(root, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return checkout{}, fmt.Errorf("open repository %q: %w", root, err)
	}
	hash, err := repo.ResolveRevision(plumbing.Revision(revision))
	if err != nil {
		return checkout{}, fmt.Errorf("revision %s: %w", revision, err)
	}
	commit, err := repo.CommitObject(*hash)
	if err != nil {
		return checkout{}, fmt.Errorf("revision %s: %w", revision, err)
	}
	rel, err := filepath.Rel(root, abs)
	if err != nil {
		return checkout{}, err
	}
	copied, err := os.MkdirTemp("", "sluice-revision-")
	if err != nil {
		return checkout{}, err
	}
	place := checkout{dir: filepath.ToSlash(rel), revision: hash.String(), close: func() { _ = os.RemoveAll(copied) }} //nolint:errcheck // the system tidies its temporary folder
	if err := copyOut(ctx, commit, copied); err != nil {
		place.close()
		return checkout{}, fmt.Errorf("revision %s: %w", revision, err)
	}
	if place.tree, err = render.DirTree(copied); err != nil {
		place.close()
	}
	return place, err
}

// copyOut writes the files of a commit into a folder. Submodules are left out, as the agent leaves them out.
func copyOut(ctx context.Context, commit *object.Commit, dir string) error {
	files, err := commit.Files()
	if err != nil {
		return err
	}
	return files.ForEach(func(f *object.File) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !filepath.IsLocal(f.Name) {
			return fmt.Errorf("path %q leaves the repository", f.Name)
		}
		return copyFile(f, filepath.Join(dir, filepath.FromSlash(f.Name)))
	})
}

func copyFile(f *object.File, to string) (err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if f.Mode == filemode.Symlink {
		target, err := f.Contents()
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	in, err := f.Reader()
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close() //nolint:errcheck // the copy's error says more
		return err
	}
	return out.Close()
}

package gitsource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Restore is what has to be written on top of the revision now, so that these paths are what they were at then: files
// with their modes, folders with all that is in them, and the removal of what was not there. A path that led through
// symbolic links then stands for the links too, and for what they led to. It is empty where nothing differs.
func (r *Repository) Restore(ctx context.Context, now, then string, paths []string) (Files, error) {
	files, err := r.restore(ctx, now, then, paths)
	if err != nil {
		return nil, fmt.Errorf("restore files of %s on %s of %q: %w", then, now, r.address, err)
	}
	return files, nil
}

func (r *Repository) restore(ctx context.Context, now, then string, paths []string) (Files, error) {
	t, err := r.Tree(then)
	if err != nil {
		return nil, err
	}
	defer runtime.KeepAlive(t) // and with it the mirror
	d := differ{repo: r, mirror: t.mirror}
	present, err := d.root(now)
	if err != nil {
		return nil, r.judge(t.mirror, err)
	}
	files := Files{}
	for _, name := range paths {
		trail, err := t.trail(name)
		if err != nil {
			return nil, err
		}
		for _, name := range trail {
			if err := d.restore(ctx, files, name, present, object.TreeEntry{Mode: filemode.Dir, Hash: t.root}); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

func (d differ) restore(ctx context.Context, files Files, name string, now, then object.TreeEntry) error {
	before, _, err := d.at(then, name)
	if err != nil {
		return err
	}
	after, barrier, err := d.at(now, name)
	if err != nil {
		return err
	}
	if barrier != "" && before.Mode != 0 {
		if _, restored := files[barrier]; !restored {
			files[barrier] = File{}
		}
	}
	return d.compare(ctx, name, after, before, func(name string, _, then object.TreeEntry) error {
		f, err := d.file(then)
		files[name] = f
		return err
	})
}

// file is an entry with its content; one that is not there is a removal.
func (d differ) file(e object.TreeEntry) (File, error) {
	mode := fileInfo{node: node{mode: e.Mode}}.Mode()
	switch e.Mode {
	case filemode.Empty:
		return File{}, nil
	case filemode.Submodule:
		return File{Content: []byte(e.Hash.String()), Mode: mode}, nil
	}
	b, err := d.mirror.store.Bytes(plumbing.BlobObject, e.Hash)
	if err != nil {
		return File{}, d.repo.lost(d.mirror, err)
	}
	return File{Content: b, Mode: mode}, nil
}

// trail is the links that a path leads through, and where it ends, whether something is there or not. What leaves the tree
// ends at the link that does so.
func (t *Tree) trail(name string) ([]string, error) {
	if !fs.ValidPath(name) {
		return nil, pathError("restore", name, fs.ErrInvalid)
	}
	var links []string
	for at := name; len(links) <= maxLinks; {
		link, rest, err := t.firstLink(at)
		if err != nil {
			return nil, pathError("restore", name, err)
		}
		if link.path == "" {
			return append(links, at), nil
		}
		links = append(links, link.path)
		target, err := t.linkTarget(link)
		if err != nil && !errors.Is(err, ErrOutside) {
			return nil, pathError("restore", name, err)
		}
		if at = path.Join(path.Dir(link.path), target, rest); err != nil || !fs.ValidPath(at) {
			return links, nil
		}
	}
	return nil, pathError("restore", name, errors.New("too many symbolic links"))
}

// firstLink is the first symbolic link on a path, and what of the path lies behind it.
func (t *Tree) firstLink(name string) (link node, rest string, err error) {
	top := node{path: ".", mode: filemode.Dir, hash: t.root}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if name == "." || !top.isDir() {
			return node{}, "", nil
		}
		next, err := t.step(top, part)
		if errors.Is(err, fs.ErrNotExist) {
			return node{}, "", nil
		}
		if err != nil {
			return node{}, "", err
		}
		if next.mode == filemode.Symlink {
			return next, path.Join(parts[i+1:]...), nil
		}
		top = next
	}
	return node{}, "", nil
}

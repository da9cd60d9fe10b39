package gitsource

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// ChangedPaths lists the files, links and submodules that differ between two revisions, by name. A moved one is there
// under both names. Only folders that differ are read, and no file is.
func (r *Repository) ChangedPaths(ctx context.Context, from, to string) ([]string, error) {
	if err := checkHashes([]string{from, to}); err != nil {
		return nil, err
	}
	m := r.reader()
	defer m.release()
	d := differ{repo: r, mirror: m}
	var names []string
	a, err := d.root(from)
	if err == nil {
		var b object.TreeEntry
		if b, err = d.root(to); err == nil {
			err = d.compare(ctx, ".", a, b, func(name string, _, _ object.TreeEntry) error {
				names = append(names, name)
				return nil
			})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("compare revisions of %q: %w", r.address, r.judge(m, err))
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// differ compares folders of one mirror. An entry without a mode is one that is not there.
type differ struct {
	repo   *Repository
	mirror *mirror
}

func (d differ) root(revision string) (object.TreeEntry, error) {
	h, err := parseRevision(revision)
	if err != nil {
		return object.TreeEntry{}, err
	}
	c, err := d.repo.presentCommit(d.mirror, h)
	if err != nil {
		return object.TreeEntry{}, err
	}
	return object.TreeEntry{Mode: filemode.Dir, Hash: c.tree}, nil
}

// compare tells of everything at or below a path that is no folder and differs.
func (d differ) compare(ctx context.Context, name string, a, b object.TreeEntry, tell func(name string, a, b object.TreeEntry) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if a.Mode == b.Mode && a.Hash == b.Hash {
		return nil
	}
	inA, a, err := d.open(a)
	if err != nil {
		return err
	}
	inB, b, err := d.open(b)
	if err != nil {
		return err
	}
	if a.Mode != b.Mode || a.Hash != b.Hash {
		if err := tell(name, a, b); err != nil {
			return err
		}
	}
	all := maps.Clone(inA)
	maps.Copy(all, inB)
	for _, base := range slices.Sorted(maps.Keys(all)) {
		if err := d.compare(ctx, path.Join(name, base), inA[base], inB[base], tell); err != nil {
			return err
		}
	}
	return nil
}

// open takes what lies in an entry and what it is itself apart: a folder is nothing but what lies in it.
func (d differ) open(e object.TreeEntry) (map[string]object.TreeEntry, object.TreeEntry, error) {
	entries := map[string]object.TreeEntry{}
	if e.Mode != filemode.Dir {
		return entries, e, nil
	}
	f, err := d.repo.folder(d.mirror, e.Hash)
	if err != nil {
		return nil, e, err
	}
	for _, child := range f.entries {
		entries[child.Name] = child
	}
	return entries, object.TreeEntry{}, nil
}

// at looks a path up without following links. Where something on the way is no folder, that is the barrier.
func (d differ) at(root object.TreeEntry, name string) (found object.TreeEntry, barrier string, err error) {
	if name == "." {
		return root, "", nil
	}
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if root.Mode != filemode.Dir {
			return object.TreeEntry{}, path.Join(parts[:i]...), nil
		}
		f, err := d.repo.folder(d.mirror, root.Hash)
		if err != nil {
			return object.TreeEntry{}, "", err
		}
		e, ok := f.entry(part)
		if !ok {
			return object.TreeEntry{}, "", nil
		}
		root = e
	}
	return root, "", nil
}

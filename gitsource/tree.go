package gitsource

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
)

// Tree is one revision as a read-only file system, straight from the object store. It may be used concurrently, and goes
// on working when the mirror is replaced. It implements fs.FS, fs.ReadDirFS, fs.ReadFileFS, fs.StatFS and fs.ReadLinkFS.
//
// Symbolic links inside the tree are followed; one that leaves it is ErrOutside and names the link. A submodule is
// ErrSubmodule. Times are zero, so that nothing can depend on them.
type Tree struct {
	repo     *Repository
	mirror   *mirror
	revision string
	root     store.Hash
	last     atomic.Pointer[place] // the folder that was found last: most questions are about others in the same one
}

// place is a folder that no link leads to, by its path.
type place struct {
	name string
	node node
}

var (
	_ fs.ReadDirFS  = (*Tree)(nil)
	_ fs.ReadFileFS = (*Tree)(nil)
	_ fs.StatFS     = (*Tree)(nil)
	_ fs.ReadLinkFS = (*Tree)(nil)
)

// Tree opens a revision of the mirror by its full hash. ErrNotFound says that the mirror does not have it: fetch first.
func (r *Repository) Tree(revision string) (*Tree, error) {
	h, err := parseRevision(revision)
	if err != nil {
		return nil, err
	}
	m := r.reader()
	c, err := r.presentCommit(m, h)
	if err != nil {
		m.release()
		return nil, fmt.Errorf("open revision of %q: %w", r.address, r.judge(m, err))
	}
	t := &Tree{repo: r, mirror: m, revision: revision, root: c.tree}
	runtime.AddCleanup(t, (*mirror).release, m) // a Tree has no Close, so the garbage collector says when
	return t, nil
}

// Revision is the full hash of the commit.
func (t *Tree) Revision() string { return t.revision }

// Object is the hash of the Git object at a path, blob or tree, behind symbolic links; "." is the root. Two revisions
// with the same object have the same content there. It is fs.ErrNotExist where nothing is. A look-up in folders that
// were read before, of this revision or of any other, reads nothing from the disk.
func (t *Tree) Object(name string) (string, error) {
	n, err := t.find("stat", name, true)
	if err != nil {
		return "", err
	}
	if n.mode == filemode.Submodule {
		return "", pathError("stat", name, ErrSubmodule)
	}
	return n.hash.String(), nil
}

// folder is a tree object, its entries sorted by name.
type folder struct{ entries []object.TreeEntry }

func (f *folder) entry(name string) (object.TreeEntry, bool) {
	i, ok := slices.BinarySearchFunc(f.entries, name, func(e object.TreeEntry, name string) int {
		return strings.Compare(e.Name, name)
	})
	if !ok {
		return object.TreeEntry{}, false
	}
	return f.entries[i], true
}

func (r *Repository) folder(m *mirror, h store.Hash) (*folder, error) {
	if f, ok := r.folders.get(h); ok {
		return f, nil
	}
	obj, err := m.store.Object(plumbing.TreeObject, h)
	if err != nil {
		return nil, r.lost(m, err)
	}
	var tree object.Tree
	if err := tree.Decode(obj); err != nil {
		return nil, r.lost(m, fmt.Errorf("%w: tree %s: %w", store.ErrBroken, h, err))
	}
	f := &folder{tree.Entries}
	slices.SortFunc(f.entries, func(a, b object.TreeEntry) int { return strings.Compare(a.Name, b.Name) })
	r.folders.put(h, f, len(f.entries)+1)
	return f, nil
}

// node is what lies at a path.
type node struct {
	path string // where it really lies, links followed
	mode filemode.FileMode
	hash store.Hash
}

func (n node) isDir() bool { return n.mode == filemode.Dir }

// maxLinks is how many symbolic links one path may lead through; Linux allows 40 as well.
const maxLinks = 40

// find walks a path from the root. With follow, a link at the end is followed too.
func (t *Tree) find(op, name string, follow bool) (node, error) {
	if !fs.ValidPath(name) {
		return node{}, pathError(op, name, fs.ErrInvalid)
	}
	if last := t.last.Load(); last != nil && last.name == path.Dir(name) && name != "." {
		if n, err := t.step(last.node, path.Base(name)); err != nil || n.mode != filemode.Symlink || !follow {
			return n, wrapped(op, name, err)
		}
	}
	here := []node{{path: ".", mode: filemode.Dir, hash: t.root}} // the folders above, and the node itself
	rest := strings.Split(name, "/")
	if name == "." {
		rest = nil
	}
	var link node     // the last one followed
	var target string // and where it points
	links := 0
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		top := here[len(here)-1]
		switch word {
		case "", ".":
			continue
		case "..": // these come out of links only
			if here = here[:len(here)-1]; len(here) == 0 {
				return node{}, pathError(op, name, leaves(link, target))
			}
			continue
		}
		next, err := t.step(top, word)
		if err != nil {
			return node{}, pathError(op, name, err)
		}
		if next.mode != filemode.Symlink || len(rest) == 0 && !follow {
			here = append(here, next)
			continue
		}
		if links++; links > maxLinks {
			return node{}, pathError(op, name, fmt.Errorf("%q: too many symbolic links", next.path))
		}
		link = next
		if target, err = t.linkTarget(link); err != nil {
			return node{}, pathError(op, name, err)
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	if links == 0 && len(here) > 1 {
		t.last.Store(&place{path.Dir(name), here[len(here)-2]})
	}
	return here[len(here)-1], nil
}

// step goes from a folder to one of its entries.
func (t *Tree) step(dir node, word string) (node, error) {
	if dir.mode == filemode.Submodule {
		return node{}, fmt.Errorf("%q: %w", dir.path, ErrSubmodule)
	}
	if !dir.isDir() {
		return node{}, fs.ErrNotExist // a file where a folder should be, as os says with ENOTDIR
	}
	f, err := t.repo.folder(t.mirror, dir.hash)
	if err != nil {
		return node{}, err
	}
	e, ok := f.entry(word)
	if !ok {
		return node{}, fs.ErrNotExist
	}
	return node{path: path.Join(dir.path, word), mode: e.Mode, hash: e.Hash}, nil
}

// maxTarget is how long a link's text may be; PATH_MAX of Linux.
const maxTarget = 4096

// linkTarget reads where a link points. An absolute one leaves the tree; whether a relative one does is seen on the way.
func (t *Tree) linkTarget(link node) (string, error) {
	obj, err := t.mirror.store.Object(plumbing.BlobObject, link.hash)
	if err != nil {
		return "", t.repo.lost(t.mirror, err)
	}
	if obj.Size() == 0 || obj.Size() > maxTarget {
		return "", fmt.Errorf("%q: not a symbolic link", link.path)
	}
	b, err := t.mirror.store.Bytes(plumbing.BlobObject, link.hash)
	if err != nil {
		return "", t.repo.lost(t.mirror, err)
	}
	target := string(b)
	if path.IsAbs(target) {
		return target, leaves(link, target)
	}
	return target, nil
}

func leaves(link node, target string) error {
	return fmt.Errorf("%q -> %q: %w", link.path, target, ErrOutside)
}

// wrapped is pathError of an error that may be none.
func wrapped(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return pathError(op, name, err)
}

func pathError(op, name string, err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok && e.Path == name {
		return e
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// lfsHeader begins a file that Git LFS put in the place of the real one.
var lfsHeader = []byte("version https://git-lfs.github.com/spec/v1\n")

// IsLFSPointer says whether content is a pointer of Git LFS and not the file itself; see
// https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md. Pointers are never larger than 1024 bytes.
func IsLFSPointer(content []byte) bool {
	return len(content) < 1024 && bytes.HasPrefix(content, lfsHeader) && bytes.Contains(content, []byte("\noid "))
}

package gitsource

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
)

// Open opens a file or a folder, links followed.
func (t *Tree) Open(name string) (fs.File, error) {
	n, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	switch n.mode {
	case filemode.Dir:
		return &openDir{tree: t, name: name, node: n}, nil
	case filemode.Submodule:
		return nil, pathError("open", name, ErrSubmodule)
	}
	obj, err := t.blob("open", name, n)
	if err != nil {
		return nil, err
	}
	r, err := obj.Reader()
	if err != nil {
		return nil, pathError("open", name, t.repo.lost(t.mirror, err))
	}
	return &openFile{tree: t, name: name, info: t.info(name, n), ReadCloser: r}, nil
}

func (t *Tree) blob(op, name string, n node) (plumbing.EncodedObject, error) {
	obj, err := t.mirror.store.Object(plumbing.BlobObject, n.hash)
	if err != nil {
		return nil, pathError(op, name, t.repo.lost(t.mirror, err))
	}
	return obj, nil
}

// ReadFile reads a file whole, links followed.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	n, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	switch n.mode {
	case filemode.Dir:
		return nil, pathError("read", name, errors.New("is a folder"))
	case filemode.Submodule:
		return nil, pathError("open", name, ErrSubmodule)
	}
	b, err := t.mirror.store.Bytes(plumbing.BlobObject, n.hash)
	if err != nil {
		return nil, pathError("read", name, t.repo.lost(t.mirror, err))
	}
	return b, nil
}

// Stat describes what lies at a path, links followed.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	n, err := t.find("stat", name, true)
	if err != nil {
		return nil, err
	}
	return t.sizedInfo("stat", name, n)
}

// Lstat describes what lies at a path, which may be a link.
func (t *Tree) Lstat(name string) (fs.FileInfo, error) {
	n, err := t.find("lstat", name, false)
	if err != nil {
		return nil, err
	}
	return t.sizedInfo("lstat", name, n)
}

// ReadLink returns where a link points, as it is written in Git.
func (t *Tree) ReadLink(name string) (string, error) {
	n, err := t.find("readlink", name, false)
	if err != nil {
		return "", err
	}
	if n.mode != filemode.Symlink {
		return "", pathError("readlink", name, fs.ErrInvalid)
	}
	target, err := t.linkTarget(n)
	if err != nil && !errors.Is(err, ErrOutside) {
		return "", pathError("readlink", name, err)
	}
	return target, nil
}

// ReadDir lists a folder by name. A link is listed as a link, a submodule as an irregular file.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := t.find("open", name, true)
	if err != nil {
		return nil, err
	}
	if n.mode == filemode.Submodule {
		return nil, pathError("open", name, ErrSubmodule)
	}
	if !n.isDir() {
		return nil, pathError("readdir", name, errors.New("not a folder"))
	}
	f, err := t.repo.folder(t.mirror, n.hash)
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	entries := make([]fs.DirEntry, len(f.entries))
	for i, e := range f.entries {
		child := node{path: path.Join(n.path, e.Name), mode: e.Mode, hash: e.Hash}
		entries[i] = dirEntry{t, t.info(e.Name, child)}
	}
	return entries, nil
}

// fileInfo is both fs.FileInfo and what a fs.DirEntry needs.
type fileInfo struct {
	node
	name string
	size int64
}

func (t *Tree) info(name string, n node) fileInfo { return fileInfo{node: n, name: path.Base(name)} }

// sizedInfo reads the size too, which means to look at the object.
func (t *Tree) sizedInfo(op, name string, n node) (fs.FileInfo, error) {
	i := t.info(name, n)
	if n.mode == filemode.Dir || n.mode == filemode.Submodule {
		return i, nil
	}
	obj, err := t.blob(op, name, n)
	if err != nil {
		return nil, err
	}
	i.size = obj.Size()
	return i, nil
}

// Name is the last part of the path that was asked for.
func (i fileInfo) Name() string { return i.name }

// Size is in bytes; 0 for folders.
func (i fileInfo) Size() int64 { return i.size }

// IsDir says whether it is a folder.
func (i fileInfo) IsDir() bool { return i.isDir() }

// ModTime is zero: Git keeps no times of files.
func (i fileInfo) ModTime() time.Time { return time.Time{} }

// Sys is the hash of the Git object, a string.
func (i fileInfo) Sys() any { return i.hash.String() }

// Mode is 0644, or 0755 for programs and folders.
func (i fileInfo) Mode() fs.FileMode {
	switch i.mode {
	case filemode.Dir:
		return fs.ModeDir | 0o755
	case filemode.Executable:
		return 0o755
	case filemode.Symlink:
		return fs.ModeSymlink | 0o777
	case filemode.Submodule:
		return fs.ModeIrregular
	}
	return 0o644
}

type dirEntry struct {
	tree *Tree
	fileInfo
}

// Type is the kind bits of Mode.
func (e dirEntry) Type() fs.FileMode { return e.Mode().Type() }

// Info reads the size.
func (e dirEntry) Info() (fs.FileInfo, error) { return e.tree.sizedInfo("lstat", e.path, e.node) }

// String is the usual form, for error texts.
func (e dirEntry) String() string { return fs.FormatDirEntry(e) }

type openFile struct {
	tree *Tree // keeps the mirror on the disk
	name string
	info fileInfo
	io.ReadCloser
}

// Stat describes the file.
func (f *openFile) Stat() (fs.FileInfo, error) { return f.tree.sizedInfo("stat", f.name, f.info.node) }

type openDir struct {
	tree   *Tree
	name   string
	node   node
	listed bool
	rest   []fs.DirEntry
}

// Stat describes the folder.
func (d *openDir) Stat() (fs.FileInfo, error) { return d.tree.info(d.name, d.node), nil }

// Read fails: it is a folder.
func (d *openDir) Read([]byte) (int, error) {
	return 0, pathError("read", d.name, errors.New("is a folder"))
}

// Close does nothing.
func (d *openDir) Close() error { return nil }

// ReadDir lists the next n entries, or all that are left when n is not positive.
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.listed {
		all, err := d.tree.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.rest, d.listed = all, true
	}
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	out := d.rest[:n:n]
	d.rest = d.rest[n:]
	return out, nil
}

package gitsource

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
)

// Files says what paths are to be, as fs.ValidPath has them. Those that it does not name stay as they are.
type Files map[string]File

// File is what a path is to be.
type File struct {
	// Content is the new content. Nil removes the path, a folder with all that is in it; where nothing is, that changes
	// nothing. Removals come before everything else, so that a file can take the place of a folder and the other way round.
	Content []byte
	// Mode is as Tree tells it: 0755 is a program, fs.ModeSymlink a link whose target is the content, fs.ModeIrregular a
	// submodule at the commit that is the content. Zero leaves a file what it is, and makes a plain one.
	Mode fs.FileMode
}

func (f File) removes() bool { return f.Content == nil }

func (f Files) check() error {
	for _, path := range slices.Sorted(maps.Keys(f)) {
		bad := !fs.ValidPath(path) || path == "." || strings.ContainsAny(path, "\x00\n")
		for part := range strings.SplitSeq(path, "/") {
			bad = bad || strings.EqualFold(part, ".git")
		}
		if bad || f[path].Mode.IsDir() {
			return fmt.Errorf("path %q cannot be written", path)
		}
	}
	return nil
}

// change returns a folder in which these paths are as the files say: the one given where nothing changes, zero for an
// empty one. Folders that become empty go too, since Git has none. The name of the folder ends in a slash, or is empty.
func (b *builder) change(dir store.Hash, name string, files Files) (store.Hash, error) {
	entries := map[string]object.TreeEntry{}
	if !dir.IsZero() {
		f, err := b.repo.folder(b.mirror, dir)
		if err != nil {
			return store.Hash{}, err
		}
		for _, e := range f.entries {
			entries[e.Name] = e
		}
	}
	before := maps.Clone(entries)
	here, below := files.split()
	for name, f := range here {
		if f.removes() {
			delete(entries, name)
		}
	}
	for _, sub := range slices.Sorted(maps.Keys(below)) {
		if err := b.changeBelow(entries, name, sub, below[sub]); err != nil {
			return store.Hash{}, err
		}
	}
	for _, base := range slices.Sorted(maps.Keys(here)) {
		if err := b.put(entries, name, base, here[base]); err != nil {
			return store.Hash{}, err
		}
	}
	switch {
	case maps.Equal(entries, before):
		return dir, nil
	case len(entries) == 0:
		return store.Hash{}, nil
	}
	return b.folder(entries)
}

// split takes the files of a folder and those in folders below it apart.
func (f Files) split() (here Files, below map[string]Files) {
	here, below = Files{}, map[string]Files{}
	for path, file := range f {
		name, rest, deeper := strings.Cut(path, "/")
		if !deeper {
			here[name] = file
			continue
		}
		if below[name] == nil {
			below[name] = Files{}
		}
		below[name][rest] = file
	}
	return here, below
}

func (b *builder) changeBelow(entries map[string]object.TreeEntry, dir, name string, files Files) error {
	e, ok := entries[name]
	if ok && e.Mode != filemode.Dir {
		for _, f := range files {
			if !f.removes() {
				return fmt.Errorf("path %q is no folder", dir+name)
			}
		}
		return nil
	}
	h, err := b.change(e.Hash, dir+name+"/", files)
	if err != nil {
		return err
	}
	if delete(entries, name); !h.IsZero() {
		entries[name] = object.TreeEntry{Name: name, Mode: filemode.Dir, Hash: h}
	}
	return nil
}

func (b *builder) put(entries map[string]object.TreeEntry, dir, name string, f File) error {
	if f.removes() {
		return nil
	}
	old, ok := entries[name]
	if ok && old.Mode == filemode.Dir {
		return fmt.Errorf("path %q is a folder", dir+name)
	}
	mode := gitMode(f.Mode)
	switch {
	case f.Mode != 0 || !ok:
	case old.Mode == filemode.Symlink || old.Mode == filemode.Submodule:
		return fmt.Errorf("path %q is a symbolic link or a submodule, no file", dir+name)
	default:
		mode = old.Mode
	}
	if mode == filemode.Submodule {
		entries[name] = object.TreeEntry{Name: name, Mode: mode, Hash: plumbing.NewHash(string(f.Content))}
		return nil
	}
	h := plumbing.ComputeHash(plumbing.BlobObject, f.Content)
	if !ok || old.Hash != h {
		if _, err := b.add(plumbing.BlobObject, func(o plumbing.EncodedObject) error { return write(o, f.Content) }); err != nil {
			return err
		}
	}
	entries[name] = object.TreeEntry{Name: name, Mode: mode, Hash: h}
	return nil
}

// gitMode is the other way round than fileInfo.Mode.
func gitMode(mode fs.FileMode) filemode.FileMode {
	switch {
	case mode&fs.ModeSymlink != 0:
		return filemode.Symlink
	case mode&fs.ModeIrregular != 0:
		return filemode.Submodule
	case mode&0o111 != 0:
		return filemode.Executable
	}
	return filemode.Regular
}

func (b *builder) folder(entries map[string]object.TreeEntry) (store.Hash, error) {
	tree := object.Tree{}
	for _, e := range entries {
		tree.Entries = append(tree.Entries, e)
	}
	slices.SortFunc(tree.Entries, func(x, y object.TreeEntry) int { return strings.Compare(sortName(x), sortName(y)) })
	return b.add(plumbing.TreeObject, tree.Encode)
}

// sortName is how Git orders entries: a folder as if its name ended in a slash.
func sortName(e object.TreeEntry) string {
	if e.Mode == filemode.Dir {
		return e.Name + "/"
	}
	return e.Name
}

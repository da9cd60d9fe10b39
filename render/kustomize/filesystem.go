package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/sluice-cd/sluice/render/manifest"
)

// maxRead bounds what one build may read, files read twice counted twice.
const maxRead = 256 << 20

// fileSystem shows a tree to the library as a disk whose root folder is the tree's root. It is read-only, ends with its
// context, and belongs to one build.
type fileSystem struct {
	ctx      context.Context //nolint:containedctx // the library's interface has no place for one
	tree     fs.FS
	replaced map[string][]byte // content to show instead, by path in the tree
	read     int
}

var errReadOnly = errors.New("the tree is read-only")

func (f *fileSystem) name(p string) string {
	name := strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(p)), "/")
	if name == "" {
		return "."
	}
	return name
}

func (f *fileSystem) stat(p string) (fs.FileInfo, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, err
	}
	return fs.Stat(f.tree, f.name(p))
}

// ReadFile refuses what manifest.Check refuses: the library parses nearly all that it reads.
func (f *fileSystem) ReadFile(p string) ([]byte, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, err
	}
	name := f.name(p)
	if data, ok := f.replaced[name]; ok {
		return data, nil
	}
	data, err := fs.ReadFile(f.tree, name)
	if err != nil {
		return nil, err
	}
	if f.read += len(data); f.read > maxRead {
		return nil, fmt.Errorf("build reads more than %d MiB", maxRead>>20)
	}
	return data, manifest.Check(name, data)
}

// IsDir is false for what is not there.
func (f *fileSystem) IsDir(p string) bool {
	info, err := f.stat(p)
	return err == nil && info.IsDir()
}

// Exists is false for what cannot be looked at.
func (f *fileSystem) Exists(p string) bool {
	_, err := f.stat(p)
	return err == nil
}

// CleanedAbs splits a path into a folder and a file of it.
func (f *fileSystem) CleanedAbs(p string) (filesys.ConfirmedDir, string, error) {
	info, err := f.stat(p)
	if err != nil {
		return "", "", err
	}
	abs := path.Clean("/" + filepath.ToSlash(p))
	if info.IsDir() {
		return filesys.ConfirmedDir(abs), "", nil
	}
	return filesys.ConfirmedDir(path.Dir(abs)), path.Base(abs), nil
}

// ReadDir lists the names in a folder.
func (f *fileSystem) ReadDir(p string) ([]string, error) {
	if err := f.ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(f.tree, f.name(p))
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

// Glob answers with absolute paths when asked with one, as a disk would.
func (f *fileSystem) Glob(pattern string) ([]string, error) {
	matches, err := fs.Glob(f.tree, f.name(pattern))
	if strings.HasPrefix(pattern, "/") {
		for i := range matches {
			matches[i] = "/" + matches[i]
		}
	}
	return matches, err
}

// Walk visits everything below a path.
func (f *fileSystem) Walk(p string, visit filepath.WalkFunc) error {
	return fs.WalkDir(f.tree, f.name(p), func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = f.ctx.Err()
		}
		if err != nil {
			return visit("/"+name, nil, err)
		}
		info, err := d.Info()
		return visit("/"+name, info, err)
	})
}

// Open is not needed to build: the library reads whole files.
func (f *fileSystem) Open(string) (filesys.File, error) { return nil, errReadOnly }

// Create refuses.
func (f *fileSystem) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir refuses.
func (f *fileSystem) Mkdir(string) error { return errReadOnly }

// MkdirAll refuses.
func (f *fileSystem) MkdirAll(string) error { return errReadOnly }

// RemoveAll refuses.
func (f *fileSystem) RemoveAll(string) error { return errReadOnly }

// WriteFile refuses.
func (f *fileSystem) WriteFile(string, []byte) error { return errReadOnly }

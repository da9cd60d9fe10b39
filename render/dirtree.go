package render

import (
	"cmp"
	"crypto/sha1" //nolint:gosec // Git's own object names, no protection
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// DirTree is the tree of a working folder, changes that were never committed included. Objects are named as Git would
// name them, whatever .gitignore says; .git itself is not there. The folder is opened at once and kept open until the
// tree is garbage. Each call looks at the disk again.
func DirTree(dir string) (Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder %q: %w", dir, err)
	}
	return &dirTree{root: root, files: root.FS()}, nil
}

type dirTree struct {
	root  *os.Root // refuses symbolic links that leave the folder, without a race
	files fs.FS
}

// git says whether a path is Git's own folder or in one.
func git(name string) bool {
	return slices.Contains(strings.Split(name, "/"), ".git")
}

func (t *dirTree) Open(name string) (fs.File, error) {
	if git(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	file, err := t.files.Open(name)
	if err != nil {
		return nil, err
	}
	if folder, ok := file.(fs.ReadDirFile); ok {
		return withoutGit{folder}, nil
	}
	return file, nil
}

// withoutGit is an open folder that does not list .git.
type withoutGit struct{ fs.ReadDirFile }

func (f withoutGit) ReadDir(n int) ([]fs.DirEntry, error) {
	for {
		entries, err := f.ReadDirFile.ReadDir(n)
		all := len(entries)
		entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".git" })
		if n <= 0 || err != nil || len(entries) > 0 || all == 0 {
			return entries, err
		}
	}
}

func (t *dirTree) Stat(name string) (fs.FileInfo, error) {
	if git(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return fs.Stat(t.files, name)
}

func (t *dirTree) ReadFile(name string) ([]byte, error) {
	if git(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	info, err := fs.Stat(t.files, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a named pipe would never end
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return fs.ReadFile(t.files, name)
}

func (t *dirTree) ReadDir(name string) ([]fs.DirEntry, error) {
	if git(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	entries, err := fs.ReadDir(t.files, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == ".git" }), err
}

// Lstat and ReadLink let a caller see symbolic links as such (fs.ReadLinkFS).
func (t *dirTree) Lstat(name string) (fs.FileInfo, error) {
	if git(name) {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	return fs.Lstat(t.files, name)
}

func (t *dirTree) ReadLink(name string) (string, error) {
	if git(name) {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrNotExist}
	}
	return fs.ReadLink(t.files, name)
}

func (t *dirTree) Object(name string) (string, error) {
	info, err := t.Stat(name)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		hash, _, err := t.treeHash(name, 0)
		return hash, err
	}
	data, err := t.ReadFile(name)
	if err != nil {
		return "", err
	}
	return object("blob", data), nil
}

// treeHash names a folder as Git does. empty says that Git would not know of it.
func (t *dirTree) treeHash(dir string, depth int) (hash string, empty bool, err error) {
	if depth > 255 {
		return "", false, fmt.Errorf("%s: folders nested too deep", dir)
	}
	entries, err := t.ReadDir(dir)
	if err != nil {
		return "", false, err
	}
	// Git sorts as if the name of a folder ended with a slash.
	key := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(key(a), key(b)) })
	var content []byte
	for _, e := range entries {
		mode, hash, skip, err := t.entry(path.Join(dir, e.Name()), e, depth)
		if err != nil {
			return "", false, err
		}
		if skip {
			continue
		}
		raw, err := hex.DecodeString(hash)
		if err != nil {
			return "", false, err
		}
		content = fmt.Appendf(content, "%s %s\x00%s", mode, e.Name(), raw)
	}
	return object("tree", content), len(content) == 0, nil
}

func (t *dirTree) entry(name string, e fs.DirEntry, depth int) (mode, hash string, skip bool, err error) {
	switch {
	case e.IsDir():
		hash, skip, err = t.treeHash(name, depth+1)
		return "40000", hash, skip, err
	case e.Type()&fs.ModeSymlink != 0:
		target, err := t.root.Readlink(name)
		return "120000", object("blob", []byte(target)), false, err
	case !e.Type().IsRegular():
		return "", "", true, nil
	}
	info, err := e.Info()
	if err != nil {
		return "", "", false, err
	}
	mode = "100644"
	if info.Mode()&0o100 != 0 {
		mode = "100755"
	}
	hash, err = t.Object(name)
	return mode, hash, false, err
}

func object(kind string, content []byte) string {
	h := sha1.New() //nolint:gosec // as above
	fmt.Fprintf(h, "%s %d\x00", kind, len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

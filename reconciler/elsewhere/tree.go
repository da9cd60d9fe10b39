package elsewhere

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// Source gives the archive of a locked chart, whose digest was checked.
type Source func(config.Locked) ([]byte, error)

// Tree is a tree with the charts from elsewhere that its locks name. Make it with Over, anew for each render. It may be used
// concurrently.
type Tree struct {
	// May says whether a chart may be had at all, which is asked where nothing is read either: what was rendered once is no
	// permission. Nil: all may. An error is ErrForbidden.
	May func(config.Locked) error

	under render.Tree
	from  Source

	mu      sync.Mutex
	locks   map[string]*locked // by folder
	missing []Missing
}

// Missing is a chart that was wanted and could not be had.
type Missing struct {
	config.Locked
	Err error
}

// locked is a lock by the files that it names, or why there is none.
type locked struct {
	files map[string]config.Locked
	err   error
}

// Over lays charts over a tree. from may be nil: then it is known what they are, and none can be read.
func Over(under render.Tree, from Source) *Tree {
	return &Tree{under: under, from: from, locks: map[string]*locked{}}
}

// Missing are the charts that were wanted and could not be had. A render that failed may have failed for them.
func (t *Tree) Missing() []Missing {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.missing)
}

// find looks a path up. ours: it is in the reserved folder of an application, where nothing but what its lock says is there.
func (t *Tree) find(op, name string) (l config.Locked, ours bool, err error) {
	dir, file, ours := render.InFetched(name)
	if !ours {
		return l, false, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at, known := t.locks[dir]
	if !known {
		at = &locked{files: map[string]config.Locked{}}
		lock, err := config.LoadLock(t.under, dir)
		at.err = err
		for _, l := range lock.Charts {
			at.files[l.Asks().File()] = l
		}
		t.locks[dir] = at
	}
	if at.err != nil {
		return l, true, at.err
	}
	l, ok := at.files[file]
	if !ok {
		return l, true, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return l, true, nil
}

// Object is the SHA-256 of a chart, and of all else what the tree says.
func (t *Tree) Object(name string) (string, error) {
	l, ours, err := t.find("stat", name)
	if !ours {
		return t.under.Object(name)
	}
	if err == nil && t.May != nil {
		if err = t.May(l); err != nil {
			t.lacks(l, err)
		}
	}
	return l.SHA256(), err
}

// ReadFile reads a chart, or a file of the tree.
func (t *Tree) ReadFile(name string) ([]byte, error) {
	l, ours, err := t.find("open", name)
	if !ours {
		return fs.ReadFile(t.under, name)
	}
	if err != nil {
		return nil, err
	}
	var data []byte
	if err = errNoSource; t.from != nil {
		data, err = t.from(l)
	}
	if err != nil {
		t.lacks(l, err)
	}
	return data, err
}

func (t *Tree) lacks(l config.Locked, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missing = append(t.missing, Missing{l, err})
}

// Stat of a chart says that there is a file; how large it is only whoever reads it knows.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	l, ours, err := t.find("stat", name)
	if !ours {
		return fs.Stat(t.under, name)
	}
	if err != nil {
		return nil, err
	}
	return info{l, 0}, nil
}

// Open opens a chart, or what the tree has.
func (t *Tree) Open(name string) (fs.File, error) {
	l, ours, err := t.find("open", name)
	if !ours {
		return t.under.Open(name)
	}
	if err != nil {
		return nil, err
	}
	data, err := t.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return &file{bytes.NewReader(data), info{l, int64(len(data))}}, nil
}

// ReadDir lists a folder of the tree. That of the charts is never listed.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	if _, _, ours := render.InFetched(name); ours {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	return fs.ReadDir(t.under, name)
}

// file is an open chart.
type file struct {
	io.Reader
	info info
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*file) Close() error                 { return nil }

type info struct {
	of   config.Locked
	size int64
}

func (i info) Name() string     { return path.Base(i.of.Asks().File()) }
func (i info) Size() int64      { return i.size }
func (info) Mode() fs.FileMode  { return 0o444 }
func (info) ModTime() time.Time { return time.Time{} }
func (info) IsDir() bool        { return false }
func (info) Sys() any           { return nil }

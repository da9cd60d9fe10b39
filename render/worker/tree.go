package worker

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"
)

// tree is the parent's tree as the worker sees it. It lives for one render, and asks about each path once.
type tree struct {
	ask func(op, string) (answer, []byte, error)

	mu    sync.Mutex
	files map[string]known
	lists map[string][]fs.DirEntry
}

// known is what was said of a path.
type known struct {
	file
	err  error
	data []byte // nil: not sent
}

// treeError is an error of the parent's tree.
type treeError struct{ treeFault }

func (e *treeError) Error() string { return e.Text }

// Is lets what is not there be known as such.
func (e *treeError) Is(target error) bool { return e.Absent && target == fs.ErrNotExist }

func newTree(ask func(op, string) (answer, []byte, error)) *tree {
	return &tree{ask: ask, files: map[string]known{}, lists: map[string][]fs.DirEntry{}}
}

// told notes the folders and files of an answer. Bytes are copied, since the frame goes.
func (t *tree) told(a answer, data []byte) error {
	for _, l := range a.Lists {
		entries := make([]fs.DirEntry, 0, len(l.Names))
		for _, n := range l.Names {
			entries = append(entries, entry{t, l.Path, n})
		}
		t.lists[l.Path] = entries
	}
	for _, f := range a.Files {
		k := known{file: f}
		if f.Bytes >= 0 {
			if f.Bytes > len(data) {
				return fmt.Errorf("an answer without its bytes")
			}
			k.data = bytes.Clone(data[:f.Bytes:f.Bytes])
			if k.data == nil {
				k.data = []byte{}
			}
			data = data[f.Bytes:]
		}
		t.files[f.Path] = k
	}
	return nil
}

func (t *tree) question(o op, name string) (answer, error) {
	a, data, err := t.ask(o, name)
	if err != nil {
		return a, err
	}
	if a.Fault != nil {
		return a, &treeError{*a.Fault}
	}
	return a, t.told(a, data)
}

func (t *tree) look(name string) (known, error) {
	if k, ok := t.files[name]; ok {
		return k, k.err
	}
	there := func(e fs.DirEntry) bool { return e.Name() == path.Base(name) }
	if entries, listed := t.lists[path.Dir(name)]; listed && name != "." && !slices.ContainsFunc(entries, there) { // nobody need be asked
		return known{}, &treeError{treeFault{Text: (&fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}).Error(), Absent: true}}
	}
	if _, err := t.question(opLook, name); err != nil {
		t.files[name] = known{err: err}
		return known{}, err
	}
	k, ok := t.files[name]
	if !ok {
		return known{}, fmt.Errorf("an answer about another file than %q", name)
	}
	return k, nil
}

func (t *tree) Stat(name string) (fs.FileInfo, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, err := t.look(name)
	if err != nil {
		return nil, err
	}
	return info{k.file}, nil
}

func (t *tree) ReadFile(name string) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, err := t.look(name)
	if err != nil {
		return nil, err
	}
	if k.data == nil {
		if _, err := t.question(opRead, name); err != nil {
			return nil, err
		}
		k = t.files[name]
	}
	if k.data == nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return bytes.Clone(k.data), nil
}

func (t *tree) ReadDir(name string) ([]fs.DirEntry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if entries, ok := t.lists[name]; ok {
		return slices.Clone(entries), nil
	}
	if _, err := t.question(opList, name); err != nil {
		return nil, err
	}
	entries, ok := t.lists[name]
	if !ok {
		return nil, fmt.Errorf("an answer about another folder than %q", name)
	}
	return slices.Clone(entries), nil
}

func (t *tree) Object(name string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, err := t.look(name)
	if err != nil {
		return "", err
	}
	if k.Object != "" {
		return k.Object, nil
	}
	a, err := t.question(opObject, name)
	return a.Object, err
}

// Open gives a file in memory. Folders are listed by ReadDir, as package fs does.
func (t *tree) Open(name string) (fs.File, error) {
	i, err := t.Stat(name)
	if err != nil {
		return nil, err
	}
	o := &opened{info: i}
	if !i.IsDir() {
		data, err := t.ReadFile(name)
		if err != nil {
			return nil, err
		}
		o.Reader = bytes.NewReader(data)
	}
	return o, nil
}

type opened struct {
	*bytes.Reader
	info fs.FileInfo
}

func (o *opened) Stat() (fs.FileInfo, error) { return o.info, nil }
func (o *opened) Close() error               { return nil }

func (o *opened) Read(p []byte) (int, error) {
	if o.Reader == nil {
		return 0, &fs.PathError{Op: "read", Path: o.info.Name(), Err: fs.ErrInvalid}
	}
	return o.Reader.Read(p)
}

// info has no time, as nothing may depend on it.
type info struct{ file }

func (i info) Name() string       { return path.Base(i.Path) }
func (i info) Size() int64        { return i.file.Size }
func (i info) Mode() fs.FileMode  { return i.file.Mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.file.Mode.IsDir() }
func (i info) Sys() any           { return nil }

type entry struct {
	tree *tree
	dir  string
	name name
}

func (e entry) Name() string      { return e.name.Name }
func (e entry) IsDir() bool       { return e.name.Type.IsDir() }
func (e entry) Type() fs.FileMode { return e.name.Type.Type() }

// Info looks behind symbolic links, which the parent's tree follows for everybody.
func (e entry) Info() (fs.FileInfo, error) { return e.tree.Stat(path.Join(e.dir, e.name.Name)) }

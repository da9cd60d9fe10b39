package render

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/sluice-cd/sluice/render/manifest"
)

// The answers that a tree gives, as a Trace keeps them. A file that was read is known by its object, a listing by the
// names in it, so that an edit of a file in a big folder that nobody read voids nothing.
const (
	isAbsent = "absent"
	isFile   = "file"
	isDir    = "dir"
	isBlob   = "blob "   // + the object's hash
	isList   = "list "   // + a hash of the sorted names with their types
	isFault  = "fault: " // + what is said of what is there, and is no file: a link that leaves the tree, a submodule
)

// view is a tree that notes what it is asked. It ends with its context.
type view struct {
	ctx  context.Context //nolint:containedctx // lives for one render
	tree Tree

	mu   sync.Mutex
	seen map[string]string
}

func newView(ctx context.Context, tree Tree) *view {
	return &view{ctx: ctx, tree: tree, seen: map[string]string{}}
}

// note keeps the answer that says most: a file read says more than a file seen.
func (v *view) note(name, answer string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if old, ok := v.seen[name]; ok && len(old) > len(answer) {
		return
	}
	v.seen[name] = answer
}

func (v *view) answers() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.seen)
}

// absent notes what is not there, or cannot be had for what it is: such a render fails, until that is another.
func (v *view) absent(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.note(name, isAbsent)
	case v.ctx.Err() == nil:
		v.note(name, isFault+err.Error())
	}
	return err
}

// ReadFile asks for the object before the content, so that a file that changes meanwhile voids the trace. What is too
// large is not read at all.
func (v *view) ReadFile(name string) ([]byte, error) {
	info, err := v.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("is a folder")}
	case info.Size() > manifest.MaxFile:
		if hash, err := v.tree.Object(name); err == nil {
			v.note(name, isBlob+hash)
		}
		return nil, manifest.Faultf(name, "file is larger than %d MiB", manifest.MaxFile>>20)
	}
	hash, err := v.tree.Object(name)
	if err != nil {
		return nil, v.absent(name, err)
	}
	v.note(name, isBlob+hash)
	data, err := fs.ReadFile(v.tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		v.note(name, isAbsent)
	}
	return data, err
}

// Stat notes only what kind of thing is there.
func (v *view) Stat(name string) (fs.FileInfo, error) {
	if err := v.ctx.Err(); err != nil {
		return nil, err
	}
	info, err := fs.Stat(v.tree, name)
	if err != nil {
		return nil, v.absent(name, err)
	}
	v.note(name, kindOf(info))
	return info, nil
}

// ReadDir notes the names.
func (v *view) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := v.ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(v.tree, name)
	if err != nil {
		return nil, v.absent(name, err)
	}
	v.note(name, isList+listing(entries))
	return entries, nil
}

// Open serves what the package's own readers do not ask for: a file counts as read, a folder as listed.
func (v *view) Open(name string) (fs.File, error) {
	info, err := v.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		_, err = v.ReadDir(name)
	} else {
		var hash string
		if hash, err = v.tree.Object(name); err == nil {
			v.note(name, isBlob+hash)
		}
	}
	if err != nil {
		return nil, err
	}
	return v.tree.Open(name)
}

func kindOf(info fs.FileInfo) string {
	if info.IsDir() {
		return isDir
	}
	return isFile
}

func listing(entries []fs.DirEntry) string {
	lines := make([]string, 0, len(entries))
	for _, e := range entries {
		lines = append(lines, fmt.Sprintf("%s\x00%d\n", e.Name(), e.Type()))
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, line := range lines {
		h.Write([]byte(line))
	}
	return hex.EncodeToString(h.Sum(nil))
}

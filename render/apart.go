package render

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
)

// What renders in a process of its own needs of this package: Request and Result are plain data that survives JSON, and
// the two things that are not, an error's trace and what the tree was asked, are made and read here.

// MarshalText writes group/kind/namespace/name, so that an identity can be a key of JSON.
func (id ObjectID) MarshalText() ([]byte, error) {
	parts := []string{id.Group, id.Kind, id.Namespace, id.Name}
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return []byte(strings.Join(parts, "/")), nil
}

// UnmarshalText reads what MarshalText wrote.
func (id *ObjectID) UnmarshalText(text []byte) error {
	parts := strings.Split(string(text), "/")
	if len(parts) != 4 {
		return fmt.Errorf("%q is no group/kind/namespace/name", text)
	}
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return err
		}
		parts[i] = plain
	}
	*id = ObjectID{parts[0], parts[1], parts[2], parts[3]}
	return nil
}

// Here renders in this process, by Render.
type Here struct{}

// Render is the function.
func (Here) Render(ctx context.Context, tree Tree, req Request) (*Result, error) {
	return Render(ctx, tree, req)
}

// ShapeOf is a hash of what a request itself shapes. Two requests with the same one may share a trace.
func ShapeOf(req Request) string { return req.shape(true) }

// Failed gives an error the trace of what a render had asked before it failed, for TraceOf.
func Failed(err error, trace Trace) error { return &failure{error: err, trace: trace} }

// Witness is a tree that notes what it is asked, for whoever answers a render that may not live to tell.
type Witness struct {
	*view
	shape string
}

// NewWitness makes one for a render of req on tree.
func NewWitness(ctx context.Context, tree Tree, req Request) *Witness {
	return &Witness{newView(ctx, tree), req.shape(true)}
}

// Object is the tree's own answer. It is noted where the file is read.
func (w *Witness) Object(name string) (string, error) { return w.tree.Object(name) }

// Few lists a folder of at most so many names. Of anything else nothing is noted.
func (w *Witness) Few(name string, most int) ([]fs.DirEntry, bool) {
	if w.ctx.Err() != nil {
		return nil, false
	}
	entries, err := fs.ReadDir(w.tree, name)
	if err != nil || len(entries) > most {
		return nil, false
	}
	w.note(name, isList+listing(entries))
	return entries, true
}

// Quiet is the tree itself, of which nothing is noted.
func (w *Witness) Quiet() Tree { return w.tree }

// Trace is what was asked so far. It has no questions about the cluster, which the tree does not hear.
func (w *Witness) Trace() Trace { return Trace{shape: w.shape, paths: w.answers()} }

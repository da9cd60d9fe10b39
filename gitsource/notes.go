package gitsource

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// ReadNotes returns all notes of a reference such as refs/notes/sluice/production, by the hash that each is written on,
// as the mirror has them: Fetch that reference first. Notes may lie flat or in folders (ab/cdef...), or both; two on the
// same hash come out as one, a line of both only once. A reference that the mirror does not have has no notes.
func (r *Repository) ReadNotes(ctx context.Context, ref string) (map[string][]byte, error) {
	m := r.reader()
	defer m.release()
	root, err := r.notesRoot(m, ref)
	if err != nil || root.IsZero() {
		return nil, r.notesError(ref, err)
	}
	notes := map[string][]byte{}
	if err := r.collectNotes(ctx, m, root, "", notes); err != nil {
		return nil, r.notesError(ref, err)
	}
	return notes, nil
}

// NotesOn returns the notes on the given revisions only, without reading the others.
func (r *Repository) NotesOn(ctx context.Context, ref string, revisions ...string) (map[string][]byte, error) {
	m := r.reader()
	defer m.release()
	root, err := r.notesRoot(m, ref)
	if err != nil || root.IsZero() {
		return nil, r.notesError(ref, err)
	}
	notes := map[string][]byte{}
	for _, rev := range revisions {
		if ctx.Err() != nil {
			return nil, r.notesError(ref, context.Cause(ctx))
		}
		found, err := r.findNotes(m, root, rev)
		if err != nil {
			return nil, r.notesError(ref, err)
		}
		for _, f := range found {
			if err := r.addNote(m, notes, rev, f.blob); err != nil {
				return nil, r.notesError(ref, err)
			}
		}
	}
	return notes, nil
}

func (r *Repository) notesError(ref string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read notes %q of %q: %w", ref, r.address, err)
}

// notesRoot is the root folder of a notes reference, zero where the mirror has none.
func (r *Repository) notesRoot(m *mirror, ref string) (store.Hash, error) {
	tip, ok := m.store.Refs()[ref]
	if !ok {
		return store.Hash{}, nil
	}
	return r.rootOf(m, tip.Commit())
}

// rootOf is the root folder of a commit that must be there, zero for no commit.
func (r *Repository) rootOf(m *mirror, commit string) (store.Hash, error) {
	if commit == "" {
		return store.Hash{}, nil
	}
	c, err := r.commit(m, plumbing.NewHash(commit))
	if err != nil {
		return store.Hash{}, r.lost(m, err)
	}
	return c.tree, nil
}

func (r *Repository) collectNotes(ctx context.Context, m *mirror, dir store.Hash, prefix string, notes map[string][]byte) error {
	f, err := r.folder(m, dir)
	if err != nil {
		return err
	}
	for _, e := range f.entries {
		name := prefix + e.Name
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case e.Mode == filemode.Dir && len(e.Name) == 2 && len(name) < 40:
			if err := r.collectNotes(ctx, m, e.Hash, name, notes); err != nil {
				return err
			}
		case e.Mode != filemode.Dir && wire.IsHash(name):
			if err := r.addNote(m, notes, name, e.Hash); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Repository) addNote(m *mirror, notes map[string][]byte, rev string, blob store.Hash) error {
	b, err := m.store.Bytes(plumbing.BlobObject, blob)
	if err != nil {
		return r.lost(m, err)
	}
	if old, ok := notes[rev]; ok {
		b, _ = union(old, noteLines(b))
	}
	notes[rev] = b
	return nil
}

// foundNote is where a note lies: its path from the root, "ab/cdef..." or flat.
type foundNote struct {
	path string
	blob store.Hash
}

// findNotes looks at all places where the note on a revision may lie: flat, and below each folder that begins like it.
func (r *Repository) findNotes(m *mirror, root store.Hash, rev string) ([]foundNote, error) {
	var found []foundNote
	dir, prefix, rest := root, "", rev
	for {
		f, err := r.folder(m, dir)
		if err != nil {
			return nil, err
		}
		if e, ok := f.entry(rest); ok && e.Mode != filemode.Dir {
			found = append(found, foundNote{prefix + rest, e.Hash})
		}
		e, ok := f.entry(rest[:2])
		if !ok || e.Mode != filemode.Dir || len(rest) <= 2 {
			return found, nil
		}
		dir, prefix, rest = e.Hash, prefix+rest[:2]+"/", rest[2:]
	}
}

// newNotePath is where a note that is not there yet belongs: below the folders that are there, and in a new one where
// its neighbours lie in folders.
func (r *Repository) newNotePath(m *mirror, root store.Hash, rev string) (string, error) {
	dir, prefix, rest := root, "", rev
	for len(rest) > 2 && !dir.IsZero() {
		f, err := r.folder(m, dir)
		if err != nil {
			return "", err
		}
		if !slices.ContainsFunc(f.entries, isFanOut) {
			break
		}
		e, ok := f.entry(rest[:2])
		if ok && e.Mode != filemode.Dir {
			break
		}
		dir, prefix, rest = e.Hash, prefix+rest[:2]+"/", rest[2:]
	}
	return prefix + rest, nil
}

func isFanOut(e object.TreeEntry) bool {
	return e.Mode == filemode.Dir && len(e.Name) == 2 && strings.Trim(e.Name, "0123456789abcdef") == ""
}

func noteLines(b []byte) []string {
	return strings.FieldsFunc(string(b), func(c rune) bool { return c == '\n' })
}

// union appends the lines that a note does not have yet, and says whether there were any.
func union(note []byte, add []string) ([]byte, bool) {
	have := map[string]bool{}
	for _, line := range noteLines(note) {
		have[line] = true
	}
	out := slices.Clone(note)
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	changed := false
	for _, line := range add {
		if !have[line] {
			have[line], changed = true, true
			out = append(append(out, line...), '\n')
		}
	}
	if !changed {
		return note, false
	}
	return out, true
}

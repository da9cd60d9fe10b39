package gitsource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// Lost races are tried again up to appendTries times, after a pause drawn from 0 to 50 ms, doubled each time up to 2 s:
// about 6 s in all at worst, and a push takes some 50 ms, so dozens of agents can write to one reference at once.
const (
	appendTries    = 12
	appendPause    = 50 * time.Millisecond
	appendPauseMax = 2 * time.Second
)

// AppendNotes adds lines to the notes on revisions and pushes them as one commit, whose hash it returns. Lines that a
// note has already are not added again, so repeating a call after an error is safe; when nothing is new, nothing is
// pushed, and the hash is the present one. Nobody's lines are lost: the push is a compare-and-swap, and after a lost race
// the lines are added to what the winner wrote. Where it fails for good, the error is ErrRace, ErrReadOnly, ErrRefused,
// ErrAuth or ErrUnavailable; after the last one the lines may have arrived.
//
// Revisions in keep become parents of the commit, so that Git itself keeps them when a branch is rewritten; those that
// the mirror or the server lacks are left out. The reference must lie below NotesPrefix, or it is ErrForbiddenRef.
func (r *Repository) AppendNotes(ctx context.Context, ref string, add map[string][]string, keep []string) (string, error) {
	commit, err := r.appendNotes(ctx, ref, add, keep)
	if err != nil {
		return "", fmt.Errorf("append notes %q to %q: %w", ref, r.address, err)
	}
	return commit, nil
}

func (r *Repository) appendNotes(ctx context.Context, ref string, add map[string][]string, keep []string) (string, error) {
	if err := r.mayWrite(ref, NotesPrefix); err != nil {
		return "", err
	}
	if err := checkAppend(add, keep); err != nil {
		return "", err
	}
	var last error
	for try := range appendTries {
		if try > 0 {
			if err := pause(ctx, try); err != nil {
				return "", errors.Join(last, err)
			}
		}
		commit, err := r.appendOnce(ctx, ref, add, keep)
		switch {
		case err == nil:
			return commit, nil
		case errors.Is(err, wire.ErrIncomplete) && len(keep) > 0:
			keep = nil // the server has dropped one of them; the lines matter more
		case errors.Is(err, errUnsure):
			if last != nil && !errors.Is(last, ErrRace) {
				return "", err
			}
		case !errors.Is(err, ErrRace):
			return "", err
		}
		last = err
	}
	return "", last
}

func checkAppend(add map[string][]string, keep []string) error {
	for _, rev := range slices.Concat(keep, slices.Collect(maps.Keys(add))) {
		if !wire.IsHash(rev) {
			return fmt.Errorf("revision %q is not a full hash", rev)
		}
	}
	for rev, lines := range add {
		for _, line := range lines {
			if line == "" || strings.ContainsAny(line, "\n\x00") {
				return fmt.Errorf("line for %s is empty or has a line break", rev)
			}
		}
	}
	return nil
}

func pause(ctx context.Context, try int) error {
	most := min(appendPause<<(try-1), appendPauseMax)
	t := time.NewTimer(rand.N(most)) //nolint:gosec // spreads competitors, guards nothing
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *Repository) appendOnce(ctx context.Context, ref string, add map[string][]string, keep []string) (string, error) {
	found, err := r.fetch(ctx, []string{ref})
	if err != nil {
		return "", err
	}
	m := r.reader()
	defer m.release()
	old := found[ref].Commit()
	root, err := r.rootOf(m, old)
	if err != nil {
		return "", err
	}
	files, err := r.changedNotes(m, root, add)
	if err != nil {
		return "", err
	}
	parents := r.keepers(m, old, keep)
	if len(files) == 0 && len(parents) == 0 {
		return old, nil
	}
	b := builder{repo: r, mirror: m}
	if root, err = b.change(root, "", files); err != nil {
		return "", err
	}
	if old != "" {
		parents = append([]string{old}, parents...)
	}
	commit, err := b.commit(root, parents, notesMessage(len(files)), time.Time{})
	if err != nil {
		return "", err
	}
	pushed, err := r.push(ctx, m, &b, wire.Push{Updates: []wire.Update{{Ref: ref, Old: found[ref].Hash, New: commit}}})
	if err != nil {
		return "", err
	}
	return commit, pushed.Errs[0]
}

func notesMessage(n int) string {
	if n == 1 {
		return "Note on 1 commit\n"
	}
	return fmt.Sprintf("Notes on %d commits\n", n)
}

// changedNotes are the files of the notes folder that change, by path, with their new content.
func (r *Repository) changedNotes(m *mirror, root store.Hash, add map[string][]string) (Files, error) {
	files := Files{}
	for rev, lines := range add {
		if len(lines) == 0 {
			continue
		}
		path, all, err := r.presentNote(m, root, rev)
		if err != nil {
			return nil, err
		}
		_, isNew := union(all.everywhere, lines)
		if !isNew {
			continue
		}
		if path == "" {
			if path, err = r.newNotePath(m, root, rev); err != nil {
				return nil, err
			}
		}
		missing := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return all.has(line) })
		note, _ := union(all.first, missing)
		files[path] = File{Content: note, Mode: 0o644}
	}
	return files, nil
}

// presentLines is what is written on a revision: in the place that is added to, and in all places together.
type presentLines struct{ first, everywhere []byte }

func (p presentLines) has(line string) bool { return slices.Contains(noteLines(p.everywhere), line) }

func (r *Repository) presentNote(m *mirror, root store.Hash, rev string) (string, presentLines, error) {
	var all presentLines
	if root.IsZero() {
		return "", all, nil
	}
	found, err := r.findNotes(m, root, rev)
	if err != nil {
		return "", all, err
	}
	for i, f := range found {
		b, err := m.store.Bytes(plumbing.BlobObject, f.blob)
		if err != nil {
			return "", all, r.lost(m, err)
		}
		if i == 0 {
			all.first = b
		}
		all.everywhere, _ = union(all.everywhere, noteLines(b))
	}
	if len(found) == 0 {
		return "", all, nil
	}
	return found[0].path, all, nil
}

// keepDepth is how many commits of the notes are looked at for revisions that are kept already. One that is found no more
// is only kept twice.
const keepDepth = 256

// keepers are the revisions that the mirror has and the latest notes do not keep yet.
func (r *Repository) keepers(m *mirror, notes string, keep []string) []string {
	kept := map[string]bool{}
	h := plumbing.NewHash(notes)
	for depth := 0; depth < keepDepth && !h.IsZero() && len(keep) > 0; depth++ {
		c, err := r.commit(m, h)
		if err != nil || len(c.parents) == 0 {
			break
		}
		for _, p := range c.parents {
			kept[p.String()] = true
		}
		h = c.parents[0]
	}
	var out []string
	for _, rev := range keep {
		h := plumbing.NewHash(rev)
		if _, err := r.presentCommit(m, h); err == nil && !kept[rev] {
			kept[rev] = true
			out = append(out, rev)
		}
	}
	slices.Sort(out)
	return out
}

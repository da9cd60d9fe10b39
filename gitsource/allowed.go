package gitsource

import (
	"fmt"
	"strings"
)

// Where an agent writes unless it is told otherwise: notes, and branches that are its own.
const (
	NotesPrefix  = "refs/notes/sluice/"
	BranchPrefix = "refs/heads/sluice/"
)

// mayWrite is the one place that says which references may be written: those that Config lists, where they lie below
// the prefix that the kind of writing is bound to.
func (r *Repository) mayWrite(ref, below string) error {
	if !strings.HasPrefix(ref, below) || !validRef(ref) || !matchesAny(ref, r.cfg.Writes) {
		return fmt.Errorf("%w: %q", ErrForbiddenRef, ref)
	}
	return nil
}

// validRef is git-check-ref-format(1), for full names.
func validRef(ref string) bool {
	if !strings.HasPrefix(ref, "refs/") || strings.ContainsAny(ref, " ~^:?*[\\\x7f") || strings.Contains(ref, "..") ||
		strings.Contains(ref, "@{") {
		return false
	}
	for part := range strings.SplitSeq(ref, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") || strings.HasSuffix(part, ".") {
			return false
		}
	}
	for _, c := range ref {
		if c < ' ' {
			return false
		}
	}
	return true
}

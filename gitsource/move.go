package gitsource

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// Move is what a push does to one branch: a Change, a Branch or a Removal. References are full names and commits full
// hashes; those that are built on must be in the mirror.
type Move interface {
	name() string
	check(r *Repository) error
	// build adds the new objects and says what is to be pushed; nothing where Written says why.
	build(b *builder) (wire.Update, Written, error)
}

// Change is one commit on top of a branch. It changes the files that it names and nothing else, and never forces.
type Change struct {
	Ref     string
	Base    string // where the branch must be; empty makes it, with a history of its own
	Files   Files
	Message string
	Parents []string  // besides Base
	Time    time.Time // of author and committer; zero is now
}

// Branch is a branch below BranchPrefix that is one commit on top of another one. It takes the place of the branch that
// was there, as a merge request is moved to something newer. With the same Time the same content is the same commit.
type Branch struct {
	Ref     string
	Old     string // where the branch must be; empty: it must not exist
	Onto    string
	Files   Files
	Message string
	Time    time.Time // of author and committer; zero is now
}

// Removal deletes a branch below BranchPrefix. One that is gone already is no error.
type Removal struct {
	Ref string
	Old string // where the branch must be
}

// WriteResult is what became of a Move.
type WriteResult string

// The results of a Move.
const (
	Pushed    WriteResult = "pushed"
	Present   WriteResult = "present"   // it was so already: the branch is at this commit, or gone
	Unchanged WriteResult = "unchanged" // the files are so already: there is nothing to commit, and nothing was pushed
)

// Written is what became of one Move.
type Written struct {
	Ref    string
	Commit string // where the branch is now; of a Branch that is Unchanged, what it would have been put on; "" when it is gone
	Result WriteResult
	// Options says that push options were given and the server took them.
	Options bool
	Err     error
}

func (c Change) name() string  { return c.Ref }
func (c Branch) name() string  { return c.Ref }
func (c Removal) name() string { return c.Ref }

func (c Change) check(r *Repository) error {
	parents := c.Parents
	if c.Base != "" {
		parents = append([]string{c.Base}, parents...)
	}
	return errors.Join(r.mayWrite(c.Ref, "refs/heads/"), checkHashes(parents), checkMessage(c.Message), c.Files.check())
}

func (c Branch) check(r *Repository) error {
	parents := []string{c.Onto}
	if c.Old != "" {
		parents = append(parents, c.Old)
	}
	return errors.Join(r.mayWrite(c.Ref, BranchPrefix), checkHashes(parents), checkMessage(c.Message), c.Files.check())
}

func (c Removal) check(r *Repository) error {
	return errors.Join(r.mayWrite(c.Ref, BranchPrefix), checkHashes([]string{c.Old}))
}

func checkHashes(revisions []string) error {
	for _, rev := range revisions {
		if _, err := parseRevision(rev); err != nil {
			return err
		}
	}
	return nil
}

func checkMessage(message string) error {
	if strings.TrimSpace(message) == "" || !utf8.ValidString(message) || strings.Contains(message, "\x00") {
		return errors.New("message of the commit is empty or no text")
	}
	return nil
}

func (c Change) build(b *builder) (wire.Update, Written, error) {
	parents := c.Parents
	if c.Base != "" {
		parents = append([]string{c.Base}, parents...)
	}
	commit, changed, err := b.commitOn(c.Base, parents, c.Files, c.Message, c.Time)
	if err == nil && !changed && c.Base != "" && len(c.Parents) == 0 {
		return wire.Update{}, Written{Commit: c.Base, Result: Unchanged}, nil
	}
	return wire.Update{Ref: c.Ref, Old: c.Base, New: commit}, Written{}, err
}

func (c Branch) build(b *builder) (wire.Update, Written, error) {
	commit, changed, err := b.commitOn(c.Onto, []string{c.Onto}, c.Files, c.Message, c.Time)
	switch {
	case err != nil:
		return wire.Update{}, Written{}, err
	case !changed:
		return wire.Update{}, Written{Commit: c.Onto, Result: Unchanged}, nil
	case commit == c.Old:
		return wire.Update{}, Written{Commit: commit, Result: Present}, nil
	}
	return wire.Update{Ref: c.Ref, Old: c.Old, New: commit, Replaces: c.Old != ""}, Written{}, nil
}

func (c Removal) build(*builder) (wire.Update, Written, error) {
	return wire.Update{Ref: c.Ref, Old: c.Old}, Written{}, nil
}

// commitOn makes a commit whose files are those of another one but for the changed ones, and says whether any differs.
func (b *builder) commitOn(base string, parents []string, files Files, message string, at time.Time) (string, bool, error) {
	for _, p := range parents {
		if _, err := b.repo.presentCommit(b.mirror, plumbing.NewHash(p)); err != nil {
			return "", false, b.repo.judge(b.mirror, err)
		}
	}
	old, err := b.repo.rootOf(b.mirror, base)
	if err != nil {
		return "", false, err
	}
	root, err := b.change(old, "", files)
	if err != nil {
		return "", false, fmt.Errorf("change files: %w", err)
	}
	if root.IsZero() {
		if root, err = b.folder(nil); err != nil {
			return "", false, err
		}
	}
	commit, err := b.commit(root, parents, strings.TrimRight(message, " \t\r\n")+"\n", at)
	return commit, root != old, err
}

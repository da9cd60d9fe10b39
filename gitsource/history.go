package gitsource

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// Commit is what is written in a commit. Time is when it was committed, not authored.
type Commit struct {
	Hash, Tree    string
	Parents       []string
	Author, Email string
	Subject       string // the first line of Message
	Message       string
	Time          time.Time
}

// Body is what follows the subject.
func (c Commit) Body() string {
	_, body, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	return strings.TrimSpace(body)
}

// Commit reads a commit of the mirror by its full hash. ErrNotFound says that the mirror does not have it.
func (r *Repository) Commit(revision string) (Commit, error) {
	m := r.reader()
	defer m.release()
	h, err := parseRevision(revision)
	if err != nil {
		return Commit{}, err
	}
	c, err := r.readCommit(m, h)
	if err != nil {
		return Commit{}, fmt.Errorf("read commit of %q: %w", r.address, r.judge(m, err))
	}
	return c, nil
}

func (r *Repository) readCommit(m *mirror, h store.Hash) (Commit, error) {
	c, err := readCommit(m.store, h)
	if err != nil {
		return Commit{}, err
	}
	subject, _, _ := strings.Cut(strings.TrimLeft(c.Message, "\n"), "\n")
	out := Commit{
		Hash: h.String(), Tree: c.TreeHash.String(), Author: c.Author.Name, Email: c.Author.Email,
		Subject: strings.TrimSpace(subject), Message: c.Message, Time: c.Committer.When,
	}
	for _, p := range c.ParentHashes {
		out.Parents = append(out.Parents, p.String())
	}
	return out, nil
}

// parseRevision refuses everything but a full hash: what users write is resolved by Refs and Fetch, never here.
func parseRevision(s string) (store.Hash, error) {
	if !wire.IsHash(s) {
		return store.Hash{}, fmt.Errorf("revision %q is not a full hash", s)
	}
	return plumbing.NewHash(s), nil
}

var errNotCommit = errors.New("object is not a commit")

func readCommit(s *store.Store, h store.Hash) (*object.Commit, error) {
	obj, err := s.Object(plumbing.AnyObject, h)
	if err != nil {
		return nil, err
	}
	if obj.Type() != plumbing.CommitObject {
		return nil, fmt.Errorf("%w: %w: %s is a %s", errNotCommit, store.ErrMissing, h, obj.Type())
	}
	var c object.Commit
	if err := c.Decode(obj); err != nil {
		return nil, fmt.Errorf("%w: commit %s: %w", store.ErrBroken, h, err)
	}
	return &c, nil
}

// commitNode is what a walk needs of a commit.
type commitNode struct {
	tree    store.Hash
	parents []store.Hash
	time    int64
}

func (r *Repository) commit(m *mirror, h store.Hash) (commitNode, error) {
	if n, ok := r.commits.get(h); ok {
		return n, nil
	}
	c, err := readCommit(m.store, h)
	if err != nil {
		return commitNode{}, err
	}
	n := commitNode{tree: c.TreeHash, parents: c.ParentHashes, time: c.Committer.When.Unix()}
	r.commits.put(h, n, 1)
	return n, nil
}

// presentCommit is commit for a hash that came from outside: what is remembered may be gone from the mirror.
func (r *Repository) presentCommit(m *mirror, h store.Hash) (commitNode, error) {
	if !m.store.Has(h) {
		return commitNode{}, fmt.Errorf("commit %s: %w", h, store.ErrMissing)
	}
	return r.commit(m, h)
}

// FirstParent returns the commit that this one follows on its branch; false at the root of the history.
func (r *Repository) FirstParent(revision string) (string, bool, error) {
	h, err := parseRevision(revision)
	if err != nil {
		return "", false, err
	}
	m := r.reader()
	defer m.release()
	c, err := r.presentCommit(m, h)
	if err != nil {
		return "", false, fmt.Errorf("read first parent in %q: %w", r.address, r.judge(m, err))
	}
	if len(c.parents) == 0 {
		return "", false, nil
	}
	return c.parents[0].String(), true, nil
}

// IsAncestor says whether a commit is reachable from another; each is its own ancestor. Both must be in the mirror, or
// it is ErrNotFound. It reads the history no further back than where the two come together.
func (r *Repository) IsAncestor(ctx context.Context, ancestor, of string) (bool, error) {
	a, err := parseRevision(ancestor)
	if err != nil {
		return false, err
	}
	b, err := parseRevision(of)
	if err != nil {
		return false, err
	}
	m := r.reader()
	defer m.release()
	yes, err := r.isAncestor(ctx, m, a, b)
	if err != nil {
		return false, fmt.Errorf("compare history in %q: %w", r.address, r.judge(m, err))
	}
	return yes, nil
}

// The marks of a commit in a walk from both ends.
const (
	fromAncestor = 1 << iota
	fromOther
	fromBoth = fromAncestor | fromOther
)

func onlyOther(mark int) bool { return mark == fromOther }

// isAncestor walks from both commits at once, newest first, and ends when nothing is left to visit that only the
// descendant reached. It is exact whatever the clocks said: as long as a path from the one to the other is not walked to
// its end, a commit on it is still to be visited, and the ancestor itself does not reach that one.
func (r *Repository) isAncestor(ctx context.Context, m *mirror, a, b store.Hash) (bool, error) {
	w, err := r.walk(m, onlyOther, start{a, fromAncestor}, start{b, fromOther})
	if err != nil {
		return false, err
	}
	for steps := 0; w.marks[a] != fromBoth && w.open > 0 && a != b; steps++ {
		if steps%1024 == 0 && ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		if err := w.next(nil); err != nil {
			return false, err
		}
	}
	return a == b || w.marks[a] == fromBoth, nil
}

package forge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// State of a commit status or of a check, as GitHub writes it.
type State string

// What a status can say. GitLab has one word for failure and error, so there an error is a failure.
const (
	StatePending State = "pending"
	StateSuccess State = "success"
	StateFailure State = "failure"
	StateError   State = "error"
)

// Prefix is how the contexts of our own statuses begin. They never count as checks.
const Prefix = "sluice/"

// Status is what people see beside a commit.
type Status struct {
	Context     string // such as sluice/shop/production
	State       State
	Description string // one line; what the forge has no room for is cut
	TargetURL   string // http or https, or it is left out
}

// statusAPI is what a forge has to do about statuses.
type statusAPI interface {
	// statuses are the newest of each context.
	statuses(ctx context.Context, revision string) (map[string]Status, error)
	// post makes a status the newest of its context. One that says the same already is no error.
	post(ctx context.Context, revision string, s Status) error
	// checks are the states of statuses and of what else runs on a commit, by name.
	checks(ctx context.Context, revision string) (map[string]State, error)
}

// SetStatus makes a status the newest of its context, which must lie under [Prefix]. It posts nothing where the forge is known to say the same, or where
// Config.Pending leaves pending ones out. A commit's statuses are read once before its first is posted, since the
// forges allow far fewer writes than reads.
func (c *Client) SetStatus(ctx context.Context, revision string, s Status) error {
	if err := safely(ctx, func() error { return c.setStatus(ctx, revision, s) }); err != nil {
		return fmt.Errorf("set status %q of %.12s: %w", s.Context, revision, err)
	}
	return nil
}

func (c *Client) setStatus(ctx context.Context, revision string, s Status) error {
	if !wire.IsHash(revision) {
		return &Error{Problem: Refused, Message: "the revision is not a full hash"}
	}
	s = c.fit(s)
	switch s.State {
	case StatePending, StateSuccess, StateFailure, StateError:
	default:
		return &Error{Problem: Refused, Message: fmt.Sprintf("state %q is unknown", s.State)}
	}
	if len(s.Context) == len(Prefix) || !strings.HasPrefix(s.Context, Prefix) {
		return &Error{Problem: Refused, Message: "the context does not begin with " + Prefix}
	}
	if s.State == StatePending && !c.pending {
		return nil
	}
	there, read := c.known.of(revision, s.Context)
	if !read {
		var found map[string]Status
		err := safely(ctx, func() (err error) {
			found, err = c.statuses.statuses(ctx, revision)
			return err
		})
		switch {
		case err == nil:
			c.known.put(revision, found)
			there = found[s.Context]
		case ctx.Err() != nil, Is(err, RateLimited):
			return err
		}
		// Without the right to read, or with an answer that makes no sense, it is posted all the same.
	}
	if there == s {
		return nil
	}
	if err := c.statuses.post(ctx, revision, s); err != nil {
		return err
	}
	c.known.add(revision, s)
	return nil
}

// fit makes of a status what the forge will say it is, so that the two can be compared.
func (c *Client) fit(s Status) Status {
	limit := 255
	if c.kind == GitHub {
		limit = 140 // https://docs.github.com/rest/commits/statuses: longer ones are a 422
	}
	s.Description, s.TargetURL = cut(line(s.Description), limit), link(s.TargetURL)
	if c.kind == GitLab {
		if s.State == StateError {
			s.State = StateFailure
		}
		if len(s.TargetURL) > 255 { // https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
			s.TargetURL = ""
		}
	}
	return s
}

// Checks says how the named checks of a commit stand: commit statuses, and GitHub's check runs or GitLab's jobs. One that
// is not there is not in the map. Without names all are given, and those under [Prefix] never are. Where several have one
// name, GitHub's worst counts, and elsewhere the newest. At GitHub a check that was skipped or is neutral is a success, as
// it is for GitHub's own required checks; a job that GitLab skipped did not run, and is a failure.
func (c *Client) Checks(ctx context.Context, revision string, names ...string) (map[string]State, error) {
	if !wire.IsHash(revision) {
		return nil, fmt.Errorf("read checks of %q: it is not a full hash", revision)
	}
	var all map[string]State
	err := safely(ctx, func() (err error) {
		all, err = c.statuses.checks(ctx, revision)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read checks of %.12s: %w", revision, err)
	}
	for name := range all {
		if strings.HasPrefix(name, Prefix) || len(names) > 0 && !slices.Contains(names, name) {
			delete(all, name)
		}
	}
	return all, nil
}

// states are statuses without their words.
func states(statuses map[string]Status, err error) (map[string]State, error) {
	if err != nil {
		return nil, err
	}
	out := make(map[string]State, len(statuses))
	for name, s := range statuses {
		out[name] = s.State
	}
	return out, nil
}

// worse is the one of two states that counts where both have one name.
func worse(a, b State) State {
	for _, s := range []State{StateError, StateFailure, StatePending} {
		if a == s || b == s {
			return s
		}
	}
	return StateSuccess
}

// knownStatuses remembers what the forge says of the commits that were told of last.
type knownStatuses struct {
	now func() time.Time

	mu     sync.Mutex
	commit map[string]*knownCommit
}

type knownCommit struct {
	statuses map[string]Status
	read     time.Time
}

const (
	// maxKnown commits are remembered; with a thousand statuses each that would be some 200 MB, but commits with more
	// than a few are few.
	maxKnown = 512
	// stale is when a commit's statuses are read again: somebody else may have written them over.
	stale = time.Hour
)

func newKnownStatuses(now func() time.Time) *knownStatuses {
	return &knownStatuses{now: now, commit: map[string]*knownCommit{}}
}

// of returns what a context says, which may be nothing, and false where the commit was not read.
func (k *knownStatuses) of(revision, name string) (Status, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.commit[revision]
	if !ok || k.now().Sub(c.read) > stale {
		return Status{}, false
	}
	return c.statuses[name], true
}

func (k *knownStatuses) put(revision string, statuses map[string]Status) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := &knownCommit{statuses: make(map[string]Status, len(statuses)), read: k.now()}
	for name, s := range statuses {
		if strings.HasPrefix(name, Prefix) {
			c.statuses[name] = s
		}
	}
	k.commit[revision] = c
	for len(k.commit) > maxKnown {
		oldest := ""
		for name, one := range k.commit {
			if oldest == "" || one.read.Before(k.commit[oldest].read) {
				oldest = name
			}
		}
		delete(k.commit, oldest)
	}
}

// add notes what was posted to a commit that was read; what was not read stays unknown.
func (k *knownStatuses) add(revision string, s Status) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if c, ok := k.commit[revision]; ok {
		c.statuses[s.Context] = s
	}
}

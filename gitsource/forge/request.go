package forge

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// RequestState is where a merge request stands.
type RequestState string

// A request that the forge is just about to merge is still open, and Queued.
const (
	RequestOpen   RequestState = "open"
	RequestClosed RequestState = "closed"
	RequestMerged RequestState = "merged"
)

// MergeRequest is what GitLab calls so and the others a pull request. Its source branch lies in the same repository:
// those from forks are never returned, whatever their branch is called. The zero value is none.
type MergeRequest struct {
	// Number as people write it, #12 or !12; zero is none.
	Number int
	// URL of its page, http or https; empty where the forge gives another.
	URL string
	// Title and Text as they are now; people may have edited them.
	Title, Text string
	// Source and Target are branches, without refs/heads/.
	Source, Target string
	// Head is the commit at the tip of Source as the request has it. Another one than was pushed there is foreign. Of an
	// ended one it is the last before the end.
	Head  string
	State RequestState
	// Draft is marked as not ready to be merged.
	Draft bool
	// Author is the account that opened it: the agent's own, where the agent did.
	Author string
	// Labels by name, sorted.
	Labels []string
	// Approvals are the accounts whose approval stands, sorted, whichever commit it was given for. Read for open ones only.
	Approvals []string
	// Queued: it is in a merge queue or merge train, or will be merged by itself as soon as it may be. For open ones only.
	Queued bool
	// EndedBy is the account that merged or closed it; empty where the forge does not say. Author here means the agent's
	// account again, or a person who uses the same one.
	EndedBy string
	// Ended is when it was merged or closed; zero while it is open.
	Ended time.Time
	// MergeCommit is what merging made on Target; empty unless merged.
	MergeCommit string
}

// Requests are the merge requests of one source branch.
type Requests struct {
	// Open ones, the newest first. There can be several, to different targets, when people open more.
	Open []MergeRequest
	// Last is the newest of those that were merged or closed; its zero value is none.
	Last MergeRequest
}

// Draft is a merge request to be opened. Titles and texts that are too long for the forge are cut.
type Draft struct {
	Source, Target string // branches of the same repository
	Title          string // one line
	Text           string // Markdown
}

// Change is what becomes of a merge request. Empty fields stay as they are.
type Change struct {
	Title, Text, Target string
}

// requestAPI is what a forge has to do about merge requests.
type requestAPI interface {
	find(ctx context.Context, branch string) (Requests, error)
	create(ctx context.Context, d Draft) (MergeRequest, error)
	update(ctx context.Context, number int, c Change) (MergeRequest, error)
	close(ctx context.Context, number int) error
	comment(ctx context.Context, number int, text string) error
}

// Find returns the merge requests whose source is a branch of this repository. At Gitea and Forgejo, which cannot search
// for a branch, an ended one is found among the 500 that were changed last.
func (c *Client) Find(ctx context.Context, branch string) (Requests, error) {
	var found Requests
	err := safely(ctx, func() (err error) {
		found, err = c.requests.find(ctx, branch)
		return err
	})
	if err != nil {
		return Requests{}, fmt.Errorf("find merge requests of %q: %w", branch, err)
	}
	return found, nil
}

// Create opens a merge request. An [Exists] error says that there is an open one of the two branches.
func (c *Client) Create(ctx context.Context, d Draft) (MergeRequest, error) {
	if d.Source == "" || d.Target == "" || d.Title == "" {
		return MergeRequest{}, fmt.Errorf("open merge request of %q: %w", d.Source,
			&Error{Problem: Refused, Message: "source, target and title are needed"})
	}
	d.Title, d.Text = cut(line(d.Title), 255), c.fitText(d.Text)
	var made MergeRequest
	err := safely(ctx, func() (err error) {
		made, err = c.requests.create(ctx, d)
		return err
	})
	if err != nil {
		return MergeRequest{}, fmt.Errorf("open merge request of %q to %q: %w", d.Source, d.Target, err)
	}
	return made, nil
}

// Update changes a merge request that Find returned, and sends nothing where it is so already. What it returns is what
// the forge says now; approvals and the queue are as they were found.
func (c *Client) Update(ctx context.Context, was MergeRequest, to Change) (MergeRequest, error) {
	to.Title, to.Text = cut(line(to.Title), 255), c.fitText(to.Text)
	if to.Title == was.Title {
		to.Title = ""
	}
	if sameText(to.Text, was.Text) {
		to.Text = ""
	}
	if to.Target == was.Target {
		to.Target = ""
	}
	if to == (Change{}) {
		return was, nil
	}
	var now MergeRequest
	err := safely(ctx, func() (err error) {
		now, err = c.requests.update(ctx, was.Number, to)
		return err
	})
	if err != nil {
		return was, fmt.Errorf("update merge request %d: %w", was.Number, err)
	}
	now.Approvals, now.Queued = was.Approvals, was.Queued || now.Queued
	return now, nil
}

// Close closes a merge request and then says why, where a comment is given. It may be called again after an error; one
// that is closed is not an error.
func (c *Client) Close(ctx context.Context, number int, comment string) error {
	if err := safely(ctx, func() error { return c.requests.close(ctx, number) }); err != nil {
		return fmt.Errorf("close merge request %d: %w", number, err)
	}
	if comment == "" {
		return nil
	}
	return c.Comment(ctx, number, comment)
}

// Comment adds a comment, Markdown, to a merge request.
func (c *Client) Comment(ctx context.Context, number int, text string) error {
	if err := safely(ctx, func() error { return c.requests.comment(ctx, number, c.fitText(text)) }); err != nil {
		return fmt.Errorf("comment on merge request %d: %w", number, err)
	}
	return nil
}

// fitText keeps to GitHub's 65,536 characters, and elsewhere to a million, which is GitLab's limit and plenty.
func (c *Client) fitText(s string) string {
	if c.kind == GitHub {
		return cut(s, 65536)
	}
	return cut(s, 1_000_000)
}

// sameText looks past what forges do to a text that they keep: ends of lines, and what surrounds it.
func sameText(a, b string) bool {
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return plain(a) == plain(b)
}

// valid refuses an answer that lacks what every merge request has.
func (m MergeRequest) valid() (MergeRequest, error) {
	if m.Number <= 0 || m.Source == "" || m.Target == "" {
		return MergeRequest{}, odd("a merge request without number or branches")
	}
	switch m.State {
	case RequestOpen, RequestClosed, RequestMerged:
	default:
		return MergeRequest{}, odd("merge request %d has the state %q", m.Number, m.State)
	}
	slices.Sort(m.Labels)
	return m, nil
}

// sorted are the requests of one branch: the open ones, and of the others the one that was opened last.
func sorted(all []MergeRequest) Requests {
	slices.SortFunc(all, func(a, b MergeRequest) int { return b.Number - a.Number })
	var out Requests
	for _, m := range all {
		switch {
		case m.State == RequestOpen:
			out.Open = append(out.Open, m)
		case out.Last.Number == 0:
			out.Last = m
		}
	}
	return out
}

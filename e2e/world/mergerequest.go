package world

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// MergeRequest is one at the forge, as far as stories read it.
type MergeRequest struct {
	Number int64  `json:"number"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	// State is open or closed; Merged where it was closed so, by Commit.
	State  string `json:"state"`
	Merged bool   `json:"merged"`
	Commit string `json:"merge_commit_sha"`
	URL    string `json:"html_url"`
	Author User   `json:"user"`
	Labels []struct {
		Name string `json:"name"`
	} `json:"labels"`
	// Head is what would be merged, Base where.
	Head, Base struct {
		Ref string `json:"ref"`
		SHA string `json:"sha"`
	}
}

// User is who did something at the forge.
type User struct {
	Login string `json:"login"`
}

// Comment is one below a merge request.
type Comment struct {
	Body string `json:"body"`
	User User   `json:"user"`
}

// How merge requests are merged.
const (
	Merge  = "merge"
	Squash = "squash"
	Rebase = "rebase"
)

// Propose opens a merge request to main.
func (p *Project) Propose(t testing.TB, branch, title, body string) MergeRequest {
	t.Helper()
	var m MergeRequest
	p.call(t, http.MethodPost, "/pulls", map[string]any{"head": branch, "base": "main", "title": title, "body": body}, &m)
	return m
}

// MergeRequests are those in a state: open, closed or all; the newest first.
func (p *Project) MergeRequests(t testing.TB, state string) []MergeRequest {
	t.Helper()
	return all[MergeRequest](t, p.Forge, p.By, "/repos"+p.path()+"/pulls?state="+state)
}

// MergeRequest is one as it is now.
func (p *Project) MergeRequest(t testing.TB, number int64) MergeRequest {
	t.Helper()
	var m MergeRequest
	p.call(t, http.MethodGet, fmt.Sprintf("/pulls/%d", number), nil, &m)
	return m
}

// AwaitMergeRequest waits for one that is what match wants, open or closed, and returns the newest such.
func (p *Project) AwaitMergeRequest(t testing.TB, what string, match func(MergeRequest) bool) MergeRequest {
	t.Helper()
	var found MergeRequest
	Await(t, Patience, what, func() error {
		seen := errors.New("there is no merge request")
		for _, m := range p.MergeRequests(t, "all") {
			if match(m) {
				found = m
				return nil
			}
			seen = fmt.Errorf("the oldest is %d, %s, %q", m.Number, m.State, m.Title)
		}
		return seen
	})
	return found
}

// Merge merges by a style, and returns the revision of main.
func (p *Project) Merge(t testing.TB, number int64, style string) string {
	t.Helper()
	if err := p.TryMerge(number, style); err != nil {
		t.Fatal(err)
	}
	main, err := p.Repo.Ref("refs/heads/main")
	if err != nil {
		t.Fatal(err)
	}
	return main
}

// TryMerge is Merge with an error. While the forge still finds out whether something can be merged it is asked again, as a
// person would.
func (p *Project) TryMerge(number int64, style string) error {
	for deadline := time.Now().Add(Patience); ; time.Sleep(glance) {
		err := p.Try(http.MethodPost, fmt.Sprintf("/pulls/%d/merge", number), map[string]any{"do": style}, nil)
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(refused.Text, "try again later") || time.Now().After(deadline) {
			return err
		}
	}
}

// CloseMergeRequest closes one unmerged, and Reopen opens it again.
func (p *Project) CloseMergeRequest(t testing.TB, number int64) {
	t.Helper()
	p.call(t, http.MethodPatch, fmt.Sprintf("/pulls/%d", number), map[string]any{"state": "closed"}, nil)
}

// Reopen opens a merge request again.
func (p *Project) Reopen(t testing.TB, number int64) {
	t.Helper()
	p.call(t, http.MethodPatch, fmt.Sprintf("/pulls/%d", number), map[string]any{"state": "open"}, nil)
}

// Approve approves a merge request as it is now. Nobody may approve one of their own.
func (p *Project) Approve(t testing.TB, number int64) {
	t.Helper()
	p.call(t, http.MethodPost, fmt.Sprintf("/pulls/%d/reviews", number), map[string]any{"event": "APPROVED"}, nil)
}

// Reword gives a merge request another title and text.
func (p *Project) Reword(t testing.TB, number int64, title, text string) {
	t.Helper()
	p.call(t, http.MethodPatch, fmt.Sprintf("/pulls/%d", number), map[string]any{"title": title, "body": text}, nil)
}

// Comment writes below a merge request.
func (p *Project) Comment(t testing.TB, number int64, text string) {
	t.Helper()
	p.call(t, http.MethodPost, fmt.Sprintf("/issues/%d/comments", number), map[string]any{"body": text}, nil)
}

// Comments are those below a merge request, the oldest first.
func (p *Project) Comments(t testing.TB, number int64) []Comment {
	t.Helper()
	var out []Comment
	p.call(t, http.MethodGet, fmt.Sprintf("/issues/%d/comments", number), nil, &out)
	return out
}

// Label puts a label on a merge request. A label that the repository does not know is made.
func (p *Project) Label(t testing.TB, number int64, name string) {
	t.Helper()
	_ = p.Try(http.MethodPost, "/labels", map[string]any{"name": name, "color": "#ff8800"}, nil) //nolint:errcheck // the next call says
	p.call(t, http.MethodPost, fmt.Sprintf("/issues/%d/labels", number), map[string]any{"labels": []string{name}}, nil)
}

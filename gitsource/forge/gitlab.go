package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	gitlab "gitlab.com/gitlab-org/api/client-go"
)

// gitLab speaks https://docs.gitlab.com/api/rest/.
type gitLab struct {
	client *gitlab.Client
	path   string
}

// unhurried is for a library that would otherwise wait by itself; the budget says when to come back.
type unhurried struct{}

func (unhurried) Wait(context.Context) error { return nil }

func (c *Client) openGitLab(api *url.URL, path string) error {
	client, err := gitlab.NewClient("", gitlab.WithBaseURL(api.String()), gitlab.WithHTTPClient(c.wire.client()),
		gitlab.WithoutRetries(), gitlab.WithCustomRetryMax(0), gitlab.WithCustomLimiter(unhurried{}))
	if err != nil {
		return err
	}
	g := &gitLab{client, path}
	c.statuses, c.requests, c.rights = g, g, g
	return nil
}

// perPage is the most that GitLab gives: https://docs.gitlab.com/api/rest/#pagination
const perPage = 100

func (g *gitLab) list(ctx context.Context, revision string) (map[string]*gitlab.CommitStatus, error) {
	list, err := pages(func(page int) ([]*gitlab.CommitStatus, int, error) {
		found, resp, err := g.client.Commits.GetCommitStatuses(g.path, revision, &gitlab.GetCommitStatusesOptions{
			ListOptions: gitlab.ListOptions{Page: int64(page), PerPage: perPage},
		}, gitlab.WithContext(ctx))
		if err != nil {
			return nil, 0, err
		}
		return found, int(resp.NextPage), nil
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string]*gitlab.CommitStatus, len(list))
	for _, s := range list {
		if s == nil {
			return nil, odd("a status that is null")
		}
		if old := out[s.Name]; old == nil || s.ID > old.ID {
			out[s.Name] = s
		}
	}
	return out, nil
}

func (g *gitLab) statuses(ctx context.Context, revision string) (map[string]Status, error) {
	list, err := g.list(ctx, revision)
	if err != nil {
		return nil, err
	}
	out := make(map[string]Status, len(list))
	for name, s := range list {
		out[name] = Status{Context: name, State: gitLabState(s.Status), Description: s.Description, TargetURL: s.TargetURL}
	}
	return out, nil
}

func (g *gitLab) checks(ctx context.Context, revision string) (map[string]State, error) {
	return states(g.statuses(ctx, revision))
}

// gitLabState knows the words of https://docs.gitlab.com/api/jobs/. A job that waits for a person or a time is pending.
func gitLabState(s string) State {
	switch s {
	case "success":
		return StateSuccess
	case "failed", "canceled", "canceling", "skipped":
		return StateFailure
	}
	return StatePending
}

// post knows that GitLab refuses, as a 400, to make pending what is pending: "Cannot transition status via :enqueue from
// :pending". A description that changed alone cannot be posted, so that is as good as done.
func (g *gitLab) post(ctx context.Context, revision string, s Status) error {
	state := map[State]gitlab.BuildStateValue{
		StatePending: gitlab.Pending, StateSuccess: gitlab.Success, StateFailure: gitlab.Failed, StateError: gitlab.Failed,
	}[s.State]
	_, _, err := g.client.Commits.SetCommitStatus(g.path, revision, &gitlab.SetCommitStatusOptions{
		State: state, Name: &s.Context, Description: &s.Description, TargetURL: optional(s.TargetURL),
	}, gitlab.WithContext(ctx))
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusBadRequest && strings.Contains(e.Message, "Cannot transition status") &&
		strings.Contains(e.Message, fmt.Sprintf("from :%s", state)) {
		return nil
	}
	return err
}

func (g *gitLab) find(ctx context.Context, branch string) (Requests, error) {
	list, err := pages(func(page int) ([]*gitlab.BasicMergeRequest, int, error) {
		all, order, down := "all", "created_at", "desc"
		found, resp, err := g.client.MergeRequests.ListProjectMergeRequests(g.path, &gitlab.ListProjectMergeRequestsOptions{
			ListOptions: gitlab.ListOptions{Page: int64(page), PerPage: perPage},
			State:       &all, SourceBranch: &branch, OrderBy: &order, Sort: &down,
		}, gitlab.WithContext(ctx))
		if err != nil {
			return nil, 0, err
		}
		next := int(resp.NextPage)
		if page >= 2 {
			next = 0 // open ones older than two hundred others are nobody's
		}
		return found, next, nil
	})
	if err != nil {
		return Requests{}, err
	}
	var all []MergeRequest
	for _, m := range list {
		if m == nil || m.SourceBranch != branch || m.SourceProjectID != m.TargetProjectID {
			continue
		}
		one, err := fromGitLab(m)
		if err != nil {
			return Requests{}, err
		}
		all = append(all, one)
	}
	out := sorted(all)
	for i := range out.Open {
		m := &out.Open[i]
		said, _, err := g.client.MergeRequestApprovals.GetConfiguration(g.path, int64(m.Number), gitlab.WithContext(ctx))
		if err != nil {
			return Requests{}, err
		}
		approved := map[string]bool{}
		for _, by := range said.ApprovedBy {
			approved[username(by.User)] = true
		}
		m.Approvals = names(approved)
	}
	return out, nil
}

func fromGitLab(m *gitlab.BasicMergeRequest) (MergeRequest, error) {
	out := MergeRequest{
		Number: int(m.IID), URL: link(m.WebURL), Title: m.Title, Text: m.Description, Source: m.SourceBranch,
		Target: m.TargetBranch, Head: m.SHA, State: RequestState(m.State), Draft: m.Draft, Author: username(m.Author),
		Labels: m.Labels,
	}
	switch m.State {
	case "opened":
		// A place in a merge train is set by the same field.
		out.State, out.Queued = RequestOpen, m.MergeWhenPipelineSucceeds
	case "locked": // while it is being merged
		out.State, out.Queued = RequestOpen, true
	case "closed":
		out.EndedBy, out.Ended = username(m.ClosedBy), moment(m.ClosedAt)
	case "merged":
		out.EndedBy, out.Ended, out.MergeCommit = username(m.MergeUser), moment(m.MergedAt), m.MergeCommitSHA
		if out.MergeCommit == "" { // merged by fast-forward
			out.MergeCommit = m.SquashCommitSHA
		}
		if out.MergeCommit == "" {
			out.MergeCommit = m.SHA
		}
	}
	return out.valid()
}

func username(u *gitlab.BasicUser) string {
	if u == nil {
		return ""
	}
	return u.Username
}

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

func (g *gitLab) create(ctx context.Context, d Draft) (MergeRequest, error) {
	m, _, err := g.client.MergeRequests.CreateMergeRequest(g.path, &gitlab.CreateMergeRequestOptions{
		Title: &d.Title, Description: &d.Text, SourceBranch: &d.Source, TargetBranch: &d.Target,
	}, gitlab.WithContext(ctx))
	if err != nil {
		return MergeRequest{}, conflict(err)
	}
	return fromGitLab(&m.BasicMergeRequest)
}

// conflict is what a 409 means where a merge request is opened, whatever language its words are in.
func conflict(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusConflict {
		e.Problem = Exists
	}
	return err
}

func (g *gitLab) update(ctx context.Context, number int, c Change) (MergeRequest, error) {
	m, _, err := g.client.MergeRequests.UpdateMergeRequest(g.path, int64(number), &gitlab.UpdateMergeRequestOptions{
		Title: optional(c.Title), Description: optional(c.Text), TargetBranch: optional(c.Target),
	}, gitlab.WithContext(ctx))
	if err != nil {
		return MergeRequest{}, err
	}
	return fromGitLab(&m.BasicMergeRequest)
}

func (g *gitLab) close(ctx context.Context, number int) error {
	closing := "close"
	_, _, err := g.client.MergeRequests.UpdateMergeRequest(g.path, int64(number),
		&gitlab.UpdateMergeRequestOptions{StateEvent: &closing}, gitlab.WithContext(ctx))
	return err
}

func (g *gitLab) comment(ctx context.Context, number int, text string) error {
	_, _, err := g.client.Notes.CreateMergeRequestNote(g.path, int64(number),
		&gitlab.CreateMergeRequestNoteOptions{Body: &text}, gitlab.WithContext(ctx))
	return err
}

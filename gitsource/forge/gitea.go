package forge

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"code.gitea.io/sdk/gitea"
)

// giteaAPI speaks https://docs.gitea.com/api/, which is Forgejo's too.
type giteaAPI struct {
	base        string
	http        *http.Client
	owner, name string
}

func (c *Client) openGitea(api *url.URL, path string) {
	g := &giteaAPI{base: strings.TrimSuffix(api.String(), "/api/v1"), http: c.wire.client()}
	g.owner, g.name, _ = strings.Cut(path, "/")
	c.statuses, c.requests, c.rights = g, g, g
}

// client is one for each call, since the library keeps the context in it. It asks for no version: what is used has been
// there since 1.14.
func (g *giteaAPI) client(ctx context.Context) (*gitea.Client, error) {
	return gitea.NewClient(g.base, gitea.SetHTTPClient(g.http), gitea.SetGiteaVersion(""), gitea.SetContext(ctx))
}

// giteaPage is what Gitea gives at most unless it is told otherwise; more is cut down to it without a word.
const giteaPage = 50

func (g *giteaAPI) statuses(ctx context.Context, revision string) (map[string]Status, error) {
	client, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	// All that were ever posted; the library can page through these only.
	list, err := pages(func(page int) ([]*gitea.Status, int, error) {
		found, resp, err := client.ListStatuses(g.owner, g.name, revision,
			gitea.ListStatusesOption{ListOptions: gitea.ListOptions{Page: page, PageSize: giteaPage}})
		if err != nil {
			return nil, 0, err
		}
		return found, resp.NextPage, nil
	})
	if err != nil {
		return nil, err
	}
	out, newest := map[string]Status{}, map[string]int64{}
	for _, s := range list {
		if s == nil {
			return nil, odd("a status that is null")
		}
		if s.ID >= newest[s.Context] { // the IDs of one commit's statuses count up
			newest[s.Context] = s.ID
			out[s.Context] = Status{
				Context: s.Context, State: giteaState(s.State), Description: s.Description, TargetURL: s.TargetURL,
			}
		}
	}
	return out, nil
}

func (g *giteaAPI) checks(ctx context.Context, revision string) (map[string]State, error) {
	return states(g.statuses(ctx, revision))
}

// giteaState follows what Gitea makes of a commit with such a status: a warning fails it, and what was skipped does not.
func giteaState(s gitea.StatusState) State {
	switch s {
	case gitea.StatusSuccess, "skipped":
		return StateSuccess
	case gitea.StatusPending:
		return StatePending
	case gitea.StatusFailure, gitea.StatusWarning:
		return StateFailure
	default:
		return StateError
	}
}

func (g *giteaAPI) post(ctx context.Context, revision string, s Status) error {
	client, err := g.client(ctx)
	if err != nil {
		return err
	}
	_, _, err = client.CreateStatus(g.owner, g.name, revision, gitea.CreateStatusOption{
		State: gitea.StatusState(s.State), Context: s.Context, Description: s.Description, TargetURL: s.TargetURL,
	})
	return err
}

// giteaEnded bounds how far back ended requests are looked for: 10 pages of 50.
const giteaEnded = 10

func (g *giteaAPI) find(ctx context.Context, branch string) (Requests, error) {
	client, err := g.client(ctx)
	if err != nil {
		return Requests{}, err
	}
	open, err := g.search(client, branch, gitea.StateOpen, maxPages)
	if err != nil {
		return Requests{}, err
	}
	ended, err := g.search(client, branch, gitea.StateClosed, giteaEnded)
	if err != nil {
		return Requests{}, err
	}
	out := sorted(append(open, ended...))
	for i := range out.Open {
		if err := g.detail(ctx, client, &out.Open[i]); err != nil {
			return Requests{}, err
		}
	}
	if out.Last.Number != 0 {
		err = g.detail(ctx, client, &out.Last)
	}
	return out, err
}

// search reads a list of requests, at most so many pages, and returns those of a branch. Of ended ones, those of the first
// page that has any are enough.
func (g *giteaAPI) search(client *gitea.Client, branch string, state gitea.StateType, most int) ([]MergeRequest, error) {
	return pages(func(page int) ([]MergeRequest, int, error) {
		found, resp, err := client.ListRepoPullRequests(g.owner, g.name, gitea.ListPullRequestsOptions{
			ListOptions: gitea.ListOptions{Page: page, PageSize: giteaPage}, State: state, Sort: "recentupdate",
		})
		if err != nil {
			return nil, 0, err
		}
		var ours []MergeRequest
		for _, p := range found {
			if p == nil || !fromBranch(p, branch) {
				continue
			}
			m, err := fromGitea(p)
			if err != nil {
				return nil, 0, err
			}
			ours = append(ours, m)
		}
		next := resp.NextPage
		if page >= most || state == gitea.StateClosed && len(ours) > 0 {
			next = 0
		}
		return ours, next, nil
	})
}

// fromBranch: a fork's branch of the same name is another one. A branch that was deleted is named by the label alone.
func fromBranch(p *gitea.PullRequest, branch string) bool {
	if p.Head == nil || p.Base == nil || p.Head.RepoID != p.Base.RepoID {
		return false
	}
	return p.Head.Ref == branch || p.Head.Name == branch
}

func fromGitea(p *gitea.PullRequest) (MergeRequest, error) {
	m := MergeRequest{
		Number: int(p.Index), URL: link(p.HTMLURL), Title: p.Title, Text: p.Body, State: RequestState(p.State), Draft: p.Draft,
		Author: login(p.Poster), Ended: moment(p.Closed),
	}
	if p.Head != nil && p.Base != nil {
		m.Source, m.Target, m.Head = p.Head.Name, p.Base.Ref, p.Head.Sha
	}
	if p.HasMerged {
		m.State, m.Ended, m.EndedBy = RequestMerged, moment(p.Merged), login(p.MergedBy)
		if p.MergedCommitID != nil {
			m.MergeCommit = *p.MergedCommitID
		}
	}
	for _, l := range p.Labels {
		m.Labels = append(m.Labels, l.Name)
	}
	return m.valid()
}

func login(u *gitea.User) string {
	if u == nil {
		return ""
	}
	return u.UserName
}

// detail reads what lists do not have: the timeline tells of merging that waits and of who closed it, reviews who
// approved.
func (g *giteaAPI) detail(ctx context.Context, client *gitea.Client, m *MergeRequest) error {
	events, err := g.timeline(ctx, m.Number)
	if err != nil {
		return err
	}
	closer := ""
	for _, e := range events {
		if e == nil {
			continue
		}
		switch e.Type {
		case "pull_scheduled_merge":
			m.Queued = true
		case "pull_cancel_scheduled_merge":
			m.Queued = false
		case "close":
			closer = login(e.User)
		}
	}
	if m.State != RequestOpen {
		m.Queued = false
		if m.State == RequestClosed {
			m.EndedBy = closer
		}
		return nil
	}
	reviews, err := pages(func(page int) ([]*gitea.PullReview, int, error) {
		found, resp, err := client.ListPullReviews(g.owner, g.name, int64(m.Number),
			gitea.ListPullReviewsOptions{ListOptions: gitea.ListOptions{Page: page, PageSize: giteaPage}})
		if err != nil {
			return nil, 0, err
		}
		return found, resp.NextPage, nil
	})
	if err != nil {
		return err
	}
	approved := map[string]bool{}
	for _, r := range reviews { // the oldest first
		switch {
		case r == nil:
		case r.State == gitea.ReviewStateApproved && !r.Dismissed:
			approved[login(r.Reviewer)] = true
		case r.State == gitea.ReviewStateApproved || r.State == gitea.ReviewStateRequestChanges:
			delete(approved, login(r.Reviewer))
		}
	}
	m.Approvals = names(approved)
	return nil
}

func (g *giteaAPI) create(ctx context.Context, d Draft) (MergeRequest, error) {
	client, err := g.client(ctx)
	if err != nil {
		return MergeRequest{}, err
	}
	p, _, err := client.CreatePullRequest(g.owner, g.name, gitea.CreatePullRequestOption{
		Head: d.Source, Base: d.Target, Title: d.Title, Body: d.Text,
	})
	if err != nil {
		return MergeRequest{}, conflict(err)
	}
	return fromGitea(p)
}

func (g *giteaAPI) update(ctx context.Context, number int, c Change) (MergeRequest, error) {
	client, err := g.client(ctx)
	if err != nil {
		return MergeRequest{}, err
	}
	p, _, err := client.EditPullRequest(g.owner, g.name, int64(number), gitea.EditPullRequestOption{
		Title: c.Title, Body: optional(c.Text), Base: c.Target,
	})
	if err != nil {
		return MergeRequest{}, err
	}
	return fromGitea(p)
}

func (g *giteaAPI) close(ctx context.Context, number int) error {
	client, err := g.client(ctx)
	if err != nil {
		return err
	}
	closed := gitea.StateClosed
	_, _, err = client.EditPullRequest(g.owner, g.name, int64(number), gitea.EditPullRequestOption{State: &closed})
	return err
}

func (g *giteaAPI) comment(ctx context.Context, number int, text string) error {
	client, err := g.client(ctx)
	if err != nil {
		return err
	}
	_, _, err = client.CreateIssueComment(g.owner, g.name, int64(number), gitea.CreateIssueCommentOption{Body: text})
	return err
}

package forge

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-github/v92/github"
)

// gitHub speaks https://docs.github.com/rest.
type gitHub struct {
	client      *github.Client
	owner, name string
	app         *installed // nil where a token is used
}

func (c *Client) openGitHub(api *url.URL, path string, app *App) error {
	g := &gitHub{}
	g.owner, g.name, _ = strings.Cut(path, "/")
	if app != nil {
		signed := *c.wire
		signed.auth = appAuthority{app, c.wire.now}
		client, err := newGitHub(api, &signed)
		if err != nil {
			return err
		}
		g.app = &installed{app: app, client: client, owner: g.owner, name: g.name, now: c.wire.now}
		c.wire.auth = g.app
	}
	var err error
	if g.client, err = newGitHub(api, c.wire); err != nil {
		return err
	}
	c.statuses, c.requests, c.rights = g, g, g
	return nil
}

func newGitHub(api *url.URL, t *transport) (*github.Client, error) {
	base := api.String() + "/"
	// The library's own rate limit check goes by the machine's clock; the budget does that.
	return github.NewClient(github.WithHTTPClient(t.client()), github.WithURLs(&base, &base), github.WithDisableRateLimitCheck())
}

func (g *gitHub) statuses(ctx context.Context, revision string) (map[string]Status, error) {
	list, err := pages(func(page int) ([]*github.RepoStatus, int, error) {
		found, resp, err := g.client.Repositories.GetCombinedStatus(ctx, g.owner, g.name, revision,
			&github.ListOptions{Page: page, PerPage: 100})
		if err != nil {
			return nil, 0, err
		}
		return found.Statuses, resp.NextPage, nil
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string]Status, len(list))
	for _, s := range list {
		out[s.GetContext()] = Status{
			Context: s.GetContext(), State: gitHubState(s.GetState()), Description: s.GetDescription(), TargetURL: s.GetTargetURL(),
		}
	}
	return out, nil
}

func gitHubState(s string) State {
	switch State(s) {
	case StatePending, StateSuccess, StateFailure:
		return State(s)
	default:
		return StateError
	}
}

func (g *gitHub) post(ctx context.Context, revision string, s Status) error {
	state := string(s.State)
	_, _, err := g.client.Repositories.CreateStatus(ctx, g.owner, g.name, revision, github.RepoStatus{
		State: &state, Context: &s.Context, Description: &s.Description, TargetURL: optional(s.TargetURL),
	})
	return err
}

// optional leaves out what is empty.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (g *gitHub) checks(ctx context.Context, revision string) (map[string]State, error) {
	out, err := states(g.statuses(ctx, revision))
	if err != nil {
		return nil, err
	}
	latest := "latest"
	runs, err := pages(func(page int) ([]*github.CheckRun, int, error) {
		found, resp, err := g.client.Checks.ListCheckRunsForRef(ctx, g.owner, g.name, revision, &github.ListCheckRunsOptions{
			Filter: &latest, ListOptions: github.ListOptions{Page: page, PerPage: 100},
		})
		if err != nil {
			return nil, 0, err
		}
		return found.CheckRuns, resp.NextPage, nil
	})
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		state := runState(run)
		if other, ok := out[run.GetName()]; ok {
			state = worse(state, other)
		}
		out[run.GetName()] = state
	}
	return out, nil
}

// runState follows what GitHub lets through where a check is required:
// https://docs.github.com/pull-requests/collaborating-with-pull-requests/collaborating-on-repositories-with-code-quality-features/about-status-checks
func runState(run *github.CheckRun) State {
	if run.GetStatus() != "completed" {
		return StatePending
	}
	switch run.GetConclusion() {
	case "success", "neutral", "skipped":
		return StateSuccess
	}
	return StateFailure
}

func (g *gitHub) find(ctx context.Context, branch string) (Requests, error) {
	list, err := pages(func(page int) ([]*github.PullRequest, int, error) {
		found, resp, err := g.client.PullRequests.List(ctx, g.owner, g.name, &github.PullRequestListOptions{
			State: "all", Head: g.owner + ":" + branch, Sort: "created", Direction: "desc",
			ListOptions: github.ListOptions{Page: page, PerPage: 50},
		})
		if err != nil {
			return nil, 0, err
		}
		next := resp.NextPage
		if slices.ContainsFunc(found, func(p *github.PullRequest) bool { return p.GetState() == "closed" }) && page >= 2 {
			next = 0 // open ones older than a hundred ended ones are nobody's
		}
		return found, next, nil
	})
	if err != nil {
		return Requests{}, err
	}
	var all []MergeRequest
	for _, p := range list {
		// A fork of the same owner, or a branch of which head is only a part, is another one.
		if p.GetHead().GetRef() != branch || !strings.EqualFold(p.GetHead().GetRepo().GetFullName(), p.GetBase().GetRepo().GetFullName()) {
			continue
		}
		m, err := fromGitHub(p)
		if err != nil {
			return Requests{}, err
		}
		all = append(all, m)
	}
	out := sorted(all)
	for i := range out.Open {
		if err := g.detail(ctx, &out.Open[i]); err != nil {
			return Requests{}, err
		}
	}
	if out.Last.Number != 0 {
		err = g.detail(ctx, &out.Last)
	}
	return out, err
}

func fromGitHub(p *github.PullRequest) (MergeRequest, error) {
	m := MergeRequest{
		Number: p.GetNumber(), URL: link(p.GetHTMLURL()), Title: p.GetTitle(), Text: p.GetBody(),
		Source: p.GetHead().GetRef(), Target: p.GetBase().GetRef(), Head: p.GetHead().GetSHA(),
		State: RequestState(p.GetState()), Draft: p.GetDraft(), Author: p.GetUser().GetLogin(), Queued: p.AutoMerge != nil,
		Ended: p.GetClosedAt().Time,
	}
	if p.MergedAt != nil {
		m.State, m.Ended, m.MergeCommit = RequestMerged, p.GetMergedAt().Time, p.GetMergeCommitSHA()
	}
	for _, l := range p.Labels {
		m.Labels = append(m.Labels, l.GetName())
	}
	return m.valid()
}

// detail reads what lists do not have: events tell of the merge queue and of who ended it, reviews who approved.
func (g *gitHub) detail(ctx context.Context, m *MergeRequest) error {
	events, err := pages(func(page int) ([]*github.IssueEvent, int, error) {
		found, resp, err := g.client.Issues.ListIssueEvents(ctx, g.owner, g.name, m.Number, &github.ListOptions{Page: page, PerPage: 100})
		if err != nil {
			return nil, 0, err
		}
		return found, resp.NextPage, nil
	})
	if err != nil {
		return err
	}
	queued := false
	merger := ""
	for _, e := range events {
		switch e.GetEvent() {
		case "added_to_merge_queue":
			queued = true
		case "removed_from_merge_queue":
			queued = false
		case "merged":
			merger = e.GetActor().GetLogin()
		case "closed":
			m.EndedBy = e.GetActor().GetLogin()
		}
	}
	if m.State != RequestOpen {
		m.Queued = false
		if m.State == RequestMerged && merger != "" {
			m.EndedBy = merger
		}
		return nil
	}
	m.Queued, m.EndedBy = m.Queued || queued, ""
	reviews, err := pages(func(page int) ([]*github.PullRequestReview, int, error) {
		found, resp, err := g.client.PullRequests.ListReviews(ctx, g.owner, g.name, m.Number, &github.ListOptions{Page: page, PerPage: 100})
		if err != nil {
			return nil, 0, err
		}
		return found, resp.NextPage, nil
	})
	if err != nil {
		return err
	}
	approved := map[string]bool{}
	for _, r := range reviews { // the oldest first; a comment takes nothing back
		switch r.GetState() {
		case "APPROVED":
			approved[r.GetUser().GetLogin()] = true
		case "CHANGES_REQUESTED", "DISMISSED":
			delete(approved, r.GetUser().GetLogin())
		}
	}
	m.Approvals = names(approved)
	return nil
}

// names are the keys of a set, sorted; nil where there are none.
func names(set map[string]bool) []string {
	var out []string
	for name := range set {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (g *gitHub) create(ctx context.Context, d Draft) (MergeRequest, error) {
	p, _, err := g.client.PullRequests.Create(ctx, g.owner, g.name, github.CreatePullRequest{
		Title: &d.Title, Head: d.Source, Base: d.Target, Body: &d.Text,
	})
	var e *Error
	if errors.As(err, &e) && e.Status == 422 && strings.Contains(e.Message, "already exists") {
		e.Problem = Exists
	}
	if err != nil {
		return MergeRequest{}, err
	}
	return fromGitHub(p)
}

func (g *gitHub) update(ctx context.Context, number int, c Change) (MergeRequest, error) {
	change := &github.PullRequest{Title: optional(c.Title), Body: optional(c.Text)}
	if c.Target != "" {
		change.Base = &github.PullRequestBranch{Ref: &c.Target}
	}
	p, _, err := g.client.PullRequests.Edit(ctx, g.owner, g.name, number, change)
	if err != nil {
		return MergeRequest{}, err
	}
	return fromGitHub(p)
}

func (g *gitHub) close(ctx context.Context, number int) error {
	closed := "closed"
	_, _, err := g.client.PullRequests.Edit(ctx, g.owner, g.name, number, &github.PullRequest{State: &closed})
	return err
}

func (g *gitHub) comment(ctx context.Context, number int, text string) error {
	_, _, err := g.client.Issues.CreateComment(ctx, g.owner, g.name, number, github.IssueCommentRequest{Body: text})
	return err
}

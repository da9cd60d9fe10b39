package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"code.gitea.io/sdk/gitea"
	"github.com/google/go-github/v92/github"
	gitlab "gitlab.com/gitlab-org/api/client-go"
)

// Right is something that the credentials have to be allowed.
type Right struct {
	Name string // as the forge's settings call it
	For  string // what needs it
}

// String is for people.
func (r Right) String() string { return r.Name + " (to " + r.For + ")" }

// ToTell reports whether those need it who write nothing but commit statuses, and read checks.
func (r Right) ToTell() bool {
	return strings.Contains(r.For, forStatuses) || strings.Contains(r.For, forChecks) || strings.Contains(r.For, forRead)
}

// rightsAPI says which rights are missing.
type rightsAPI interface {
	missing(ctx context.Context) ([]Right, error)
}

// Rights tries what the credentials may do, and returns what they lack; none means that all is well. Forges do not say what
// a token may do, so writing is tried with requests that cannot succeed: a status on a commit that does not exist, say.
// An error means that it could not be found out.
func (c *Client) Rights(ctx context.Context) ([]Right, error) {
	var missing []Right
	err := safely(ctx, func() (err error) {
		missing, err = c.rights.missing(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("try rights at forge %q: %w", c.wire.api.Host, err)
	}
	return missing, nil
}

// nowhere is a commit that no repository has.
const nowhere = "0000000000000000000000000000000000000000"

const (
	forPush     = "push notes and branches"
	forRequests = "open, change and close merge requests"
	forStatuses = "post commit statuses"
	forChecks   = "read checks"
	forRead     = "see the repository"
)

// lacks says whether an error is that of a right. GitHub and Gitea answer 404 for what one may not know of, so where
// hidden is set that counts too. Every other refusal is the one that was asked for. What stands in the way of finding out
// is returned as it is.
func lacks(err error, hidden bool) (*Error, error) {
	var e *Error
	switch {
	case err == nil:
		return nil, nil
	case !errors.As(err, &e):
		return nil, err
	case e.Status == http.StatusUnauthorized, e.Problem == RateLimited, e.Problem == Unavailable:
		return nil, err
	case e.Problem == NotAllowed, hidden && e.Problem == NotFound:
		return e, nil
	}
	return nil, nil
}

func (g *gitHub) missing(ctx context.Context) ([]Right, error) {
	repo, _, err := g.client.Repositories.Get(ctx, g.owner, g.name)
	if e, err := lacks(err, true); err != nil {
		return nil, err
	} else if e != nil {
		return []Right{{"Metadata: read", forRead}}, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Right
	push := repo.GetPermissions().GetPush()
	if g.app != nil {
		rights, err := g.app.permissions(ctx)
		if err != nil {
			return nil, err
		}
		push = rights.GetContents() == "write"
	}
	if !push {
		out = append(out, Right{"Contents: write", forPush})
	}
	state, title := "error", "This cannot be opened"
	for _, try := range []struct {
		right  Right
		hidden bool
		do     func() error
	}{
		{Right{"Pull requests: write", forRequests}, true, func() error {
			_, _, err := g.client.PullRequests.Create(ctx, g.owner, g.name,
				github.CreatePullRequest{Title: &title, Head: "sluice/" + nowhere, Base: "sluice/" + nowhere})
			return err
		}},
		{Right{"Commit statuses: write", forStatuses}, true, func() error {
			_, _, err := g.client.Repositories.CreateStatus(ctx, g.owner, g.name, nowhere, github.RepoStatus{State: &state})
			return err
		}},
		{Right{"Checks: read", forChecks}, false, func() error {
			_, _, err := g.client.Checks.ListCheckRunsForRef(ctx, g.owner, g.name, repo.GetDefaultBranch(),
				&github.ListCheckRunsOptions{ListOptions: github.ListOptions{PerPage: 1}})
			return err
		}},
	} {
		e, err := lacks(try.do(), try.hidden)
		if err != nil {
			return nil, err
		}
		if e != nil {
			out = append(out, try.right)
		}
	}
	return out, nil
}

// missing needs no trial: GitLab says what role one has, and what a token is for.
func (g *gitLab) missing(ctx context.Context) ([]Right, error) {
	var out []Right
	project, _, err := g.client.Projects.GetProject(g.path, nil, gitlab.WithContext(ctx))
	if e, err := lacks(err, true); err != nil {
		return nil, err
	} else if e != nil {
		if e.Right == "" {
			return []Right{{"role Developer", forRead}}, nil
		}
		return []Right{{"scope api", forRequests + ", and " + forStatuses}}, nil
	}
	if err != nil {
		return nil, err
	}
	level := gitlab.NoPermissions
	if p := project.Permissions; p != nil {
		if p.ProjectAccess != nil {
			level = max(level, p.ProjectAccess.AccessLevel)
		}
		if p.GroupAccess != nil {
			level = max(level, p.GroupAccess.AccessLevel)
		}
	}
	if level < gitlab.DeveloperPermissions {
		out = append(out, Right{"role Developer", strings.Join([]string{forPush, forRequests, forStatuses}, ", ")})
	}
	token, _, err := g.client.PersonalAccessTokens.GetSinglePersonalAccessToken(gitlab.WithContext(ctx))
	e, err := lacks(err, true)
	switch {
	case err != nil && !Is(err, NotAllowed): // a token of another kind does not know of itself
		return nil, err
	case err == nil && e == nil && token != nil && !slices.Contains(token.Scopes, "api"):
		out = append(out, Right{"scope api", forRequests + ", and " + forStatuses})
	}
	return out, nil
}

// failed is nil for a 500: Gitea answers so where the right is there, but neither commit nor request is.
func failed(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusInternalServerError {
		return nil
	}
	return err
}

func (g *giteaAPI) missing(ctx context.Context) ([]Right, error) {
	client, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	repo, _, err := client.GetRepo(g.owner, g.name)
	if e, err := lacks(err, true); err != nil {
		return nil, err
	} else if e != nil {
		if e.Right == "" {
			return []Right{{"access to the repository", forRead}}, nil
		}
		return []Right{{"scope write:repository", forRead}}, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Right
	if repo.Permissions == nil || !repo.Permissions.Push {
		out = append(out, Right{"write access to the repository", forPush + ", and " + forStatuses})
	}
	_, _, err = client.CreateStatus(g.owner, g.name, nowhere, gitea.CreateStatusOption{State: gitea.StatusError})
	e, err := lacks(failed(err), false)
	if err != nil {
		return nil, err
	}
	if e != nil && (e.Right != "" || len(out) == 0) {
		out = append(out, Right{"scope write:repository", forRequests + ", and " + forStatuses})
	}
	_, _, err = client.ListIssueTimeline(g.owner, g.name, 1<<31-1, gitea.ListIssueCommentOptions{})
	if e, err = lacks(failed(err), false); err != nil {
		return nil, err
	}
	if e != nil && (e.Right != "" || len(out) == 0) {
		out = append(out, Right{"scope read:issue", "see who closed a merge request"})
	}
	return out, nil
}

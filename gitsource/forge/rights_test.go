package forge_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/gitsource/forge"
)

const (
	nowhere    = "0000000000000000000000000000000000000000"
	gitHubRepo = "https://docs.github.com/rest/repos/repos#get-a-repository"
	labSelf    = "GET /api/v4/personal_access_tokens/self"
)

func TestRights(t *testing.T) {
	hub := func(push, pulls, statuses, runs int) []answer {
		may := map[int]string{0: `{"permissions":{"push":false},"default_branch":"main"}`, 1: `{"permissions":{"push":true},"default_branch":"main"}`}[push]
		status := "https://docs.github.com/rest/commits/statuses#create-a-commit-status"
		return []answer{
			{doc: gitHubRepo, on: "GET /repos/acme/shop", body: may},
			{doc: gitHubPulls + "#create-a-pull-request", on: "POST /repos/acme/shop/pulls", status: pulls, body: `{"message":"..."}`},
			{doc: status, on: "POST /repos/acme/shop/statuses/" + nowhere, status: statuses, body: `{"message":"No commit found for SHA: 0000"}`},
			{doc: gitHubChecks, on: "GET /repos/acme/shop/commits/main/check-runs", status: runs, body: `{"check_runs":[]}`},
		}
	}
	lab := func(access, scopes string) []answer {
		return []answer{
			{doc: "https://docs.gitlab.com/api/projects/#get-a-single-project", on: "GET " + labProject, body: `{"id":5,"permissions":` + access + `}`},
			{doc: "https://docs.gitlab.com/api/personal_access_tokens/#get-self", on: labSelf, body: `{"id":1,"scopes":` + scopes + `}`},
		}
	}
	scope := func(what string) string {
		return `{"message":"token does not have at least one of required scope(s), required=[` + what + `], token scope=read:repository"}`
	}
	tea := func(push string, post, look int, postBody, lookBody string) []answer {
		return []answer{
			{doc: giteaDocs, on: "GET " + teaRepo, body: `{"id":5,"permissions":{"push":` + push + `}}`},
			{doc: giteaScopes, on: "POST " + teaRepo + "/statuses/" + nowhere, status: post, body: postBody},
			{doc: giteaScopes, on: "GET " + teaRepo + "/issues/2147483647/timeline", status: look, body: lookBody},
		}
	}
	for name, tc := range map[string]struct {
		reason  string
		kind    forge.Kind
		answers []answer
		want    []string
		err     forge.Problem
		writers []string // of these, those that who only tells does not need
	}{
		"GitHubAll":       {"what cannot succeed is refused as such", forge.GitHub, hub(1, 422, 422, 200), nil, "", nil},
		"GitHubNone":      {"classic tokens are told 404", forge.GitHub, hub(0, 404, 403, 403), []string{"Contents: write", "Pull requests: write", "Commit statuses: write", "Checks: read"}, "", []string{"Contents: write", "Pull requests: write"}},
		"GitHubNotEvenIt": {"a repository that cannot be seen", forge.GitHub, []answer{{doc: gitHubRepo, on: "GET /repos/acme/shop", status: 404, body: `{}`}}, []string{"Metadata: read"}, "", nil},
		"GitHubDown":      {"that is not known, and not said", forge.GitHub, hub(1, 422, 502, 200), nil, forge.Unavailable, nil},
		"GitHubToken":     {"a wrong token lacks no right", forge.GitHub, []answer{{doc: gitHubTrouble, on: "GET /repos/acme/shop", status: 401, body: `{}`}}, nil, forge.NotAllowed, nil},
		"GitLabAll":       {"the higher of both counts", forge.GitLab, lab(`{"project_access":{"access_level":20},"group_access":{"access_level":30}}`, `["api"]`), nil, "", nil},
		"GitLabReporter":  {"may read only", forge.GitLab, lab(`{"project_access":{"access_level":20},"group_access":null}`, `["read_api"]`), []string{"role Developer", "scope api"}, "", nil},
		"GitLabScope": {"the answer names the scope", forge.GitLab, []answer{{doc: gitLabScopes, on: "GET " + labProject, status: 403,
			body: `{"error":"insufficient_scope","error_description":"more","scope":"api read_api"}`}}, []string{"scope api"}, "", nil},
		"GitLabOtherToken": {"an OAuth token does not know of itself", forge.GitLab, append(lab(`{"project_access":{"access_level":40}}`, `[]`)[:1],
			answer{doc: gitLabScopes, on: labSelf, status: 401, body: `{"message":"401 Unauthorized"}`}), nil, "", nil},
		"GiteaAll":    {"Gitea fails over what is not there", forge.Gitea, tea("true", 500, 500, `{"message":""}`, `{"message":""}`), nil, "", nil},
		"GiteaScopes": {"each is named", forge.Gitea, tea("true", 403, 403, scope("write:repository"), scope("read:issue")), []string{"scope write:repository", "scope read:issue"}, "", []string{"scope read:issue"}},
		"GiteaReader": {"one right, not the same thing thrice", forge.Gitea, tea("false", 403, 404, `{"message":"user should have a permission to write to a repo"}`, `{}`), []string{"write access to the repository"}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, tc.answers...)
			missing, err := open(t, tc.kind, srv.url).Rights(t.Context())
			if tc.err != "" {
				problem(t, err, tc.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got, writers []string
			for _, r := range missing {
				if got = append(got, r.Name); !r.ToTell() {
					writers = append(writers, r.Name)
				}
				if r.For == "" {
					t.Errorf("right %q is for nothing", r.Name)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: %s", tc.reason, diff)
			}
			if diff := cmp.Diff(tc.writers, writers); diff != "" {
				t.Errorf("not needed to tell: %s", diff)
			}
		})
	}
}

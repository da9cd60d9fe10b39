package forge_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/gitsource/forge"
)

const (
	teaRepo = "/api/v1/repos/acme/shop"
	teaList = "GET " + teaRepo + "/commits/" + revision + "/statuses"
	teaPost = "POST " + teaRepo + "/statuses/" + revision
	teaPull = "GET " + teaRepo + "/pulls"

	giteaStatuses = giteaDocs + "#tag/repository/operation/repoListStatuses"
	giteaPulls    = giteaDocs + "#tag/repository/operation/repoListPullRequests"
	giteaTimeline = giteaDocs + "#tag/issue/operation/issueGetCommentsAndTimeline"
	giteaReviews  = giteaDocs + "#tag/repository/operation/repoListPullReviews"
)

func TestGiteaStatus(t *testing.T) {
	srv := serve(t,
		answer{doc: giteaStatuses, on: teaList + "?page=1", header: map[string]string{"Link": `<{url}/x?page=2&limit=50>; rel="next",<{url}/x?page=2>; rel="last"`},
			body: `[{"id":4,"status":"pending","context":"sluice/shop/staging","description":"new"},{"id":3,"status":"warning","context":"ci/test"},
				{"id":5,"status":"skipped","context":"ci/docs"}]`},
		answer{doc: giteaStatuses, on: teaList + "?page=2",
			body: `[{"id":2,"status":"success","context":"sluice/shop/staging","description":"old"},{"id":1,"status":"success","context":"ci/test"}]`},
		answer{doc: giteaDocs + "#tag/repository/operation/repoCreateStatus", on: teaPost, status: 201, body: `{"id":6,"status":"success"}`})
	for _, kind := range []forge.Kind{forge.Gitea, forge.Forgejo} {
		client := open(t, kind, srv.url)
		checks, err := client.Checks(t.Context(), revision)
		if diff := cmp.Diff(map[string]forge.State{"ci/test": forge.StateFailure, "ci/docs": forge.StateSuccess}, checks); diff != "" || err != nil {
			t.Error(diff, err)
		}
		before := len(srv.requests(teaPost))
		for _, s := range []forge.Status{
			{Context: "sluice/shop/staging", State: forge.StatePending, Description: "new"},
			{Context: "sluice/shop/staging", State: forge.StateSuccess, Description: "healthy", TargetURL: "http://sluice.example.org/"},
			{Context: "sluice/shop/staging", State: forge.StateSuccess, Description: "healthy", TargetURL: "http://sluice.example.org/"},
		} {
			if err := client.SetStatus(t.Context(), revision, s); err != nil {
				t.Fatal(err)
			}
		}
		posted := srv.requests(teaPost)[before:]
		want := map[string]any{
			"state": "success", "context": "sluice/shop/staging", "description": "healthy", "target_url": "http://sluice.example.org/",
		}
		if len(posted) != 1 || cmp.Diff(want, posted[0].body) != "" {
			t.Errorf("posted %v, want %v once", posted, want)
		}
	}
}

func teaRequest(number int, branch string, repo int, more string) string {
	return fmt.Sprintf(`{"id":1%d,"number":%[1]d,"html_url":"https://git.example.org/acme/shop/pulls/%[1]d","title":"Promote","body":"Why",
		"user":{"login":"sluice"},"head":{"label":%[2]q,"ref":%[2]q,"sha":"aaa","repo_id":%[3]d},
		"base":{"label":"main","ref":"main","repo_id":5},"labels":[{"name":"z"},{"name":"a"}],%[4]s}`, number, branch, repo, more)
}

func TestGiteaFind(t *testing.T) {
	next := map[string]string{"Link": `<{url}/x?page=2>; rel="next"`}
	deleted := strings.Replace(teaRequest(6, "b", 5, `"state":"closed","merged":false,"closed_at":"2026-11-19T10:00:00Z"`),
		`"ref":"b"`, `"ref":"refs/pull/6/head"`, 1)
	srv := serve(t,
		answer{doc: giteaPulls, on: teaPull + "?state=open&page=1", header: next, body: "[" + teaRequest(10, "other", 5, `"state":"open"`) + "," +
			teaRequest(9, "b", 7, `"state":"open"`) + "]"},
		answer{doc: giteaPulls, on: teaPull + "?state=open&page=2", body: "[" + teaRequest(8, "b", 5, `"state":"open","merged":false,"closed_at":null`) + "]"},
		answer{doc: giteaPulls, on: teaPull + "?state=closed&page=1", header: next, body: "[" + deleted + "]"},
		answer{doc: giteaTimeline, on: "GET " + teaRepo + "/issues/8/timeline?page=1", header: next,
			body: `[{"type":"pull_scheduled_merge","user":{"login":"ann"}},{"type":"pull_cancel_scheduled_merge"},{"type":"comment","body":"hello"},
				{"type":"label","user":{"login":"ann"},"body":"1","label":{"id":3,"name":"sluice/hold"}}]`},
		answer{doc: giteaTimeline, on: "GET " + teaRepo + "/issues/8/timeline?page=2", body: `[{"type":"pull_scheduled_merge"}]`},
		answer{doc: giteaReviews, on: "GET " + teaRepo + "/pulls/8/reviews", body: `[
			{"user":{"login":"ann"},"state":"REQUEST_CHANGES"},{"user":{"login":"ann"},"state":"APPROVED","stale":true},
			{"user":{"login":"bob"},"state":"APPROVED","dismissed":true},{"user":{"login":"cy"},"state":"APPROVED"},
			{"user":{"login":"cy"},"state":"REQUEST_CHANGES"},{"user":{"login":"dee"},"state":"COMMENT"}]`},
		answer{doc: giteaTimeline, on: "GET " + teaRepo + "/issues/6/timeline", body: `[{"type":"close","user":{"login":"eve"}},{"type":"delete_branch"}]`})
	got, err := open(t, forge.Gitea, srv.url).Find(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	open := forge.MergeRequest{
		Number: 8, URL: "https://git.example.org/acme/shop/pulls/8", Title: "Promote", Text: "Why", Source: "b", Target: "main", Head: "aaa",
		State: forge.RequestOpen, Author: "sluice", Labels: []string{"a", "z"}, Approvals: []string{"ann"}, Queued: true,
	}
	last := open
	last.Number, last.URL, last.State = 6, "https://git.example.org/acme/shop/pulls/6", forge.RequestClosed
	last.Approvals, last.Queued = nil, false
	last.EndedBy, last.Ended = "eve", time.Date(2026, 11, 19, 10, 0, 0, 0, time.UTC)
	if diff := cmp.Diff(forge.Requests{Open: []forge.MergeRequest{open}, Last: last}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGiteaMerged(t *testing.T) {
	srv := serve(t,
		answer{doc: giteaPulls, on: teaPull + "?state=open", body: `[]`},
		answer{doc: giteaPulls, on: teaPull + "?state=closed", body: "[" + teaRequest(6, "b", 5,
			`"state":"closed","merged":true,"merged_at":"2026-11-19T10:00:00Z","closed_at":"2026-11-19T10:00:01Z","merged_by":{"login":"ann"},"merge_commit_sha":"bbb"`) + "]"},
		answer{doc: giteaTimeline, on: "GET " + teaRepo + "/issues/6/timeline", body: `[{"type":"merge_pull","user":{"login":"ann"}}]`})
	got, err := open(t, forge.Forgejo, srv.url).Find(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if m := got.Last; m.State != forge.RequestMerged || m.EndedBy != "ann" || m.MergeCommit != "bbb" || m.Ended.Second() != 0 {
		t.Errorf("Last = %+v", m)
	}
}

func TestGiteaRequest(t *testing.T) {
	made := teaRequest(8, "b", 5, `"state":"open"`)
	const op = giteaDocs + "#tag/repository/operation/"
	srv := serve(t,
		answer{doc: op + "repoCreatePullRequest", on: "POST " + teaRepo + "/pulls", status: 201, body: made, times: 1},
		answer{doc: op + "repoCreatePullRequest", on: "POST " + teaRepo + "/pulls", status: 409,
			body: `{"message":"pull request already exists for these targets [id: 1, issue_id: 8, head_branch: b, base_branch: main]"}`},
		answer{doc: op + "repoEditPullRequest", on: "PATCH " + teaRepo + "/pulls/8", status: 201, body: made},
		answer{doc: giteaDocs + "#tag/issue/operation/issueCreateComment", on: "POST " + teaRepo + "/issues/8/comments", status: 201, body: `{"id":1}`})
	client := open(t, forge.Gitea, srv.url)
	draft := forge.Draft{Source: "b", Target: "main", Title: "Promote", Text: "Why"}
	m, err := client.Create(t.Context(), draft)
	if err != nil || m.Number != 8 {
		t.Fatal(m, err)
	}
	_, err = client.Create(t.Context(), draft)
	problem(t, err, forge.Exists)
	if _, err := client.Update(t.Context(), m, forge.Change{Text: "New"}); err != nil {
		t.Error(err)
	}
	if err := client.Close(t.Context(), 8, "superseded"); err != nil {
		t.Error(err)
	}
	var got []string
	for _, r := range srv.requests("") {
		got = append(got, fmt.Sprintf("%.4s %v|%v|%v|%v", r.what, r.body["title"], r.body["body"], r.body["state"], r.body["labels"]))
	}
	want := []string{
		"POST Promote|Why|<nil>|<nil>", "POST Promote|Why|<nil>|<nil>", "PATC |New|<nil>|<nil>", "PATC |<nil>|closed|<nil>",
		"POST <nil>|superseded|<nil>|<nil>",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

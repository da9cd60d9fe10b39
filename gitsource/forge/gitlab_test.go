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
	gitLabStatuses  = "https://docs.gitlab.com/api/commits/#list-commit-statuses"
	gitLabPost      = "https://docs.gitlab.com/api/commits/#set-commit-pipeline-status"
	gitLabRequests  = "https://docs.gitlab.com/api/merge_requests/"
	gitLabApprovals = "https://docs.gitlab.com/api/merge_request_approvals/"
	gitLabNotes     = "https://docs.gitlab.com/api/notes/#create-new-merge-request-note"
	// The documentation has no word of it; the issue has the words of the answer.
	gitLabEqual = "https://gitlab.com/gitlab-org/gitlab-foss/-/issues/25807"

	labProject = "/api/v4/projects/acme%2Fshop"
	labList    = "GET " + labProject + "/repository/commits/" + revision + "/statuses"
	labPost    = "POST " + labProject + "/statuses/" + revision
)

func yes(c *forge.Config) { y := true; c.Pending = &y }

func TestGitLabStatus(t *testing.T) {
	srv := serve(t,
		answer{doc: gitLabStatuses, on: labList + "?page=1&per_page=100", header: map[string]string{"X-Next-Page": "2"},
			body: `[{"id":1,"name":"test","status":"success"},{"id":5,"name":"sluice/shop/staging","status":"failed","description":"old"}]`},
		answer{doc: gitLabStatuses, on: labList + "?page=2", header: map[string]string{"X-Next-Page": ""},
			body: `[{"id":9,"name":"sluice/shop/staging","status":"success","description":"healthy","target_url":null}]`},
		answer{doc: gitLabPost, on: labPost, status: 201, body: `{"id":10,"status":"failed","name":"sluice/shop/staging"}`})
	client := open(t, forge.GitLab, srv.url)
	for _, s := range []forge.Status{
		{Context: "sluice/shop/staging", State: forge.StatePending, Description: "final states only"},
		{Context: "sluice/shop/staging", State: forge.StateSuccess, Description: "healthy"},
		{Context: "sluice/shop/staging", State: forge.StateError, Description: "lost", TargetURL: "https://sluice.example.org/" + strings.Repeat("x", 250)},
		{Context: "sluice/shop/staging", State: forge.StateFailure, Description: "lost"},
	} {
		if err := client.SetStatus(t.Context(), revision, s); err != nil {
			t.Fatal(err)
		}
	}
	posted := srv.requests(labPost)
	if len(posted) != 1 {
		t.Fatalf("%d posts, want one", len(posted))
	}
	want := map[string]any{"state": "failed", "name": "sluice/shop/staging", "description": "lost"}
	if diff := cmp.Diff(want, posted[0].body); diff != "" {
		t.Error(diff)
	}
}

// TestGitLabEqualStatus: GitLab refuses to make pending what is pending, which is no error; every other 400 is.
func TestGitLabEqualStatus(t *testing.T) {
	refusal := func(event, from string) string {
		return fmt.Sprintf(`{"message":"Cannot transition status via :%s from :%s (Reason(s): Status cannot transition via \"%[1]s\")"}`, event, from)
	}
	for name, tc := range map[string]struct {
		body string
		ok   bool
	}{
		"Equal":        {refusal("enqueue", "pending"), true},
		"Running":      {refusal("enqueue", "running"), false},
		"SomethngElse": {`{"message":{"name":["is too long (maximum is 255 characters)"]}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, answer{doc: gitLabStatuses, on: labList, body: `[]`},
				answer{doc: gitLabEqual, on: labPost, status: 400, body: tc.body})
			client := open(t, forge.GitLab, srv.url, yes)
			s := forge.Status{Context: "sluice/shop/staging", State: forge.StatePending}
			for range 2 {
				if err := client.SetStatus(t.Context(), revision, s); tc.ok && err != nil {
					t.Error(err)
				} else if !tc.ok {
					problem(t, err, forge.Refused)
				}
			}
			if n := len(srv.requests(labPost)); tc.ok && n != 1 {
				t.Errorf("what is known was posted %d times", n)
			}
		})
	}
}

func TestGitLabChecks(t *testing.T) {
	srv := serve(t, answer{doc: gitLabStatuses, on: labList, body: `[
		{"id":3,"name":"test","status":"failed","pipeline_id":1},{"id":7,"name":"test","status":"success","pipeline_id":2},
		{"id":4,"name":"lint","status":"running"},{"id":5,"name":"deploy","status":"manual"},{"id":6,"name":"e2e","status":"skipped"},
		{"id":8,"name":"gone","status":"canceled"},{"id":9,"name":"sluice/shop/staging","status":"success"}]`})
	got, err := open(t, forge.GitLab, srv.url).Checks(t.Context(), revision)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]forge.State{
		"test": forge.StateSuccess, "lint": forge.StatePending, "deploy": forge.StatePending, "e2e": forge.StateFailure,
		"gone": forge.StateFailure,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func labRequest(iid int, more string) string {
	return fmt.Sprintf(`{"id":1%d,"iid":%[1]d,"title":"Promote","description":"Why","source_branch":"b","target_branch":"main","sha":"aaa",
		"source_project_id":5,"target_project_id":5,"web_url":"https://gitlab.com/acme/shop/-/merge_requests/%[1]d",
		"author":{"username":"project_5_bot"},"labels":["sluice/hold","a"],%s}`, iid, more)
}

func TestGitLabFind(t *testing.T) {
	on := "GET " + labProject + "/merge_requests?state=all&source_branch=b"
	fork := strings.Replace(labRequest(12, `"state":"opened"`), `"source_project_id":5`, `"source_project_id":6`, 1)
	srv := serve(t,
		answer{doc: gitLabRequests + "#list-project-merge-requests", on: on + "&page=1", header: map[string]string{"X-Next-Page": "2"}, body: "[" + fork + "," +
			labRequest(11, `"state":"opened","draft":true,"merge_when_pipeline_succeeds":true`) + "]"},
		answer{doc: gitLabRequests + "#list-project-merge-requests", on: on + "&page=2", body: "[" +
			labRequest(9, `"state":"merged","merge_user":{"username":"ann"},"merged_at":"2026-11-20T10:00:00Z","merge_commit_sha":null`) + "," +
			labRequest(8, `"state":"closed","closed_by":{"username":"bob"},"closed_at":"2026-11-19T10:00:00Z"`) + "]"},
		answer{doc: gitLabApprovals, on: "GET " + labProject + "/merge_requests/11/approvals",
			body: `{"iid":11,"approved":true,"approved_by":[{"user":{"username":"cy"}},{"user":{"username":"ann"}}]}`})
	got, err := open(t, forge.GitLab, srv.url).Find(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	open := forge.MergeRequest{
		Number: 11, URL: "https://gitlab.com/acme/shop/-/merge_requests/11", Title: "Promote", Text: "Why", Source: "b", Target: "main",
		Head: "aaa", State: forge.RequestOpen, Draft: true, Author: "project_5_bot", Labels: []string{"a", "sluice/hold"},
		Approvals: []string{"ann", "cy"}, Queued: true,
	}
	last := open
	last.Number, last.URL, last.State = 9, "https://gitlab.com/acme/shop/-/merge_requests/9", forge.RequestMerged
	last.Draft, last.Approvals, last.Queued = false, nil, false
	last.EndedBy, last.Ended, last.MergeCommit = "ann", time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC), "aaa"
	if diff := cmp.Diff(forge.Requests{Open: []forge.MergeRequest{open}, Last: last}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGitLabClosedAndLocked(t *testing.T) {
	srv := serve(t,
		answer{doc: gitLabRequests + "#list-project-merge-requests", on: "GET " + labProject + "/merge_requests", body: "[" +
			labRequest(8, `"state":"closed","closed_by":{"username":"bob"},"closed_at":"2026-11-19T10:00:00Z"`) + "," +
			labRequest(7, `"state":"locked"`) + "]"},
		answer{doc: gitLabApprovals, on: "GET " + labProject + "/merge_requests/7/approvals", body: `{"approved_by":[]}`})
	got, err := open(t, forge.GitLab, srv.url).Find(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	if got.Last.State != forge.RequestClosed || got.Last.EndedBy != "bob" || got.Last.Ended.Day() != 19 {
		t.Errorf("Last = %+v", got.Last)
	}
	if len(got.Open) != 1 || !got.Open[0].Queued {
		t.Errorf("Open = %+v, want the one that is being merged", got.Open)
	}
}

func TestGitLabRequest(t *testing.T) {
	create, edit := "POST "+labProject+"/merge_requests", "PUT "+labProject+"/merge_requests/11"
	note := "POST " + labProject + "/merge_requests/11/notes"
	made := labRequest(11, `"state":"opened"`)
	srv := serve(t,
		answer{doc: gitLabRequests + "#create-mr", on: create, status: 201, body: made, times: 1},
		answer{doc: gitLabRequests + "#create-mr", on: create, status: 409, body: `{"message":["Another open merge request already exists for this source branch: !11"]}`},
		answer{doc: gitLabRequests + "#update-mr", on: edit, body: made},
		answer{doc: gitLabNotes, on: note, status: 201, body: `{"id":1,"body":"superseded"}`})
	client := open(t, forge.GitLab, srv.url)
	draft := forge.Draft{Source: "b", Target: "main", Title: strings.Repeat("t", 300), Text: "Why"}
	m, err := client.Create(t.Context(), draft)
	if err != nil || m.Number != 11 {
		t.Fatal(m, err)
	}
	_, err = client.Create(t.Context(), draft)
	if e := trouble(t, err, forge.Exists); e.Message != "Another open merge request already exists for this source branch: !11" {
		t.Errorf("error = %v", err)
	}
	if _, err := client.Update(t.Context(), m, forge.Change{Text: "New", Target: "release"}); err != nil {
		t.Error(err)
	}
	if err := client.Close(t.Context(), 11, "superseded"); err != nil {
		t.Error(err)
	}
	var got []map[string]any
	for _, r := range srv.requests("") {
		got = append(got, r.body)
	}
	title := strings.Repeat("t", 254) + "…"
	created := map[string]any{"title": title, "description": "Why", "source_branch": "b", "target_branch": "main"}
	want := []map[string]any{
		created, created, {"description": "New", "target_branch": "release"}, {"state_event": "close"}, {"body": "superseded"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPushOptions(t *testing.T) {
	got := forge.PushOptions(forge.Draft{
		Source: "b", Target: "main", Title: "Promote \n shop", Text: "One\r\ntwo\n\n\tthree\x00\x1b[31m " + strings.Repeat("ü", 20000),
	})
	want := []string{
		"merge_request.create", "merge_request.target=main", "merge_request.title=Promote shop",
		`merge_request.description=One\ntwo\n\n three[31m ` + strings.Repeat("ü", 14976) + "…",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, o := range forge.PushOptions(forge.Draft{Text: strings.Repeat("\n𝄞", 40000)}) {
		if len(o) > 65516 || strings.ContainsAny(o, "\n\x00") {
			t.Errorf("an option of %d bytes does not fit a line", len(o))
		}
	}
}

package forge_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
)

const (
	gitHubStatuses = "https://docs.github.com/rest/commits/statuses"
	gitHubChecks   = "https://docs.github.com/rest/checks/runs#list-check-runs-for-a-git-reference"
	gitHubPulls    = "https://docs.github.com/rest/pulls/pulls"
	gitHubReviews  = "https://docs.github.com/rest/pulls/reviews#list-reviews-for-a-pull-request"
	gitHubEvents   = "https://docs.github.com/rest/using-the-rest-api/issue-event-types"
	gitHubComments = "https://docs.github.com/rest/issues/comments#create-an-issue-comment"
	gitHubApps     = "https://docs.github.com/rest/apps/apps"

	hubCombined = "GET /repos/acme/shop/commits/" + revision + "/status"
	hubRuns     = "GET /repos/acme/shop/commits/" + revision + "/check-runs"
	hubPost     = "POST /repos/acme/shop/statuses/" + revision
)

func TestGitHubStatus(t *testing.T) {
	clock := newClock()
	srv := serve(t,
		answer{doc: gitHubStatuses + "#get-the-combined-status-for-a-specific-reference", on: hubCombined + "?page=1",
			header: map[string]string{"Link": `<{url}/repositories/1/commits/x/status?page=2&per_page=100>; rel="next", <{url}/x?page=2>; rel="last"`},
			body:   `{"state":"success","statuses":[{"state":"success","context":"ci/test","description":"ok","target_url":null}],"total_count":2}`},
		answer{doc: gitHubStatuses + "#get-the-combined-status-for-a-specific-reference", on: hubCombined + "?page=2",
			body: `{"state":"success","statuses":[{"state":"pending","context":"sluice/shop/staging","description":"waiting","target_url":"https://sluice.example.org/"}]}`},
		answer{doc: gitHubStatuses + "#create-a-commit-status", on: hubPost, status: 201, body: `{"id":1,"state":"success"}`})
	client := open(t, forge.GitHub, srv.url, at(clock))
	set := func(s forge.Status) {
		t.Helper()
		if err := client.SetStatus(t.Context(), revision, s); err != nil {
			t.Fatal(err)
		}
	}
	set(forge.Status{Context: "sluice/shop/staging", State: forge.StatePending, Description: "waiting", TargetURL: "https://sluice.example.org/"})
	if n := len(srv.requests(hubPost)); n != 0 {
		t.Errorf("what the forge says already was posted")
	}
	long := forge.Status{Context: "sluice/shop/staging", State: forge.StateFailure, Description: strings.Repeat("ü ", 200), TargetURL: "javascript:alert(1)"}
	set(long)
	set(long)
	posted := srv.requests(hubPost)
	if len(posted) != 1 {
		t.Fatalf("%d posts, want one", len(posted))
	}
	text := []rune(posted[0].body["description"].(string))
	if len(text) != 140 || text[139] != '…' || posted[0].body["state"] != "failure" || posted[0].body["context"] != "sluice/shop/staging" {
		t.Errorf("posted %v, %d characters", posted[0].body, len(text))
	}
	if _, ok := posted[0].body["target_url"]; ok {
		t.Errorf("a link was posted that is none: %v", posted[0].body)
	}
	set(forge.Status{Context: "sluice/shop/production", State: forge.StatePending})
	if n := len(srv.requests(hubCombined)); n != 2 {
		t.Errorf("the commit's statuses were read in %d requests, want 2", n)
	}
	clock.Add(2 * time.Hour) // somebody may have written over it
	set(long)
	if n := len(srv.requests(hubCombined)); n != 4 {
		t.Errorf("statuses of two hours ago were trusted")
	}
	for _, bad := range []forge.Status{
		{Context: "ci/test", State: forge.StateSuccess}, {Context: "sluice/", State: forge.StateSuccess}, {Context: "sluice/a/b"},
	} {
		problem(t, client.SetStatus(t.Context(), revision, bad), forge.Refused)
	}
	problem(t, client.SetStatus(t.Context(), "main", long), forge.Refused)
}

// TestGitHubStatusUnread: without the right to read, it is posted all the same.
func TestGitHubStatusUnread(t *testing.T) {
	srv := serve(t,
		answer{doc: gitHubTrouble, on: hubCombined, status: 403, body: `{"message":"Resource not accessible by integration"}`},
		answer{doc: gitHubStatuses + "#create-a-commit-status", on: hubPost, status: 422,
			body: `{"message":"Validation Failed","errors":[{"resource":"Status","code":"custom","message":"This SHA and context has reached the maximum number of statuses."}]}`})
	err := open(t, forge.GitHub, srv.url).SetStatus(t.Context(), revision, forge.Status{Context: "sluice/a/b", State: forge.StateSuccess})
	e := trouble(t, err, forge.Refused)
	want := `set status "sluice/a/b" of 4f1c0c2e5d5f: refused (422): POST /repos/acme/shop/statuses/` + revision +
		`: Validation Failed: This SHA and context has reached the maximum number of statuses.`
	if err.Error() != want || e.Status != 422 {
		t.Errorf("error = %v\nwant    %s", err, want)
	}
}

func TestGitHubChecks(t *testing.T) {
	srv := serve(t,
		answer{doc: gitHubStatuses, on: hubCombined, body: `{"statuses":[
			{"state":"success","context":"ci/test"},{"state":"error","context":"ci/lint"},{"state":"success","context":"both"},
			{"state":"success","context":"sluice/shop/staging"}]}`},
		answer{doc: gitHubChecks, on: hubRuns + "?page=1&filter=latest",
			header: map[string]string{"Link": `<{url}/x?page=2>; rel="next"`},
			body: `{"total_count":6,"check_runs":[{"name":"build","status":"completed","conclusion":"success"},
				{"name":"skipped","status":"completed","conclusion":"skipped"},{"name":"both","status":"completed","conclusion":"timed_out"}]}`},
		answer{doc: gitHubChecks, on: hubRuns + "?page=2", body: `{"total_count":6,"check_runs":[
			{"name":"build","status":"in_progress","conclusion":null},{"name":"sluice/evil","status":"completed","conclusion":"success"},
			{"name":"odd","status":"completed","conclusion":"something new"}]}`})
	client := open(t, forge.GitHub, srv.url)
	got, err := client.Checks(t.Context(), revision)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]forge.State{
		"ci/test": forge.StateSuccess, "ci/lint": forge.StateError, "both": forge.StateFailure, "build": forge.StatePending,
		"skipped": forge.StateSuccess, "odd": forge.StateFailure,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got, err = client.Checks(t.Context(), revision, "ci/test", "absent", "sluice/shop/staging")
	if diff := cmp.Diff(map[string]forge.State{"ci/test": forge.StateSuccess}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// hubPull is a pull request as GitHub's lists have it.
func hubPull(number int, repo, more string) string {
	return fmt.Sprintf(`{"number":%d,"html_url":"https://github.com/acme/shop/pull/%[1]d","title":"Promote","body":"Why",
		"user":{"login":"sluice[bot]"},"head":{"ref":"sluice/promote/shop/production","sha":"aaa","repo":{"full_name":%q}},
		"base":{"ref":"main","repo":{"full_name":"Acme/shop"}},%s}`, number, repo, more)
}

func TestGitHubFind(t *testing.T) {
	list := "[" + strings.Join([]string{
		hubPull(9, "fork/shop", `"state":"open","labels":[]`),
		hubPull(8, "acme/shop", `"state":"open","draft":true,"labels":[{"name":"sluice/hold"},{"name":"a"}],"auto_merge":null`),
		hubPull(7, "acme/shop", `"state":"closed","closed_at":"2026-11-20T10:00:00Z","merged_at":null,"labels":[]`),
		hubPull(6, "acme/shop", `"state":"closed","closed_at":"2026-11-19T10:00:00Z","merged_at":"2026-11-19T10:00:00Z","merge_commit_sha":"bbb"`),
	}, ",") + "]"
	srv := serve(t,
		answer{doc: gitHubPulls + "#list-pull-requests", body: list,
			on: "GET /repos/acme/shop/pulls?state=all&head=acme:sluice/promote/shop/production"},
		answer{doc: gitHubEvents, on: "GET /repos/acme/shop/issues/8/events?page=1", header: map[string]string{"Link": `<{url}/x?page=2>; rel="next"`},
			body: `[{"event":"added_to_merge_queue"},{"event":"removed_from_merge_queue"},{"event":"closed","actor":{"login":"eve"}},{"event":"reopened"}]`},
		answer{doc: gitHubEvents, on: "GET /repos/acme/shop/issues/8/events?page=2", body: `[{"event":"added_to_merge_queue","actor":{"login":"ann"}}]`},
		answer{doc: gitHubReviews, on: "GET /repos/acme/shop/pulls/8/reviews", body: `[
			{"user":{"login":"ann"},"state":"CHANGES_REQUESTED"},{"user":{"login":"ann"},"state":"APPROVED"},{"user":{"login":"ann"},"state":"COMMENTED"},
			{"user":{"login":"bob"},"state":"APPROVED"},{"user":{"login":"bob"},"state":"CHANGES_REQUESTED"},{"user":{"login":"cy"},"state":"DISMISSED"}]`},
		answer{doc: gitHubEvents, on: "GET /repos/acme/shop/issues/7/events", body: `[{"event":"closed","actor":{"login":"ann"}}]`})
	got, err := open(t, forge.GitHub, srv.url).Find(t.Context(), "sluice/promote/shop/production")
	if err != nil {
		t.Fatal(err)
	}
	open := forge.MergeRequest{
		Number: 8, URL: "https://github.com/acme/shop/pull/8", Title: "Promote", Text: "Why", Source: "sluice/promote/shop/production",
		Target: "main", Head: "aaa", State: forge.RequestOpen, Draft: true, Author: "sluice[bot]", Labels: []string{"a", "sluice/hold"},
		Approvals: []string{"ann"}, Queued: true,
	}
	last := open
	last.Number, last.URL, last.State, last.Draft = 7, "https://github.com/acme/shop/pull/7", forge.RequestClosed, false
	last.Labels, last.Approvals, last.Queued = nil, nil, false
	last.EndedBy, last.Ended = "ann", time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	if diff := cmp.Diff(forge.Requests{Open: []forge.MergeRequest{open}, Last: last}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGitHubMerged(t *testing.T) {
	srv := serve(t,
		answer{doc: gitHubPulls + "#list-pull-requests", on: "GET /repos/acme/shop/pulls", body: "[" +
			hubPull(6, "acme/shop", `"state":"closed","closed_at":"2026-11-19T10:00:00Z","merged_at":"2026-11-19T09:00:00Z","merge_commit_sha":"bbb"`) + "]"},
		answer{doc: gitHubEvents, on: "GET /repos/acme/shop/issues/6/events",
			body: `[{"event":"merged","actor":{"login":"ann"}},{"event":"closed","actor":{"login":"github-merge-queue[bot]"}}]`})
	got, err := open(t, forge.GitHub, srv.url).Find(t.Context(), "sluice/promote/shop/production")
	if err != nil {
		t.Fatal(err)
	}
	if m := got.Last; m.State != forge.RequestMerged || m.EndedBy != "ann" || m.MergeCommit != "bbb" || m.Ended.Hour() != 9 || got.Open != nil {
		t.Errorf("Find = %+v", got)
	}
}

func TestGitHubRequest(t *testing.T) {
	made := hubPull(8, "acme/shop", `"state":"open"`)
	srv := serve(t,
		answer{doc: gitHubPulls + "#create-a-pull-request", on: "POST /repos/acme/shop/pulls", status: 201, body: made, times: 1},
		answer{doc: gitHubPulls + "#create-a-pull-request", on: "POST /repos/acme/shop/pulls", status: 422, times: 1, body: `{"message":"Validation Failed",
			"errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for acme:sluice/promote/shop/production."}]}`},
		answer{doc: gitHubPulls + "#create-a-pull-request", on: "POST /repos/acme/shop/pulls", status: 422, body: `{"message":"Validation Failed",
			"errors":[{"resource":"PullRequest","code":"custom","message":"No commits between main and x"}]}`},
		answer{doc: gitHubPulls + "#update-a-pull-request", on: "PATCH /repos/acme/shop/pulls/8", body: made},
		answer{doc: gitHubComments, on: "POST /repos/acme/shop/issues/8/comments", status: 201, body: `{"id":1}`})
	client := open(t, forge.GitHub, srv.url)
	draft := forge.Draft{Source: "sluice/promote/shop/production", Target: "main", Title: "Promote\nshop", Text: strings.Repeat("x", 70000)}
	m, err := client.Create(t.Context(), draft)
	if err != nil || m.Number != 8 {
		t.Fatal(m, err)
	}
	sent := srv.requests("POST /repos/acme/shop/pulls")[0].body
	if sent["title"] != "Promote shop" || len([]rune(sent["body"].(string))) != 65536 || sent["head"] != draft.Source || sent["base"] != "main" {
		t.Errorf("created with title %q, head %q", sent["title"], sent["head"])
	}
	_, err = client.Create(t.Context(), draft)
	problem(t, err, forge.Exists)
	_, err = client.Create(t.Context(), draft)
	problem(t, err, forge.Refused)
	_, err = client.Create(t.Context(), forge.Draft{Source: "x"})
	problem(t, err, forge.Refused)

	m.Approvals, m.Queued = []string{"ann"}, true
	if _, err := client.Update(t.Context(), m, forge.Change{Title: "Promote", Text: "Why\r\n", Target: "main"}); err != nil {
		t.Fatal(err)
	}
	if n := len(srv.requests("PATCH /repos/acme/shop/pulls/8")); n != 0 {
		t.Errorf("an update that changes nothing was sent")
	}
	now, err := client.Update(t.Context(), m, forge.Change{Title: "Promote", Text: "New", Target: "release"})
	if err != nil || !now.Queued || len(now.Approvals) != 1 {
		t.Error(now, err)
	}
	if err := client.Close(t.Context(), 8, "superseded"); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{"body": "New", "base": "release"}, {"state": "closed"}}
	var got []map[string]any
	for _, r := range srv.requests("PATCH /repos/acme/shop/pulls/8") {
		got = append(got, r.body)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r := srv.requests("POST /repos/acme/shop/issues/8/comments"); len(r) != 1 || r[0].body["body"] != "superseded" {
		t.Errorf("comments = %v", r)
	}
}

func appKey(t *testing.T, eight bool) (*rsa.PrivateKey, gitsource.Secret) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	if eight {
		raw, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		block = &pem.Block{Type: "PRIVATE KEY", Bytes: raw}
	}
	return key, gitsource.NewSecret(string(pem.EncodeToMemory(block)))
}

// TestGitHubApp: a token is made once for all clients of the installation, and renewed before its hour is over or when
// it was revoked.
func TestGitHubApp(t *testing.T) {
	clock := newClock()
	key, secret := appKey(t, false)
	expires := func(in time.Duration) string { return clock.Now().Add(in).Format(time.RFC3339) }
	mint := "POST /app/installations/99/access_tokens"
	made := func(token, expires string) answer {
		return answer{doc: gitHubApps + "#create-an-installation-access-token-for-an-app", on: mint, status: 201, times: 1,
			body: fmt.Sprintf(`{"token":%q,"expires_at":%q,"permissions":{"contents":"write"}}`, token, expires)}
	}
	comment := kinds[forge.GitHub]
	srv := serve(t,
		answer{doc: gitHubApps + "#get-a-repository-installation-for-the-authenticated-app", on: "GET /repos/acme/shop/installation", body: `{"id":99}`},
		made("first", expires(time.Hour)), made("second", expires(2*time.Hour)), made("third", expires(3*time.Hour)),
		answer{doc: gitHubComments, on: comment, status: 201, body: `{"id":1}`, times: 3},
		answer{doc: gitHubTrouble, on: comment, status: 401, body: `{"message":"Bad credentials"}`, times: 1},
		answer{doc: gitHubComments, on: comment, status: 201, body: `{"id":1}`})
	app, err := forge.NewApp(4711, 0, secret)
	if err != nil {
		t.Fatal(err)
	}
	with := func(c *forge.Config) { c.App, c.Now = app, clock.Now }
	one, other := open(t, forge.GitHub, srv.url, with), open(t, forge.GitHub, srv.url, with)
	say := func(client *forge.Client, want forge.Problem) {
		t.Helper()
		if err := client.Comment(t.Context(), 7, "x"); want == "" && err != nil {
			t.Fatal(err)
		} else if want != "" {
			problem(t, err, want)
		}
	}
	say(one, "")
	say(other, "")
	clock.Add(56 * time.Minute)
	say(one, "")
	say(one, forge.NotAllowed) // revoked
	say(other, "")
	var shown []string
	for _, r := range srv.requests(comment) {
		shown = append(shown, r.header.Get("Authorization"))
	}
	if diff := cmp.Diff([]string{"Bearer first", "Bearer first", "Bearer second", "Bearer second", "Bearer third"}, shown); diff != "" {
		t.Error(diff)
	}
	checkJWT(t, &key.PublicKey, srv.requests(mint)[0].header, newClock().Now())
}

// TestGitHubAppRights: what an app may push is what its token says, not what the repository says of a person.
func TestGitHubAppRights(t *testing.T) {
	_, secret := appKey(t, false)
	app, err := forge.NewApp(4711, 99, secret)
	if err != nil {
		t.Fatal(err)
	}
	srv := serve(t,
		answer{doc: gitHubApps, on: "POST /app/installations/99/access_tokens", status: 201,
			body: `{"token":"x","expires_at":"2026-11-21T13:00:00Z","permissions":{"contents":"read"}}`},
		answer{doc: gitHubRepo, on: "GET /repos/acme/shop", body: `{"permissions":{"push":true},"default_branch":"main"}`},
		answer{doc: gitHubPulls, on: "POST /repos/acme/shop/pulls", status: 422, body: `{}`},
		answer{doc: gitHubStatuses, on: "POST /repos/acme/shop/statuses/" + nowhere, status: 422, body: `{}`},
		answer{doc: gitHubChecks, on: "GET /repos/acme/shop/commits/main/check-runs", body: `{}`})
	missing, err := open(t, forge.GitHub, srv.url, func(c *forge.Config) { c.App = app }).Rights(t.Context())
	if len(missing) != 1 || err != nil || missing[0].String() != "Contents: write (to push notes and branches)" {
		t.Errorf("Rights = %v, %v", missing, err)
	}
}

// TestForgetsOldCommits: what is remembered of commits is bounded, and the latest stay.
func TestForgetsOldCommits(t *testing.T) {
	clock := newClock()
	var reads, writes atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			reads.Add(1)
		} else {
			writes.Add(1)
			w.WriteHeader(http.StatusCreated)
		}
		fmt.Fprint(w, `{"statuses":[]}`)
	}))
	t.Cleanup(srv.Close)
	client := open(t, forge.GitHub, srv.URL, at(clock), func(c *forge.Config) { c.Budget = forge.NewBudget(forge.Limits{}) })
	set := func(n int) {
		t.Helper()
		s := forge.Status{Context: "sluice/shop/staging", State: forge.StateSuccess}
		if err := client.SetStatus(t.Context(), fmt.Sprintf("%040x", n), s); err != nil {
			t.Fatal(err)
		}
		clock.Add(time.Second)
	}
	for n := range 600 {
		set(n)
	}
	set(599)
	if r, w := reads.Load(), writes.Load(); r != 600 || w != 600 {
		t.Errorf("%d reads and %d writes, want 600 each: the latest is known", r, w)
	}
	set(0)
	if r := reads.Load(); r != 601 {
		t.Errorf("%d reads, want 601: the first is forgotten", r)
	}
}

func checkJWT(t *testing.T, key *rsa.PublicKey, header http.Header, now time.Time) {
	t.Helper()
	parts := strings.Split(strings.TrimPrefix(header.Get("Authorization"), "Bearer "), ".")
	if len(parts) != 3 {
		t.Fatalf("the app shows %q", parts)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		t.Error(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Iss      string
		Iat, Exp int64
	}
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Iss != "4711" || claims.Iat >= now.Unix() || claims.Exp <= now.Unix() || claims.Exp-claims.Iat > 600 {
		t.Errorf("claims = %+v", claims)
	}
}

func TestNewApp(t *testing.T) {
	_, eight := appKey(t, true)
	if _, err := forge.NewApp(1, 2, eight); err != nil {
		t.Errorf("PKCS #8: %v", err)
	}
	for name, tc := range map[string]struct{ key, want string }{
		"NoPEM":  {"what is this", "read private key of GitHub App: it is no PEM"},
		"NoKey":  {"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "read private key of GitHub App: neither PKCS #1 nor PKCS #8"},
		"NoWord": {"", "read private key of GitHub App: it is no PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := forge.NewApp(1, 2, gitsource.NewSecret(tc.key)); err == nil || err.Error() != tc.want {
				t.Errorf("error = %v, want %s", err, tc.want)
			}
		})
	}
}

// TestGitHubAppIsGone: an app that was uninstalled is an error that says so, and no request goes out without a token.
func TestGitHubAppIsGone(t *testing.T) {
	_, secret := appKey(t, false)
	srv := serve(t, answer{doc: gitHubApps, on: "POST /app/installations/99/access_tokens", status: 404, body: `{"message":"Not Found"}`})
	app, err := forge.NewApp(4711, 99, secret)
	if err != nil {
		t.Fatal(err)
	}
	client := open(t, forge.GitHub, srv.url, func(c *forge.Config) { c.App = app })
	e := trouble(t, client.Comment(t.Context(), 7, "x"), forge.NotFound)
	if e.Request != "POST /app/installations/99/access_tokens" || len(srv.requests("")) != 1 {
		t.Errorf("error = %v, requests = %v", e, srv.requests(""))
	}
}

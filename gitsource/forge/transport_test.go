package forge_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
)

// kinds are those with an API of their own, and how each asks for a request's comments to be added to.
var kinds = map[forge.Kind]string{
	forge.GitHub: "POST /repos/acme/shop/issues/7/comments",
	forge.GitLab: "POST /api/v4/projects/acme%2Fshop/merge_requests/7/notes",
	forge.Gitea:  "POST /api/v1/repos/acme/shop/issues/7/comments",
}

const (
	gitHubLimits  = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit"
	gitHubTrouble = "https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api"
	gitLabLimits  = "https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers"
	gitLabStatus  = "https://docs.gitlab.com/api/rest/troubleshooting/#status-codes"
	gitLabScopes  = "https://docs.gitlab.com/api/rest/authentication/"
	giteaDocs     = "https://docs.gitea.com/api/"
	giteaScopes   = "https://docs.gitea.com/development/oauth2-provider#scopes"
	httpSemantics = "https://www.rfc-editor.org/rfc/rfc9110#name-status-codes"
)

func TestErrors(t *testing.T) {
	start := newClock().Now()
	for name, tc := range map[string]struct {
		reason string
		kinds  []forge.Kind
		answer answer
		want   forge.Error // Until counts from now
	}{
		"Unauthorized": {"the token is wrong or has run out", nil,
			answer{doc: httpSemantics, status: 401, body: `{"message":"Bad credentials"}`},
			forge.Error{Problem: forge.NotAllowed, Message: "Bad credentials", Right: "a valid token"}},
		"GitHubNamesTheRight": {"a header says what would do", []forge.Kind{forge.GitHub},
			answer{doc: gitHubTrouble + "#resource-not-accessible", status: 403,
				header: map[string]string{"X-Accepted-GitHub-Permissions": "pull_requests=write"},
				body:   `{"message":"Resource not accessible by personal access token","status":"403"}`},
			forge.Error{Problem: forge.NotAllowed, Message: "Resource not accessible by personal access token", Right: "pull_requests: write"}},
		"GitLabNamesTheScope": {"the answer says what would do", []forge.Kind{forge.GitLab},
			answer{doc: gitLabScopes, status: 403,
				body: `{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api"}`},
			forge.Error{Problem: forge.NotAllowed, Right: "scope api",
				Message: "insufficient_scope: The request requires higher privileges than provided by the access token."}},
		"GiteaNamesTheScope": {"the answer says what would do", []forge.Kind{forge.Gitea},
			answer{doc: giteaScopes, status: 403,
				body: `{"message":"token does not have at least one of required scope(s), required=[write:issue], token scope=read:repository"}`},
			forge.Error{Problem: forge.NotAllowed, Right: "scope write:issue",
				Message: "token does not have at least one of required scope(s), required=[write:issue], token scope=read:repository"}},
		"PrimaryLimit": {"until the hour's requests are counted anew, by GitHub's clock", []forge.Kind{forge.GitHub},
			answer{doc: gitHubLimits, status: 403, header: map[string]string{
				"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1000000600",
				"Date": "Sun, 09 Sep 2001 01:46:40 GMT"},
				body: `{"message":"API rate limit exceeded for user ID 4711. If you reach out to GitHub Support for help, please include the request ID A1B2."}`},
			forge.Error{Problem: forge.RateLimited, Message: "too many requests", Until: start.Add(10 * time.Minute)}},
		"SecondaryLimit": {"Retry-After in seconds", []forge.Kind{forge.GitHub},
			answer{doc: gitHubLimits, status: 403, header: map[string]string{"Retry-After": "90", "X-RateLimit-Remaining": "4000"},
				body: `{"message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}`},
			forge.Error{Problem: forge.RateLimited, Message: "too many requests", Until: start.Add(90 * time.Second)}},
		"SecondaryLimitWithoutATime": {"a minute at least", []forge.Kind{forge.GitHub},
			answer{doc: gitHubLimits, status: 403,
				body: `{"message":"You have exceeded a secondary rate limit and have been temporarily blocked from content creation."}`},
			forge.Error{Problem: forge.RateLimited, Message: "too many requests", Until: start.Add(time.Minute)}},
		"TooManyRequests": {"GitLab's reset is by its own clock", []forge.Kind{forge.GitLab},
			answer{doc: gitLabLimits, status: 429, header: map[string]string{
				"RateLimit-Limit": "60", "RateLimit-Remaining": "0", "RateLimit-Reset": "1000000030", "Date": "Sun, 09 Sep 2001 01:46:40 GMT"},
				body: `Retry later`},
			forge.Error{Problem: forge.RateLimited, Message: "too many requests", Until: start.Add(30 * time.Second)}},
		"RetryAfterWins": {"it is what the forge asks for", nil,
			answer{doc: gitLabLimits, status: 429, header: map[string]string{
				"RateLimit-Remaining": "0", "RateLimit-Reset": "1000000030", "Retry-After": "45"}},
			forge.Error{Problem: forge.RateLimited, Message: "too many requests", Until: start.Add(45 * time.Second)}},
		"NonsensicalPause": {"no window is longer than an hour", nil,
			answer{doc: gitLabLimits, status: 429, header: map[string]string{"Retry-After": "99999999"}},
			forge.Error{Problem: forge.RateLimited, Message: "too many requests", Until: start.Add(61 * time.Minute)}},
		"NotFound": {"or not to be seen", nil,
			answer{doc: httpSemantics, status: 404, body: `{"message":"Not Found"}`},
			forge.Error{Problem: forge.NotFound, Message: "Not Found"}},
		"GiteaFailsOverNothing": {"seen of 1.26: what is not there is a 500 to an administrator", []forge.Kind{forge.Gitea},
			answer{doc: giteaDocs, status: 500, body: `{"message":"issue does not exist [id: 0, repo_id: 1, index: 7]"}`},
			forge.Error{Problem: forge.NotFound, Message: "issue does not exist [id: 0, repo_id: 1, index: 7]"}},
		"Unprocessable": {"GitHub says which field", []forge.Kind{forge.GitHub},
			answer{doc: gitHubTrouble + "#validation-failed", status: 422,
				body: `{"message":"Validation Failed","errors":[{"resource":"IssueComment","code":"custom","field":"body","message":"body is too long"}]}`},
			forge.Error{Problem: forge.Refused, Message: "Validation Failed: body is too long"}},
		"BadRequest": {"GitLab puts the fields in the message", []forge.Kind{forge.GitLab},
			answer{doc: gitLabStatus, status: 400, body: `{"message":{"note":["can't be blank"]}}`},
			forge.Error{Problem: forge.Refused, Message: `{"note":["can't be blank"]}`}},
		"BadGateway": {"a proxy's page says nothing", nil,
			answer{doc: httpSemantics, status: 502, body: `<html><h1>502 Bad Gateway</h1></html>`},
			forge.Error{Problem: forge.Unavailable}},
		"DownForMaintenance": {"and says for how long", nil,
			answer{doc: httpSemantics, status: 503, header: map[string]string{"Retry-After": "120"}, body: `{"message":"maintenance"}`},
			forge.Error{Problem: forge.Unavailable, Message: "maintenance", Until: start.Add(2 * time.Minute)}},
		"PageInsteadOfJSON": {"somebody's login page is no success", nil,
			answer{doc: httpSemantics, status: 200, body: `<html>Welcome to the airport's network</html>`},
			forge.Error{Problem: forge.Unavailable, Message: "the answer is no JSON"}},
		"HalfAnAnswer": {"the connection was cut", nil,
			answer{doc: httpSemantics, status: 201, body: `{"id": 1, "bo`},
			forge.Error{Problem: forge.Unavailable, Message: "the answer is no JSON"}},
		"RepeatsTheToken": {"what a forge repeats is not passed on", nil,
			answer{doc: httpSemantics, status: 400, body: `{"message":"no such token: ` + token + `"}`},
			forge.Error{Problem: forge.Refused, Message: "no such token: <redacted>"}},
	} {
		t.Run(name, func(t *testing.T) {
			for kind, on := range kinds {
				if len(tc.kinds) > 0 && tc.kinds[0] != kind {
					continue
				}
				a := tc.answer
				a.on = on
				srv := serve(t, a)
				err := open(t, kind, srv.url).Comment(t.Context(), 7, "text")
				e := trouble(t, err, tc.want.Problem)
				if e.Message != tc.want.Message || e.Right != tc.want.Right || !e.Until.Equal(tc.want.Until) || e.Status != tc.answer.status {
					t.Errorf("%s, %s: error = %v\nuntil %v, status %d\nwant %v\nuntil %v", kind, tc.reason, err, e.Until, e.Status, &tc.want, tc.want.Until)
				}
				if n := len(srv.requests("")); n != 1 {
					t.Errorf("%s: %d requests, want one: nothing is sent twice", kind, n)
				}
			}
		})
	}
}

// TestWrongShape: JSON of another shape than is documented is a forge that answers nonsense, and no panic.
func TestWrongShape(t *testing.T) {
	list := map[forge.Kind]string{
		forge.GitHub: "GET /repos/acme/shop/pulls", forge.GitLab: "GET /api/v4/projects/acme%2Fshop/merge_requests",
		forge.Gitea: "GET /api/v1/repos/acme/shop/pulls",
	}
	for _, body := range []string{`{}`, `"text"`, `[1]`, `{"message": 1}`, `[{"number":"seven","iid":"seven"}]`} {
		for kind, on := range list {
			srv := serve(t, answer{doc: httpSemantics, on: on, body: body})
			if _, err := open(t, kind, srv.url).Find(t.Context(), "b"); err == nil {
				t.Errorf("%s: %s was taken for a list", kind, body)
			} else {
				problem(t, err, forge.Unavailable)
			}
		}
	}
	for _, body := range []string{`null`, `[]`, `[null]`, `[{}]`} {
		for kind, on := range list {
			srv := serve(t, answer{doc: httpSemantics, on: on, body: body})
			found, err := open(t, kind, srv.url).Find(t.Context(), "b")
			if len(found.Open) > 0 || found.Last.Number != 0 || err != nil && !forge.Is(err, forge.Unavailable) {
				t.Errorf("%s: Find of %s = %+v, %v, want nothing", kind, body, found, err)
			}
		}
	}
	for kind, on := range map[forge.Kind]string{
		forge.GitHub: "POST /repos/acme/shop/pulls", forge.GitLab: "POST /api/v4/projects/acme%2Fshop/merge_requests",
		forge.Gitea: "POST /api/v1/repos/acme/shop/pulls",
	} {
		for _, body := range []string{`{}`, `null`, ``} {
			srv := serve(t, answer{doc: httpSemantics, on: on, status: 201, body: body})
			if _, err := open(t, kind, srv.url).Create(t.Context(), forge.Draft{Source: "a", Target: "b", Title: "c"}); err == nil {
				t.Errorf("%s: a request without a number was opened: %s", kind, body)
			} else {
				problem(t, err, forge.Unavailable)
			}
		}
	}
}

func TestSlowAndLarge(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/7/"): // begins, and never ends
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"id":`))
			w.(http.Flusher).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case strings.Contains(r.URL.Path, "/8/"): // never ends, and never stops sending
			w.WriteHeader(http.StatusCreated)
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		default: // cuts the connection
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { close(release) })
	for kind := range kinds {
		slow := open(t, kind, srv.URL, func(c *forge.Config) { c.Timeout = 50 * time.Millisecond })
		if e := trouble(t, slow.Comment(t.Context(), 7, "x"), forge.Unavailable); e.Message != "no whole answer within 50ms" {
			t.Errorf("%s: slow: %v", kind, e)
		}
		client := open(t, kind, srv.URL)
		if e := trouble(t, client.Comment(t.Context(), 8, "x"), forge.Unavailable); e.Message != "the answer is larger than 16 MiB" {
			t.Errorf("%s: large: %v", kind, e)
		}
		problem(t, client.Comment(t.Context(), 9, "x"), forge.Unavailable)
		if n := client.Requests(); n != (forge.Counts{Writes: 2, Failed: 2}) {
			t.Errorf("%s: Requests = %+v", kind, n)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		newer := errors.New("a newer commit came")
		time.AfterFunc(20*time.Millisecond, func() { cancel(newer) })
		if err := client.Comment(ctx, 7, "x"); !errors.Is(err, newer) {
			t.Errorf("%s: cancelled: %v, want the cause", kind, err)
		}
	}
}

func TestRedirects(t *testing.T) {
	var leaked atomic.Int32
	spy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization")+r.Header.Get("Private-Token"), token) {
			leaked.Add(1)
		}
	}))
	t.Cleanup(spy.Close)
	const moved = "https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects"
	pulls, comments := "GET /repos/acme/shop/pulls", kinds[forge.GitHub]
	t.Run("ReadingFollows", func(t *testing.T) {
		srv := serve(t, answer{doc: moved, on: pulls, status: 301, header: map[string]string{"Location": "{url}/repositories/1/pulls"}},
			answer{doc: moved, on: "GET /repositories/1/pulls", body: `[]`})
		if _, err := open(t, forge.GitHub, srv.url).Find(t.Context(), "b"); err != nil {
			t.Error(err)
		}
		if got := srv.requests("GET /repositories/1/pulls"); len(got) != 1 || got[0].header.Get("Authorization") != "Bearer "+token {
			t.Errorf("requests = %v", got)
		}
	})
	t.Run("WritingFollowsWhereItStaysWriting", func(t *testing.T) {
		srv := serve(t, answer{doc: moved, on: comments, status: 307, header: map[string]string{"Location": "{url}/repositories/1/x"}},
			answer{doc: moved, on: "POST /repositories/1/x", status: 201, body: `{"id":1}`})
		if err := open(t, forge.GitHub, srv.url).Comment(t.Context(), 7, "text"); err != nil {
			t.Error(err)
		}
		if got := srv.requests("POST /repositories/1/x"); len(got) != 1 || got[0].body["body"] != "text" {
			t.Errorf("requests = %v", got)
		}
	})
	t.Run("WritingIsNotTurnedIntoReading", func(t *testing.T) {
		srv := serve(t, answer{doc: moved, on: comments, status: 301, header: map[string]string{"Location": "{url}/repositories/1/x"}})
		e := trouble(t, open(t, forge.GitHub, srv.url).Comment(t.Context(), 7, "text"), forge.Refused)
		if !strings.Contains(e.Message, "moved") {
			t.Errorf("error = %v", e)
		}
	})
	t.Run("NeverToAnotherHost", func(t *testing.T) {
		for kind, on := range kinds {
			srv := serve(t, answer{doc: moved, on: on, status: 307, header: map[string]string{"Location": spy.URL}})
			problem(t, open(t, kind, srv.url).Comment(t.Context(), 7, "text"), forge.Refused)
		}
		if n := leaked.Load(); n != 0 {
			t.Errorf("the token went to another host %d times", n)
		}
	})
}

// TestEndlessPages: a list that leads back to itself is nonsense, and ends.
func TestEndlessPages(t *testing.T) {
	const doc = "https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api"
	srv := serve(t, answer{doc: doc, on: "GET /repos/acme/shop/commits/" + revision + "/status",
		header: map[string]string{"Link": `<{url}/x?page=2>; rel="next"`}, body: `{"statuses":[]}`})
	_, err := open(t, forge.GitHub, srv.url).Checks(t.Context(), revision)
	problem(t, err, forge.Unavailable)
	if n := len(srv.requests("")); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestTokenIsRead(t *testing.T) {
	broken := errors.New("no such Secret")
	client := open(t, forge.Gitea, "http://localhost:1", func(c *forge.Config) {
		c.Token = func() (gitsource.Secret, error) { return gitsource.Secret{}, broken }
	})
	err := client.Comment(t.Context(), 7, "x")
	if e := trouble(t, err, forge.Unavailable); !errors.Is(err, broken) || e.Message != "read the forge's token: no such Secret" {
		t.Errorf("error = %v, want %v", err, broken)
	}
	for kind, on := range kinds {
		srv := serve(t, answer{doc: httpSemantics, on: on, status: 201, body: `{"id":1}`})
		if err := open(t, kind, srv.url).Comment(t.Context(), 7, "x"); err != nil {
			t.Fatal(err)
		}
		want := "Bearer " + token
		if kind == forge.Gitea {
			want = "token " + token
		}
		if h := srv.requests("")[0].header; h.Get("Authorization") != want || h.Get("Private-Token") != "" {
			t.Errorf("%s: header = %v", kind, h)
		}
	}
}

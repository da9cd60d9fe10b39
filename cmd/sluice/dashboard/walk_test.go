package dashboard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// The walk asks every route that there is. These are the values of parameters in paths: of what may be seen, of what may not,
// and of what there is not. A route with a parameter of another name needs a line here.
var samples = map[string]struct{ allowed, forbidden, absent string }{
	"app":      {"shop", "bank", "gone"},
	"env":      {"production", "production", "production"},
	"file":     {"production.svg", "production.svg", "production.svg"},
	"revision": {strings.Repeat("a", 40), strings.Repeat("a", 40), strings.Repeat("a", 40)},
	"name":     {"style.css", "style.css", "style.css"},
}

// queries are what routes are asked beside the path, by pattern; X is the application, and R a revision.
var queries = map[string][]string{
	"/{$}":                   {"q=X", "label=team%3Dallowed", "group=team", "unwell=1", "sort=age&page=7", "env=production&state=well&phase=Healthy"},
	"/a/{app}":               {"commits=all"},
	"/a/{app}/{env}":         {"revision=R", "trigger=R"},
	"/a/{app}/{env}/objects": {"object=Pod/X/web", "q=web&unwell=1"},
	"/a/{app}/{env}/diff":    {"from=R&to=R"},
	"/api/v1/board":          {"q=X", "page=1&label=team%3Dforbidden"},
	"/api/v1/applications/{app}/{env}/manifest": {"object=Pod/X/web"},
	"/api/v1/diff": {"from=X/production@R&to=X/production@R", "from=shop/production@R&to=X/production@R", "from=X/production@R&to=shop/production@R"},
}

var braces = regexp.MustCompile(`\{([^}]*)\}`)

// paths are the addresses of a route: as it is, and with each of its queries.
func paths(t *testing.T, of route, pick func(name string) string) []string {
	t.Helper()
	path := braces.ReplaceAllStringFunc(of.pattern, func(braced string) string {
		name := strings.TrimSuffix(strings.Trim(braced, "{}"), "...")
		if name == "$" {
			return ""
		}
		if _, known := samples[name]; !known {
			t.Fatalf("%s: the walk has no sample for the parameter %q", of.pattern, name)
		}
		return pick(name)
	})
	out := []string{path}
	for _, query := range queries[of.pattern] {
		out = append(out, path+"?"+strings.NewReplacer("X", pick("app"), "R", pick("revision")).Replace(query))
	}
	return out
}

func mine(name string) string    { return samples[name].allowed }
func others(name string) string  { return samples[name].forbidden }
func nowhere(name string) string { return samples[name].absent }

// walked is a server with all its routes, those of its gate too.
type walked struct {
	*Server
	source *counted
	log    *bytes.Buffer
	url    string
}

func walk(t *testing.T, gate Gate, broken error) *walked {
	t.Helper()
	w := &walked{source: &counted{Source: fixture{broken}}, log: &bytes.Buffer{}}
	s, err := New(Config{
		Source: w.source, Gate: gate, Limits: Limits{Viewer: 10_000, Address: 10_000, All: 10_000},
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Now: func() time.Time { return time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Server = s
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

func (w *walked) every() []route { return append(w.routes(), w.doors()...) }

// answered is what came of a request; of a stream, what came in its first moments.
type answered struct {
	Status int
	Header http.Header
	Body   string
}

func (w *walked) get(t *testing.T, path string, header ...string) answered {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	stream := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream")
	if stream {
		time.AfterFunc(200*time.Millisecond, cancel)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil && !stream {
		t.Fatal(err)
	}
	answer.Header.Del("Date")
	return answered{answer.StatusCode, answer.Header, string(body)}
}

// counted notes what a source is asked.
type counted struct {
	view.Source
	mu    sync.Mutex
	calls []string
}

func (c *counted) note(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
}

// taken returns the calls since it was called last.
func (c *counted) taken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	return calls
}

func (c *counted) Board(ctx context.Context) (view.Board, error) {
	c.note("Board")
	return c.Source.Board(ctx)
}

func (c *counted) Changes(ctx context.Context) <-chan struct{} {
	c.note("Changes")
	return c.Source.Changes(ctx)
}

func (c *counted) History(ctx context.Context, application string) (view.History, error) {
	c.note("History")
	return c.Source.History(ctx, application)
}

func (c *counted) Objects(ctx context.Context, of view.Key) ([]view.Object, error) {
	c.note("Objects")
	return c.Source.Objects(ctx, of)
}

func (c *counted) Manifest(ctx context.Context, of view.Key, object string) (string, error) {
	c.note("Manifest")
	return c.Source.Manifest(ctx, of, object)
}

func (c *counted) Diff(ctx context.Context, from, to view.Side) (view.Diff, error) {
	c.note("Diff")
	return c.Source.Diff(ctx, from, to)
}

// sealed fails when anybody reads it.
type sealed struct{ t *testing.T }

func (u sealed) Read([]byte) (int, error) {
	u.t.Error("a body was read")
	return 0, io.EOF
}

// hardened fails unless an answer has every header that keeps a browser from doing more with it than showing it.
func hardened(t *testing.T, what string, got http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "", "Permissions-Policy": "camera=()",
		"X-Frame-Options": "DENY", "Cache-Control": "",
	} {
		if value := got.Get(name); value == "" || !strings.Contains(value, want) {
			t.Errorf("%s: %s is %q", what, name, value)
		}
	}
	if policy := got.Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("%s: the policy lets in more than what is here: %s", what, policy)
	}
	if origin := got.Get("Access-Control-Allow-Origin"); origin != "" {
		t.Errorf("%s: pages of %q may read it", what, origin)
	}
}

// TestLesson37_EveryRouteIsReadOnly walks every route of the dashboard with every method: what is not for reading is refused
// before anything is read of it, and before anybody is asked who they are.
func TestLesson37_EveryRouteIsReadOnly(t *testing.T) {
	w := walk(t, gateFunc(func(http.ResponseWriter, *http.Request) (Viewer, bool) {
		t.Error("who looks was asked")
		return Viewer{}, false
	}), nil)
	for _, route := range w.every() {
		for _, path := range append(paths(t, route, mine), "/nosuch/path") {
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get"} {
				request := httptest.NewRequest(http.MethodGet, path, sealed{t})
				request.Method, request.Host, request.ContentLength = method, "localhost", 10
				answer := httptest.NewRecorder()
				w.ServeHTTP(answer, request)
				if answer.Code != http.StatusMethodNotAllowed || answer.Header().Get("Allow") != "GET, HEAD" {
					t.Errorf("%s %s: %d, allowed %q", method, path, answer.Code, answer.Header().Get("Allow"))
				}
				hardened(t, method+" "+path, answer.Header())
			}
			request := httptest.NewRequest(http.MethodGet, path, sealed{t})
			request.Host = "localhost"
			answer := httptest.NewRecorder()
			if w.ServeHTTP(answer, request); answer.Code != http.StatusBadRequest {
				t.Errorf("GET %s with a body: %d", path, answer.Code)
			}
			hardened(t, "GET with a body "+path, answer.Header())
		}
	}
	if calls := w.source.taken(); len(calls) > 0 {
		t.Errorf("the source was asked: %v", calls)
	}
}

// TestLesson37_NobodyGetsNothing: who is not known gets what the gate says, and nothing else, from every route that is not
// open; and what is open asks the source nothing.
func TestLesson37_NobodyGetsNothing(t *testing.T) {
	w := walk(t, gateFunc(func(w http.ResponseWriter, _ *http.Request) (Viewer, bool) {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return Viewer{}, false
	}), nil)
	for _, route := range append(w.every(), route{pattern: "/nosuch/path"}) {
		for _, path := range paths(t, route, mine) {
			got := w.get(t, path)
			if !route.open && (got.Status != http.StatusUnauthorized || got.Body != "who are you?\n") {
				t.Errorf("%s: nobody gets %d %q", path, got.Status, got.Body)
			}
			if strings.Contains(got.Body, "allowed") || strings.Contains(got.Body, "forbidden") {
				t.Errorf("%s: nobody sees %q", path, got.Body)
			}
			hardened(t, path, got.Header)
			if calls := w.source.taken(); len(calls) > 0 {
				t.Errorf("%s: the source was asked for nobody: %v", path, calls)
			}
		}
	}
}

// TestLesson36_WhatGoesWrongIsOnlyLogged: an error from within may have anything in it.
func TestLesson36_WhatGoesWrongIsOnlyLogged(t *testing.T) {
	w := walk(t, Everybody{}, errors.New("ask https://bot:hunter2@git.example.com: hunter2"))
	asked := 0
	for _, route := range w.every() {
		for _, path := range paths(t, route, mine) {
			w.log.Reset()
			got := w.get(t, path, "Accept", "text/html")
			if strings.Contains(got.Body, "hunter2") || strings.Contains(strings.Join(flat(got.Header), " "), "hunter2") {
				t.Errorf("%s: %d shows the error: %q", path, got.Status, got.Body)
			}
			hardened(t, path, got.Header)
			if calls := w.source.taken(); len(calls) > 0 && calls[0] != "Changes" {
				asked++
				if !strings.Contains(w.log.String(), "hunter2") {
					t.Errorf("%s: the error of %v was not logged", path, calls)
				}
				if got.Status == http.StatusOK && !strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") {
					t.Errorf("%s: is well although its source is not: %q", path, got.Body)
				}
			}
		}
	}
	if asked == 0 {
		t.Error("no route asked the source: nothing was tried")
	}
}

func flat(h http.Header) []string {
	var out []string
	for name, values := range h {
		out = append(out, name)
		out = append(out, values...)
	}
	return out
}

// one is a gate for somebody who sees the shop alone.
var one = gateFunc(func(http.ResponseWriter, *http.Request) (Viewer, bool) {
	return Viewer{Name: "ada", Sees: func(application string) bool { return application == "shop" }}, true
})

// TestForbiddenLooksAbsent: no answer, by its status, headers, text or by what was done for it, tells an application that may not
// be seen from one that there is not.
func TestForbiddenLooksAbsent(t *testing.T) {
	w := walk(t, one, nil)
	compared := 0
	for _, route := range w.every() {
		no, none := paths(t, route, others), paths(t, route, nowhere)
		for i := range no {
			if no[i] == none[i] {
				continue
			}
			compared++
			for _, accept := range []string{"text/html", "*/*"} {
				got := w.get(t, no[i], "Accept", accept)
				gotCalls := w.source.taken()
				want := w.get(t, none[i], "Accept", accept)
				wantCalls := w.source.taken()
				if strings.Contains(want.Body, "gone") { // what was asked for is there again, and of course in the tag
					got.Body = strings.ReplaceAll(got.Body, "bank", "gone")
					got.Header.Del("ETag")
					want.Header.Del("ETag")
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s is not as %s (-absent +forbidden):\n%s", no[i], none[i], diff)
				}
				if !slices.Equal(gotCalls, wantCalls) {
					t.Errorf("%s asks the source %v, and %s %v: they take different times", no[i], gotCalls, none[i], wantCalls)
				}
				if strings.Contains(got.Body, "forbidden") {
					t.Errorf("%s shows what it may not: %q", no[i], got.Body)
				}
			}
		}
	}
	t.Logf("%d addresses were compared", compared)
}

// TestNobodySeesWhatIsForbidden: what is shown of one's own application has nothing of another's, whichever the route.
func TestNobodySeesWhatIsForbidden(t *testing.T) {
	w := walk(t, one, nil)
	shown := 0
	for _, route := range w.every() {
		for _, path := range paths(t, route, mine) {
			got := w.get(t, path, "Accept", "text/html")
			if strings.Contains(got.Body, "forbidden") || strings.Contains(got.Body, "bank") {
				t.Errorf("%s shows what it may not: %q", path, got.Body)
			}
			if strings.Contains(got.Body, "shop") {
				shown++
			}
			hardened(t, path, got.Header)
		}
	}
	if shown == 0 {
		t.Error("no route shows anything: nothing was tried")
	}
}

// TestEveryRefusalIsHardened: answers that come before any page, too.
func TestEveryRefusalIsHardened(t *testing.T) {
	w := walk(t, Everybody{}, nil)
	for what, got := range map[string]*http.Response{
		"a name that is not ours": askFrom(w.Server, "127.0.0.1:1", "GET", "/", func(r *http.Request) { r.Host = "attacker.example.com" }),
		"a path to be cleaned":    askFrom(w.Server, "127.0.0.1:1", "GET", "/a/../..//b", func(r *http.Request) { r.Host = "localhost" }),
		"a range that is none": askFrom(w.Server, "127.0.0.1:1", "GET", "/assets/style.css", func(r *http.Request) {
			r.Host = "localhost"
			r.Header.Set("Range", "bytes=99999999-")
		}),
		"an asset that is none": askFrom(w.Server, "127.0.0.1:1", "GET", "/assets/nosuch.css", func(r *http.Request) { r.Host = "localhost" }),
		"a folder of assets":    askFrom(w.Server, "127.0.0.1:1", "GET", "/assets/%2e", func(r *http.Request) { r.Host = "localhost" }),
		"a path upwards":        askFrom(w.Server, "127.0.0.1:1", "GET", "/assets/..%2ftemplates%2fhome.html", func(r *http.Request) { r.Host = "localhost" }),
	} {
		if got.StatusCode == http.StatusOK && what != "a range that is none" {
			t.Errorf("%s: is answered", what)
		}
		hardened(t, what, got.Header)
	}
}

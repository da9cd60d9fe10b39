package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/dashboardtest"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// midday is when the tests' worlds are looked at.
func midday() time.Time { return time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC) }

func serverOf(t testing.TB, source view.Source) *Server {
	t.Helper()
	s, err := New(Config{Source: source, Gate: Everybody{}, Title: "example", Now: midday, Limits: Limits{All: 1_000_000}, Links: Links{
		Commit: "https://git.example.com/{repository}/commit/{revision}", Request: "https://git.example.com/{repository}/pulls/{request}",
		More: []Link{{"Grafana", "https://grafana.example.com/?ns={namespace}"}, {"Bad", "javascript:{app}"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get asks as a browser does.
func get(s http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host, r.RemoteAddr = "localhost", "127.0.0.1:1"
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestPages(t *testing.T) {
	rich, notes := serverOf(t, dashboardtest.Rich(midday())), serverOf(t, dashboardtest.FromNotes(midday()))
	broken := dashboardtest.Rich(midday())
	broken.Break(errors.New("made to fail with a secret"))
	older := dashboardtest.Revision("shop 3")
	for name, tc := range map[string]struct {
		reason  string
		server  *Server
		path    string
		status  int
		want    []string
		without []string
	}{
		"HomeSaysHowAllAre": {"the summary is the answer", rich, "/", 200,
			[]string{"<b>2</b> <span>sick</span>", "<b>52</b> <span>well</span>", "container api of pod", "waits for a merge", "5 behind <bdi>staging", "≥&#8239;20 behind", "Stage 2 of 3", "due <span", "Cluster us-1 has not answered"}, nil},
		"HomeFiltersByState":       {"only what is asked for", rich, "/?state=sick", 200, []string{">payments<", ">reports<", "2 of 21 applications"}, []string{">shop<"}},
		"HomeFiltersByPhase":       {"only what is asked for", rich, "/?phase=RolledBack", 200, []string{">catalog<"}, []string{">shop<"}},
		"HomeFiltersByEnvironment": {"one column is left", rich, "/?env=staging", 200, []string{">shop<", `scope="col"><bdi>staging`}, []string{`scope="col"><bdi>production`}},
		"HomeFindsARevision":       {"by its beginning", rich, "/?q=" + dashboardtest.Revision("shop new")[:9], 200, []string{">shop<"}, []string{">auth<"}},
		"HomeFindsALabel":          {"team=growth", rich, "/?q=team%3Dgrowth", 200, []string{">reports<"}, []string{">payments<"}},
		"HomeFiltersByLabel":       {"a label's link", rich, "/?label=team%3Dgrowth", 200, []string{">reports<"}, []string{">payments<"}},
		"HomeLeavesOutTheWell":     {"all that is not well", rich, "/?unwell=1", 200, []string{">payments<", `checked`}, []string{">auth<"}},
		"HomeGroups":               {"by team", rich, "/?group=label%3Ateam", 200, []string{`scope="rowgroup" colspan="4"><bdi>commerce`}, nil},
		"HomeFindsNothing":         {"a designed nothing", rich, "/?q=zzz", 200, []string{"Nothing is like that"}, nil},
		"HomeOfAPageTooFar":        {"the last one is shown", rich, "/?page=99999", 200, []string{">shop<"}, nil},
		"HomeOfNothing":            {"what to do first", serverOf(t, dashboardtest.Empty(midday().Add(-time.Hour))), "/", 200, []string{"No application yet", "sluice.yaml"}, nil},
		"HomeOfTheFirstSeconds":    {"it is not nothing yet", serverOf(t, dashboardtest.Empty(midday())), "/", 200, []string{"has just started"}, nil},
		"HomeFromNotes": {"a note is what was, never what is", notes, "/", 200,
			[]string{"This is what Git notes say", "Last reported healthy", "Said to be healthy", "signature does not count: unknown key", "last reported well"}, []string{"<b>Healthy</b>", ">well<"}},
		"Application": {"rules on the arrows, commits by environments", rich, "/a/shop", 200,
			[]string{"by <bdi>merge-request", "healthy for 30m", "Skipped", "Rolled back", "Was here", ">Live<", "older commits", "As a table", "https://grafana.example.com/?ns=shop-production"}, []string{"javascript:"}},
		"ApplicationWithLinesThatDoNotCount": {"they are shown as what they are", rich, "/a/payments", 200, []string{"Lines that do not count", "unknown key", "broken chain", "2 attempts"}, nil},
		"Release": {"the present one", rich, "/a/shop/production", 200,
			[]string{"Waits for", "<polyline", "As a table", "2 of 3 Ready", "max 0.01", "Readiness probe failed", "412 ms", "sluice approve shop production --stage 3", "Merged by", `in <a href="https://git.example.com/platform/pulls/399"`, "git log -1 --notes=sluice/production"}, nil},
		"ReleaseThatFailed":       {"with the last words of its pods", rich, "/a/payments/production", 200, []string{"panic: invalid settings", "CrashLoopBackOff", "Another attempt", "git revert"}, nil},
		"ReleaseOfBefore":         {"by its revision", rich, "/a/shop/staging/r/" + older, 200, []string{"An older release", hash(older)}, []string{"412 ms"}},
		"ReleaseByAShortRevision": {"as people type it", rich, "/a/shop/staging/r/" + older[:8], 200, []string{hash(older)}, nil},
		"ReleaseByQuery":          {"as a link has it", rich, "/a/shop/staging?revision=" + older, 200, []string{"An older release"}, nil},
		"ReleaseThatIsNone":       {"404", rich, "/a/shop/staging/r/0000000", 404, []string{"There is no such thing"}, nil},
		"ReleaseFromNotes":        {"no cluster", notes, "/a/payments/production", 200, []string{"Last reported failed"}, nil},
		"ApplicationFromNotes":    {"nobody looked whether it still serves", notes, "/a/shop", 200, []string{">Reported live<"}, []string{">Live<"}},
		"Objects":                 {"with what is known of pods", rich, "/a/shop/production/objects", 200, []string{"10.42.4.12", "node-c", "4 restarts", "registry.example.com/shop", "proven", "22 objects"}, nil},
		"ObjectsFindAnIP":         {"a pod by its IP, with what it came from", rich, "/a/warehouse/production/objects?q=10.200.7.12", 200, []string{"2 of 2000 objects", "shelf-007-2", "shelf-007<"}, []string{"shelf-008"}},
		"ObjectsNotWell":          {"only those", rich, "/a/shop/production/objects?unwell=1", 200, []string{"readiness probe failed"}, []string{"web-settings"}},
		"ObjectsFromNotes":        {"there is no cluster", notes, "/a/shop/production/objects", 200, []string{"Not known here"}, nil},
		"Manifest":                {"as applied", rich, "/a/shop/production/objects?object=Secret%2Fshop-production%2Fweb-tokens-44f1", 200, []string{"token: &#39;***&#39;", "Close"}, nil},
		"ManifestOfAPod":          {"Git has none", rich, "/a/shop/production/objects?object=ReplicaSet%2Fshop-production%2Fweb-5c9f7d6b8", 200, []string{"a controller made it"}, nil},
		"ManifestOfNothing":       {"404", rich, "/a/shop/production/objects?object=x", 404, nil, nil},
		"Changes":                 {"against the release before", rich, "/a/shop/production/diff", 200, []string{"2 changed", "1 created", "its 8 pods are replaced", `class="plus"`}, nil},
		"ChangesToTheSame":        {"nothing", rich, "/a/auth/production/diff?with=staging", 200, []string{"No object differs"}, nil},
		"ChangesWithNobody":       {"404", rich, "/a/auth/production/diff?with=nowhere", 404, nil, nil},
		"ChangesFromNotes":        {"there is no cluster", notes, "/a/shop/production/diff", 200, []string{"not known here"}, nil},
		"Agent": {"repositories, windows, faults", rich, "/agent", 200,
			[]string{"503 Service Unavailable", "v1.36.3", "must be 1%..100%", "nobody is here on weekends", "may not begin", "Windows ahead"}, nil},
		"Nobody":   {"an application that is none", rich, "/a/nobody", 404, []string{"There is no such thing here, or you may not see it.", "<html"}, nil},
		"NoRoute":  {"a page as others", rich, "/no/such/path", 404, []string{"<html"}, nil},
		"Broken":   {"what went wrong within is not told", serverOf(t, broken), "/", 500, []string{"This could not be read", "<html"}, []string{"secret"}},
		"HomeAway": {"a label of nothing", rich, "/?label=nothing", 200, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := get(tc.server, tc.path)
			if got.Code != tc.status {
				t.Fatalf("%s: %s answers %d, want %d", tc.reason, tc.path, got.Code, tc.status)
			}
			body := got.Body.String()
			for _, want := range tc.want {
				if !strings.Contains(body, want) {
					t.Errorf("%s: %s lacks %q", tc.reason, tc.path, want)
				}
			}
			for _, not := range tc.without {
				if strings.Contains(body, not) {
					t.Errorf("%s: %s has %q", tc.reason, tc.path, not)
				}
			}
			if strings.Contains(body, "</time></time>") || strings.Contains(body, "<time></time>") {
				t.Errorf("%s has a time that nobody told", tc.path)
			}
		})
	}
}

// TestPagesOfWhoSeesLittle: what may not be seen is not there, on any page.
func TestPagesOfWhoSeesLittle(t *testing.T) {
	s, err := New(Config{Source: dashboardtest.Rich(midday()), Gate: only("auth"), Now: midday})
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{
		"/": 200, "/a/auth": 200, "/a/auth/staging": 200, "/agent": 200,
		"/a/shop": 404, "/a/shop/production": 404, "/a/shop/production/objects": 404, "/a/shop/production/diff": 404,
	} {
		got := get(s, path)
		if got.Code != status || strings.Contains(got.Body.String(), "payments") {
			t.Errorf("%s answers %d, want %d, and nothing of others", path, got.Code, status)
		}
	}
	forbidden, absent := get(s, "/a/shop").Body.String(), get(s, "/a/nobody").Body.String()
	if forbidden != absent {
		t.Error("what is forbidden does not look like what is absent")
	}
}

type only string

func (o only) Viewer(http.ResponseWriter, *http.Request) (Viewer, bool) {
	return Viewer{Name: "ada", Sees: func(app string) bool { return app == string(o) }}, true
}

// TestErrorsOfPrograms: who does not ask for a page gets a sentence.
func TestErrorsOfPrograms(t *testing.T) {
	got := get(serverOf(t, dashboardtest.Rich(midday())), "/a/nobody", "Accept", "*/*")
	if got.Code != 404 || strings.Contains(got.Body.String(), "<") {
		t.Errorf("got %d %q", got.Code, got.Body)
	}
}

// TestUnchangedPagesCostNothing: that time goes by is no change, and a page's time is told anew all the same.
func TestUnchangedPagesCostNothing(t *testing.T) {
	source, now := dashboardtest.Rich(midday()), midday()
	s, err := New(Config{Source: source, Gate: Everybody{}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/", "/a/shop", "/a/shop/production", "/a/shop/production/objects", "/agent"} {
		now = midday()
		first := get(s, path)
		now = now.Add(3 * time.Minute)
		tag := first.Header().Get("ETag")
		if again := get(s, path, "If-None-Match", tag); tag == "" || again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s: an unchanged page answers %d with %d bytes", path, again.Code, again.Body.Len())
		}
		if later := get(s, path); later.Body.String() == first.Body.String() {
			t.Errorf("%s tells the same times three minutes later", path)
		}
	}
	tag := get(s, "/").Header().Get("ETag")
	source.Change(func(b *view.Board) { b.Cells[0].Phase = "Failed" })
	if got := get(s, "/", "If-None-Match", tag); got.Code != http.StatusOK {
		t.Errorf("a changed page answers %d", got.Code)
	}
}

// TestThousandApplications: four thousand environments are a page like others.
func TestThousandApplications(t *testing.T) {
	s := serverOf(t, dashboardtest.Many(midday(), 1000))
	for _, path := range []string{"/", "/?sort=name&page=13", "/?group=label%3Ateam", "/?unwell=1", "/?q=service-07"} {
		got := get(s, path)
		if size := got.Body.Len(); got.Code != 200 || size > 300_000 || size < 10_000 {
			t.Errorf("%s answers %d with %d bytes", path, got.Code, size)
		}
	}
	seen := map[string]bool{}
	for page := range 25 {
		body := get(s, fmt.Sprintf("/?page=%d", page+1)).Body.String()
		for _, found := range regexp.MustCompile(`<th scope="row"><a href="[^"]*"><bdi>([^<]*)<`).FindAllStringSubmatch(body, -1) {
			if seen[found[1]] {
				t.Fatalf("%s is on two pages", found[1])
			}
			seen[found[1]] = true
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d applications are on the pages, of 1000", len(seen))
	}
	if size := get(serverOf(t, dashboardtest.Rich(midday())), "/a/warehouse/production/objects").Body.Len(); size > 500_000 {
		t.Errorf("2000 objects are %d bytes", size)
	}
}

// TestCrowdsArePaged: an application with an environment for each branch, and a workload of 2000 pods, are pages like others, and
// all is on one of them.
func TestCrowdsArePaged(t *testing.T) {
	s := serverOf(t, dashboardtest.Crowded(midday()))
	collect := func(path string, limit int, each *regexp.Regexp) map[string]int {
		t.Helper()
		seen := map[string]int{}
		for page, last := 1, 1; page <= last; page++ {
			got := get(s, fmt.Sprintf("%spage=%d", path, page))
			body := got.Body.String()
			if got.Code != 200 || len(body) > limit {
				t.Errorf("page %d of %s answers %d with %d bytes", page, path, got.Code, len(body))
			}
			for _, found := range each.FindAllStringSubmatch(body, -1) {
				seen[found[1]]++
			}
			if strings.Contains(body, fmt.Sprintf("page=%d", page+1)) {
				last = page + 1
			}
			if page == 1 && !strings.Contains(body, "page=2") {
				t.Errorf("%s is one page", path)
			}
		}
		return seen
	}
	once := func(seen map[string]int, want int) {
		t.Helper()
		if len(seen) != want {
			t.Errorf("%d are on the pages, of %d", len(seen), want)
		}
		for name, n := range seen {
			if n != 1 {
				t.Errorf("%s is there %d times", name, n)
			}
		}
	}
	once(collect("/?", 300_000, regexp.MustCompile(`<th scope="row"><a href="[^"]*"><bdi>([^<]*)<`)), 60)
	once(collect("/a/service-0000/development/objects?", 500_000, regexp.MustCompile(`</span> <bdi>(web-5c9f7d6b8-[0-9]{4})<`)), 2000)
	if body := get(s, "/").Body.String(); !strings.Contains(body, ">64 more environments</a>") || !strings.Contains(body, "branch-077") {
		t.Error("the environment that is not well is not among those that are shown, or nothing says that there are more")
	}
	if body := get(s, "/a/service-0000/development/objects?q=10.200.9.209").Body.String(); !strings.Contains(body, "web-5c9f7d6b8-1999") || !strings.Contains(body, "1 of 2") {
		t.Error("the last pod is not found by its IP")
	}
}

func BenchmarkHome(b *testing.B) {
	s := serverOf(b, dashboardtest.Many(midday(), 1000))
	for b.Loop() {
		if got := get(s, "/"); got.Code != 200 {
			b.Fatal(got.Code)
		}
	}
	b.ReportMetric(float64(get(s, "/").Body.Len()), "bytes/page")
}

// TestFiltersAreInTheAddress: what is asked for can be sent to somebody.
func TestFiltersAreInTheAddress(t *testing.T) {
	for _, address := range []string{"/", "/?q=a+b&state=sick", "/?env=x&group=label%3Ateam&label=team%3Dx&page=2&phase=Failed&sort=age&unwell=1"} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if got := filterOf(u.Query()).URL(); got != address {
			t.Errorf("got %s, want %s", got, address)
		}
	}
}

// TestSourceKeepsItsWord: the tests' source answers as view.Source says.
func TestSourceKeepsItsWord(t *testing.T) {
	source := dashboardtest.Rich(midday())
	board, err := source.Board(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	board.Cells[0].Phase = "Changed"
	if again, _ := source.Board(context.Background()); again.Cells[0].Phase == "Changed" {
		t.Error("a board is no copy")
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/dashboardtest"
	"github.com/sluice-cd/sluice/reconciler/view"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// served is a dashboard of a source.
func served(t *testing.T, source view.Source, gate dashboard.Gate) http.Handler {
	t.Helper()
	server, err := dashboard.New(dashboard.Config{Source: source, Gate: gate, Title: "eu-1", Now: atNoon})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// reached is a remote that listens to an address, until the test ends.
func reached(t *testing.T, address, credentials string) *remote {
	t.Helper()
	r, err := newRemote(address, credentials, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	r.soonest, r.latest = 20*time.Millisecond, 40*time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); r.run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return r
}

// awaitBoard waits until a board is as it must become.
func awaitBoard(t *testing.T, r *remote, what string, is func(view.Board) bool) view.Board {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	changes := r.Changes(ctx)
	for {
		board, err := r.Board(ctx)
		if err == nil && is(board) {
			return board
		}
		if _, ok := <-changes; !ok {
			t.Fatalf("%s: it came not: %+v, %v", what, board, err)
		}
	}
}

func fresh(b view.Board) bool { return b.Stale == "" }

// bodyOf is what a dashboard answers.
func bodyOf(t *testing.T, of http.Handler, path string) string {
	t.Helper()
	answer := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	request.Header.Set("Accept", "text/html")
	of.ServeHTTP(answer, request)
	return http.StatusText(answer.Code) + "\n" + answer.Body.String()
}

// TestRemoteShowsTheSame: whatever a dashboard shows of a source, another shows of it through the first one's API.
func TestRemoteShowsTheSame(t *testing.T) {
	for name, source := range map[string]*dashboardtest.Source{"Rich": dashboardtest.Rich(noon), "FromNotes": dashboardtest.FromNotes(noon), "Empty": dashboardtest.Empty(noon)} {
		t.Run(name, func(t *testing.T) {
			there := served(t, source, dashboard.Everybody{})
			agent := httptest.NewServer(there)
			t.Cleanup(agent.Close)
			r := reached(t, agent.URL, "")
			awaitBoard(t, r, "the first board", fresh)
			here := served(t, r, dashboard.Everybody{})
			board, err := source.Board(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			paths := []string{"/", "/?unwell=1", "/agent", "/feed.atom", "/a/nothing", "/api/v1/board", "/api/v1/agent", "/api/v1/applications/nothing"}
			for _, c := range board.Cells {
				at := "/a/" + c.Application + "/" + c.Environment
				paths = append(paths, "/a/"+c.Application, at, at+"/objects", at+"/diff", "/badge/"+c.Application+"/"+c.Environment+".svg",
					"/api/v1/applications/"+c.Application, "/api/v1/applications/"+c.Application+"/"+c.Environment+"/objects",
					"/api/v1/diff?from="+c.Key.String()+"@"+c.Release.Revision+"&to="+c.Key.String())
				objects, err := source.Objects(t.Context(), c.Key)
				if err != nil && !errors.Is(err, view.ErrElsewhere) {
					t.Fatal(err)
				}
				for _, o := range objects[:min(len(objects), 2)] {
					paths = append(paths, at+"/objects?object="+o.ID, "/api/v1/applications/"+c.Application+"/"+c.Environment+"/manifest?object="+o.ID)
				}
			}
			for _, path := range paths {
				if diff := cmp.Diff(bodyOf(t, there, path), bodyOf(t, here, path)); diff != "" {
					t.Errorf("%s (-agent +remote):\n%.2000s", path, diff)
				}
			}
		})
	}
}

// TestRemoteHearsOfChanges: nobody waits for a poll.
func TestRemoteHearsOfChanges(t *testing.T) {
	source := dashboardtest.Rich(noon)
	agent := httptest.NewServer(served(t, source, dashboard.Everybody{}))
	t.Cleanup(agent.Close)
	r := reached(t, agent.URL, "")
	awaitBoard(t, r, "the first board", fresh)
	source.Change(func(b *view.Board) { b.Cells[0].Reason = "something else" })
	awaitBoard(t, r, "the change", func(b view.Board) bool { return b.Cells[0].Reason == "something else" })
}

// TestRemoteOutlivesItsAgent: while it is away the last that was known is told, and since when; when it is back that is over.
func TestRemoteOutlivesItsAgent(t *testing.T) {
	source := dashboardtest.Rich(noon)
	there := served(t, source, dashboard.Everybody{})
	var away, blind atomic.Bool
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if away.Load() || blind.Load() && strings.HasSuffix(request.URL.Path, "/objects") {
			http.Error(w, "proxy: nobody there", http.StatusBadGateway)
			return
		}
		there.ServeHTTP(w, request)
	}))
	t.Cleanup(agent.Close)
	r := reached(t, agent.URL, "")
	before := awaitBoard(t, r, "the first board", fresh)
	of := before.Cells[0].Key
	history, err := r.History(t.Context(), of.Application)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := r.Objects(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	blind.Store(true)
	if old, err := r.Objects(t.Context(), of); err == nil {
		t.Errorf("%d objects are shown as they were, beside a board that is as it is", len(old))
	}
	away.Store(true)
	agent.CloseClientConnections()
	stale := awaitBoard(t, r, "that it is away", func(b view.Board) bool { return b.Stale != "" })
	if !strings.Contains(stale.Stale, "does not answer since 20") || !strings.HasSuffix(stale.Stale, "it answers with status 502") {
		t.Errorf("it says %q", stale.Stale)
	}
	if stale.Cells[0].Stale == "" || stale.Cells[0].IsWell() {
		t.Error("a cell does not say that it is old")
	}
	ignored := cmpopts.IgnoreFields(view.Cell{}, "Stale")
	if diff := cmp.Diff(before.Cells, stale.Cells, ignored); diff != "" {
		t.Errorf("the last that was known is lost (-before +after):\n%s", diff)
	}
	old, err := r.History(t.Context(), of.Application)
	if diff := cmp.Diff(history, old, cmpopts.IgnoreFields(view.History{}, "Stale")); err != nil || diff != "" || old.Stale == "" {
		t.Errorf("the history: %v, stale %q (-before +after):\n%s", err, old.Stale, diff)
	}
	if kept, err := r.Objects(t.Context(), of); err != nil || len(kept) != len(objects) {
		t.Errorf("%d objects of %d: %v", len(kept), len(objects), err)
	}
	if _, err := r.Manifest(t.Context(), of, "Deployment/a/a"); err == nil || errors.Is(err, view.ErrUnknown) {
		t.Errorf("a manifest that nobody can know now: %v", err)
	}
	away.Store(false)
	awaitBoard(t, r, "that it is back", fresh)
}

// TestRemoteIsNotToldTwice: the first failure alone is no news, and the same board is none either.
func TestRemoteIsNotToldTwice(t *testing.T) {
	r, err := newRemote("http://127.0.0.1:1", "", atNoon)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	changes := r.Changes(ctx)
	told := func() bool {
		select {
		case <-changes:
			return true
		default:
			return false
		}
	}
	board := view.Board{Origin: view.FromAgent}
	for i, step := range []struct {
		raw  string
		err  error
		want bool
	}{{"a", nil, true}, {"a", nil, false}, {"b", nil, true}} {
		r.tell(&board, []byte(step.raw), step.err)
		if told() != step.want {
			t.Errorf("step %d: told %t", i, !step.want)
		}
	}
	r.tell(nil, nil, errors.New("connection refused"))
	if b, _ := r.Board(ctx); b.Stale != "" {
		t.Error("one failure, and all is old")
	}
	r.tell(nil, nil, errors.New("connection refused"))
	if b, _ := r.Board(ctx); !told() || b.Stale != "the agent at 127.0.0.1:1 does not answer since 2026-11-21 12:00:00 UTC: connection refused" {
		t.Errorf("two failures: %q", b.Stale)
	}
}

// known lets in who has a word.
type known string

func (k known) Viewer(w http.ResponseWriter, r *http.Request) (dashboard.Viewer, bool) {
	if r.Header.Get("Authorization") == string(k) {
		return dashboard.Viewer{Name: "dashboard"}, true
	}
	w.WriteHeader(http.StatusUnauthorized)
	return dashboard.Viewer{}, false
}

// TestRemoteSaysWhoAsks: by the files of a folder, read anew each time, or by the address; what is wrong is said without a secret.
func TestRemoteSaysWhoAsks(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		user  string
		word  string
	}{
		"Basic":   {map[string]string{"username": "bot", "password": "correct"}, "", "Basic Ym90OmNvcnJlY3Q="},
		"Token":   {map[string]string{"token": "correct"}, "", "Bearer correct"},
		"Address": {nil, "bot:correct@", "Basic Ym90OmNvcnJlY3Q="},
	} {
		t.Run(name, func(t *testing.T) {
			agent := httptest.NewServer(served(t, dashboardtest.Rich(noon), known(tc.word)))
			t.Cleanup(agent.Close)
			folder := ""
			if tc.files != nil {
				folder = t.TempDir()
			}
			write := func(change string) {
				for file, text := range tc.files {
					if file != "username" {
						text += change
					}
					if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			write("-not")
			r := reached(t, strings.Replace(agent.URL, "://", "://"+tc.user, 1), folder)
			if tc.files != nil {
				stale := awaitBoard(t, r, "that it asks who looks", func(b view.Board) bool { return strings.HasSuffix(b.Stale, "--credentials say so") })
				if strings.Contains(stale.Stale, "correct") {
					t.Errorf("a secret is shown: %s", stale.Stale)
				}
			}
			write("")
			awaitBoard(t, r, "the board", fresh)
		})
	}
}

// TestRemoteIsLedNowhere: credentials and questions go to the one address.
func TestRemoteIsLedNowhere(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was led elsewhere") }))
	t.Cleanup(elsewhere.Close)
	agent := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	t.Cleanup(agent.Close)
	r := reached(t, strings.Replace(agent.URL, "://", "://bot:s3cret@", 1), "")
	b := awaitBoard(t, r, "that it leads elsewhere", func(b view.Board) bool { return strings.Contains(b.Stale, "(302)") })
	if strings.Contains(b.Stale, "s3cret") {
		t.Error(b.Stale)
	}
	for _, name := range []string{"..", ".", ""} {
		if _, err := r.History(t.Context(), name); !errors.Is(err, view.ErrUnknown) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestRemoteBoundsWhatItReads: what answers may be anything.
func TestRemoteBoundsWhatItReads(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"Large":  {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2000)) }, "the answer has more than 1000 bytes"},
		"NoJSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "its answer is not understood: invalid character '<' looking for beginning of value"},
		"Another": {func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"status": "ok"})
		}, "what answers there is no dashboard"},
		"Refuses": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) }, "it answers with status 418"},
		"Silent": {func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/board") {
				_ = json.NewEncoder(w).Encode(map[string]string{"origin": "agent"})
				return
			}
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "it is silent"},
	} {
		t.Run(name, func(t *testing.T) {
			agent := httptest.NewServer(tc.answer)
			t.Cleanup(agent.Close)
			r, err := newRemote(agent.URL, "", time.Now)
			if err != nil {
				t.Fatal(err)
			}
			r.largest, r.silence = 1000, 300*time.Millisecond
			if _, err := r.hear(t.Context()); err == nil || err.Error() != tc.want {
				t.Errorf("it says %v, want %s", err, tc.want)
			}
		})
	}
}

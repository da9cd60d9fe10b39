package dashboard

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// fixed is a source that says the same for ever. Of an application that is not on its board it knows nothing.
type fixed struct {
	board     view.Board
	histories map[string]view.History
	objects   []view.Object
	manifest  string
	diff      view.Diff
	err       error // of everything
}

func (f fixed) Board(context.Context) (view.Board, error) { return f.board, f.err }
func (f fixed) Changes(context.Context) <-chan struct{}   { return nil }
func (f fixed) known(application string) error {
	if f.err == nil && !slices.ContainsFunc(f.board.Cells, func(c view.Cell) bool { return c.Application == application }) {
		return view.ErrUnknown
	}
	return f.err
}

func (f fixed) History(_ context.Context, application string) (view.History, error) {
	return f.histories[application], f.known(application)
}

func (f fixed) Objects(_ context.Context, of view.Key) ([]view.Object, error) {
	return f.objects, f.known(of.Application)
}

func (f fixed) Manifest(_ context.Context, of view.Key, _ string) (string, error) {
	return f.manifest, f.known(of.Application)
}

func (f fixed) Diff(_ context.Context, from, to view.Side) (view.Diff, error) {
	diff := f.diff
	diff.From, diff.To = from, to
	return diff, f.known(from.Application)
}

// noon is the time in these tests.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// onlySees lets a viewer see some applications.
type onlySees []string

func (s onlySees) Viewer(http.ResponseWriter, *http.Request) (Viewer, bool) {
	return Viewer{Name: "ada", Sees: func(application string) bool { return slices.Contains(s, application) }}, true
}

// ask asks a dashboard for a path.
func ask(t *testing.T, source view.Source, gate Gate, path string) *httptest.ResponseRecorder {
	t.Helper()
	server, err := New(Config{Source: source, Gate: gate, Hosts: Hosts{Any: true}, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return answer
}

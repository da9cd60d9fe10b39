package dashboard

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// apiRoot is where JSON is. What is below it is a contract: openapi.json says it, and a test holds it.
const apiRoot = "/api/v1/"

// apiRoutes are the pages' data as JSON.
func (s *Server) apiRoutes() []route {
	return []route{
		{pattern: apiRoot + "board", answer: s.apiBoard},
		{pattern: apiRoot + "agent", answer: s.apiAgent},
		{pattern: apiRoot + "applications/{app}", answer: s.apiApplication},
		{pattern: apiRoot + "applications/{app}/{env}/objects", answer: s.apiObjects},
		{pattern: apiRoot + "applications/{app}/{env}/manifest", answer: s.apiManifest},
		{pattern: apiRoot + "diff", answer: s.apiDiff},
		{pattern: apiRoot + "changes", answer: s.events},
		{pattern: apiRoot + "openapi.json", answer: s.apiDescription, open: true},
		{pattern: "/api/", answer: func(http.ResponseWriter, *http.Request, view.Source) error { return view.ErrUnknown }},
	}
}

// boardAnswer is the board, or the applications that a filter leaves of it, as the home page has them.
type boardAnswer struct {
	view.Board
	Applications int `json:"applications"` // how many were found, on all pages
	Page         int `json:"page"`         // from 1; without page= there is one with all of them
	Pages        int `json:"pages"`
}

// applicationAnswer is an application in all its environments, and what happened to it.
type applicationAnswer struct {
	Application string       `json:"application"`
	Cells       []view.Cell  `json:"cells"`
	History     view.History `json:"history"`
}

// objectsAnswer are the objects of an environment.
type objectsAnswer struct {
	Objects []view.Object `json:"objects"`
}

// manifestAnswer is an object as it was applied last.
type manifestAnswer struct {
	Object   string `json:"object"`
	Manifest string `json:"manifest"` // YAML, with Secrets masked
}

// errorAnswer is why there is no answer.
type errorAnswer struct {
	Error string  `json:"error"`
	Kind  problem `json:"kind"`
}

// problem is why there is no answer, for programs.
type problem string

// The problems.
const (
	senseless problem = "request"   // what was asked makes no sense
	absent    problem = "unknown"   // there is no such thing, or it may not be seen
	outside   problem = "elsewhere" // this dashboard cannot know it, as objects where there is no cluster
	crowded   problem = "crowded"   // as many ask as can be answered
	unread    problem = "failed"    // it could not be read: the log says why
)

// requestError is a request that makes no sense, and why.
type requestError string

func (e requestError) Error() string { return string(e) }

func (s *Server) apiBoard(w http.ResponseWriter, r *http.Request, from view.Source) error {
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	made := boardAnswer{Board: board, Page: 1, Pages: 1}
	made.Cells = []view.Cell{}
	f := filterOf(r.URL.Query())
	if r.URL.RawQuery == "" {
		f.Sort = "name" // as a board is
	}
	rows, _ := f.rows(board)
	made.Applications = len(rows)
	if r.URL.Query().Has("page") {
		made.Pages = max(1, (len(rows)+f.Per-1)/f.Per)
		made.Page = min(f.Page, made.Pages)
		begin := (made.Page - 1) * f.Per
		rows = rows[begin:min(begin+f.Per, len(rows))]
	}
	for _, row := range rows {
		for _, c := range row.Cells {
			made.Cells = append(made.Cells, c.Cell)
		}
	}
	return writeJSON(w, http.StatusOK, made)
}

func (s *Server) apiAgent(w http.ResponseWriter, r *http.Request, from view.Source) error {
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, board.Agent)
}

func (s *Server) apiApplication(w http.ResponseWriter, r *http.Request, from view.Source) error {
	application := r.PathValue("app")
	history, err := from.History(r.Context(), application)
	if err != nil {
		return err
	}
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	cells := slices.DeleteFunc(slices.Clone(board.Cells), func(c view.Cell) bool { return c.Application != application })
	history.Releases, history.Metrics = present(history.Releases), present(history.Metrics)
	return writeJSON(w, http.StatusOK, applicationAnswer{application, present(cells), history})
}

func (s *Server) apiObjects(w http.ResponseWriter, r *http.Request, from view.Source) error {
	objects, err := from.Objects(r.Context(), keyOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, objectsAnswer{present(objects)})
}

func (s *Server) apiManifest(w http.ResponseWriter, r *http.Request, from view.Source) error {
	object := r.URL.Query().Get("object")
	if object == "" {
		return requestError("object= must name one, as Deployment/shop/web")
	}
	text, err := from.Manifest(r.Context(), keyOf(r), object)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, manifestAnswer{object, text})
}

func (s *Server) apiDiff(w http.ResponseWriter, r *http.Request, from view.Source) error {
	before, err := sideOf(r.URL.Query().Get("from"))
	if err != nil {
		return requestError("from= " + err.Error())
	}
	after, err := sideOf(r.URL.Query().Get("to"))
	if err != nil {
		return requestError("to= " + err.Error())
	}
	diff, err := from.Diff(r.Context(), before, after)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, diff)
}

func keyOf(r *http.Request) view.Key {
	return view.Key{Application: r.PathValue("app"), Environment: r.PathValue("env")}
}

// sideOf reads a release as a link names it: "shop/production@4f1c0c2e…", and without a revision the one that is there.
func sideOf(text string) (side view.Side, err error) {
	key, revision, named := strings.Cut(text, "@")
	application, environment, inner := strings.Cut(key, "/")
	if !inner || application == "" || environment == "" || named && !isHash(revision) {
		return side, errors.New("must be application/environment@revision, a full hash, or without it")
	}
	return view.Side{Key: view.Key{Application: application, Environment: environment}, Revision: revision}, nil
}

func isHash(text string) bool {
	return (len(text) == 40 || len(text) == 64) && strings.Trim(text, "0123456789abcdef") == ""
}

// present is a list that JSON has as a list, also where it is empty.
func present[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func writeJSON(w http.ResponseWriter, status int, value any) error {
	text, err := json.Marshal(value) // whole before the first byte, or a failure would look like an answer
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) //nolint:errcheck // who asked is gone
	return nil
}

// refuseJSON says why there is no answer, to a program.
func (s *Server) refuseJSON(w http.ResponseWriter, status int, kind problem, text string) {
	if err := writeJSON(w, status, errorAnswer{text, kind}); err != nil {
		s.config.Log.Error("Refusal was not made", "err", err)
	}
}

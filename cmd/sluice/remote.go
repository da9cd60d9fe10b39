package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// remote shows what the dashboard of an agent in another process shows. It keeps the agent's board, so that its own viewers ask
// the agent nothing for it; the rest is asked for when somebody looks. While the agent does not answer, it says since when, and
// goes on with what it heard last.
type remote struct {
	api     url.URL // ends with /api/v1/
	login   func() (login, error)
	client  *http.Client
	now     func() time.Time
	bell    view.Bell
	answers answers
	// Who does not answer is asked again after soonest, then after twice that, and so on up to latest. Silence is for how long an
	// agent that is there may say nothing.
	soonest, latest, silence time.Duration
	// largest is how much is read of an answer.
	largest int64

	mu      sync.Mutex
	board   view.Board
	heard   []byte    // the board as it came
	failing time.Time // since when the agent does not answer; zero: it does
	times   int       // that it did not, in a row
	fault   string
}

var _ view.Source = (*remote)(nil)

func newRemote(address, credentials string, now func() time.Time) (*remote, error) {
	of, login, err := agentAddress(address, credentials)
	if err != nil {
		return nil, err
	}
	client, err := clientFor(login)
	if err != nil {
		return nil, err
	}
	r := &remote{api: of, login: login, client: client, now: now, answers: newAnswers(), failing: now(), fault: "it was not asked yet"}
	r.soonest, r.latest, r.silence, r.largest = time.Second, 30*time.Second, 3*heartbeat, largestAnswer
	r.board = view.Board{At: now(), Origin: view.FromAgent, Cells: []view.Cell{}, Agent: view.Agent{Name: of.Host}}
	r.times = lostAfter // nothing is known
	return r, nil
}

// Board implements view.Source.
func (r *remote) Board(context.Context) (view.Board, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	board := r.board
	board.Cells = slices.Clone(board.Cells)
	if stale := r.stale(); stale != "" {
		board.Stale = stale
		for i := range board.Cells {
			board.Cells[i].Stale = stale
		}
	}
	return board, nil
}

// stale is why what is known may be otherwise by now; empty: it is so. The caller holds mu.
func (r *remote) stale() string {
	if r.times < lostAfter {
		return ""
	}
	return fmt.Sprintf("the agent at %s does not answer since %s: %s", r.api.Host, r.failing.UTC().Format(time.DateTime+" MST"), r.fault)
}

// Changes implements view.Source.
func (r *remote) Changes(ctx context.Context) <-chan struct{} { return r.bell.Listen(ctx) }

// History implements view.Source.
func (r *remote) History(ctx context.Context, application string) (view.History, error) {
	var answer struct {
		History view.History `json:"history"`
	}
	err := r.ask(ctx, &answer, nil, "applications", application)
	err = r.orLast(err, &answer, func() { answer.History.Stale = "newer lines may be missing: " + printable(err.Error()) }, "applications", application)
	return answer.History, err
}

// Objects implements view.Source.
func (r *remote) Objects(ctx context.Context, of view.Key) ([]view.Object, error) {
	var answer struct {
		Objects []view.Object `json:"objects"`
	}
	names := []string{"applications", of.Application, of.Environment, "objects"}
	err := r.ask(ctx, &answer, nil, names...)
	if err != nil && r.isLost() { // then their cell says how old they are; else nothing would
		err = r.orLast(err, &answer, func() {}, names...)
	}
	return answer.Objects, err
}

// isLost reports whether the board says that it is old.
func (r *remote) isLost() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stale() != ""
}

// Manifest implements view.Source.
func (r *remote) Manifest(ctx context.Context, of view.Key, object string) (string, error) {
	var answer struct {
		Manifest string `json:"manifest"`
	}
	err := r.ask(ctx, &answer, url.Values{"object": {object}}, "applications", of.Application, of.Environment, "manifest")
	return answer.Manifest, err
}

// Diff implements view.Source.
func (r *remote) Diff(ctx context.Context, from, to view.Side) (view.Diff, error) {
	var answer view.Diff
	side := func(s view.Side) []string { return []string{strings.TrimSuffix(s.Key.String()+"@"+s.Revision, "@")} }
	err := r.ask(ctx, &answer, url.Values{"from": side(from), "to": side(to)}, "diff")
	return answer, err
}

// tell notes what was heard of the board, or why nothing was.
func (r *remote) tell(board *view.Board, raw []byte, err error) {
	r.mu.Lock()
	before, wasLost := r.fault, r.times >= lostAfter
	changed := false
	if err == nil {
		changed = !bytes.Equal(raw, r.heard)
		r.failing, r.times, r.fault, r.board, r.heard = time.Time{}, 0, "", *board, raw
	} else {
		if r.failing.IsZero() {
			r.failing = r.now()
		}
		r.times, r.fault = r.times+1, printable(err.Error())
	}
	changed = changed || before != r.fault || wasLost != (r.times >= lostAfter)
	r.mu.Unlock()
	if changed {
		r.bell.Ring()
	}
}

// refresh asks for the board.
func (r *remote) refresh(ctx context.Context) error {
	raw, err := r.read(ctx, nil, "board")
	board := view.Board{}
	if err == nil {
		err = decodeAnswer(raw, &board)
	}
	if err == nil && board.Origin == "" {
		err = errors.New("what answers there is no dashboard")
	}
	if err != nil {
		return err
	}
	if board.Cells == nil {
		board.Cells = []view.Cell{}
	}
	r.tell(&board, raw, nil)
	return nil
}

package dashboardtest

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// Source is a view.Source that has what it was made with, until [Source.Change].
type Source struct {
	mu        sync.Mutex
	board     view.Board
	histories map[string]view.History
	objects   map[view.Key][]view.Object
	manifests map[string]string // by object
	diff      view.Diff
	err       error
	listeners map[chan struct{}]bool
	asked     int
}

var _ view.Source = (*Source)(nil)

func newSource() *Source {
	return &Source{
		histories: map[string]view.History{}, objects: map[view.Key][]view.Object{}, manifests: map[string]string{},
		listeners: map[chan struct{}]bool{},
	}
}

// Change changes the board, and tells whoever listens.
func (s *Source) Change(change func(*view.Board)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.board.Cells = slices.Clone(s.board.Cells)
	change(&s.board)
	for c := range s.listeners {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Break has every question answered with an error. Nil ends it.
func (s *Source) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Listeners is how many hear of changes.
func (s *Source) Listeners() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners)
}

// Asked is how often the board was asked for.
func (s *Source) Asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// Board implements view.Source.
func (s *Source) Board(context.Context) (view.Board, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	board := s.board
	board.Cells = slices.Clone(board.Cells)
	return board, s.err
}

// Changes implements view.Source.
func (s *Source) Changes(ctx context.Context) <-chan struct{} {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	s.listeners[c] = true
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		delete(s.listeners, c)
		s.mu.Unlock()
	})
	return c
}

// History implements view.Source.
func (s *Source) History(_ context.Context, application string) (view.History, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return view.History{}, s.err
	}
	if h, ok := s.histories[application]; ok {
		return h, nil
	}
	if slices.ContainsFunc(s.board.Cells, func(c view.Cell) bool { return c.Application == application }) {
		return view.History{Application: application}, nil
	}
	return view.History{}, view.ErrUnknown
}

// Objects implements view.Source.
func (s *Source) Objects(_ context.Context, of view.Key) ([]view.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.board.Origin == view.FromNotes {
		return nil, view.ErrElsewhere
	}
	return slices.Clone(s.objects[of]), s.err
}

// Manifest implements view.Source.
func (s *Source) Manifest(_ context.Context, _ view.Key, object string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, ok := s.manifests[object]
	if !ok {
		return "", view.ErrUnknown
	}
	return text, s.err
}

// Diff implements view.Source.
func (s *Source) Diff(_ context.Context, from, to view.Side) (view.Diff, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.board.Origin == view.FromNotes {
		return view.Diff{}, view.ErrElsewhere
	}
	d := s.diff
	if d.From, d.To = from, to; strings.TrimSpace(from.Revision) == to.Revision {
		d = view.Diff{From: from, To: to}
	}
	return d, s.err
}

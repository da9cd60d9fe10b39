package dashboard

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// Viewer is who looks, and at which applications.
type Viewer struct {
	Name string // for the viewer's own page; empty where nobody has to say who they are
	ID   string // whom limits count; empty: Name
	// Sees reports whether an application may be seen. Nil: all may.
	Sees func(application string) bool
	// Leave is the path that ends the viewer's session; empty: there is none to end.
	Leave string
	// Ended is closed when the session ends, and what is under way for the viewer with it. Nil: it does not end.
	Ended <-chan struct{}
}

func (v Viewer) sees(application string) bool { return v.Sees == nil || v.Sees(application) }

// Gate says who looks. It may be used concurrently.
type Gate interface {
	// Viewer returns who asks. False: nobody that is known, and the gate has answered, as by leading to a login.
	Viewer(w http.ResponseWriter, r *http.Request) (Viewer, bool)
}

// Doors is what a Gate may be too: one with pages of its own, such as a login. Nobody has to be known there, and what they
// answer is nobody's: it has nothing from the source.
type Doors interface {
	// Doors returns what answers, by path.
	Doors() map[string]http.HandlerFunc
}

// doors are the gate's own routes.
func (s *Server) doors() []route {
	gate, ok := s.config.Gate.(Doors)
	if !ok {
		return nil
	}
	var out []route
	doors := gate.Doors()
	for _, path := range slices.Sorted(maps.Keys(doors)) {
		open := doors[path]
		out = append(out, route{pattern: path, open: true, answer: func(w http.ResponseWriter, r *http.Request, _ view.Source) error {
			open(w, r)
			return nil
		}})
	}
	return out
}

// Everybody lets everybody see everything.
type Everybody struct{}

// Viewer implements Gate.
func (Everybody) Viewer(http.ResponseWriter, *http.Request) (Viewer, bool) { return Viewer{}, true }

// visible is a source as one viewer may see it. What is forbidden is not there.
type visible struct {
	view.Source
	viewer Viewer
}

// Board implements view.Source. Of the agent only who sees everything is told what may name other applications.
func (v visible) Board(ctx context.Context) (view.Board, error) {
	board, err := v.Source.Board(ctx)
	if err != nil || v.viewer.Sees == nil {
		return board, err
	}
	board.Cells = slices.DeleteFunc(slices.Clone(board.Cells), func(c view.Cell) bool { return !v.viewer.sees(c.Application) })
	board.Agent.Windows = slices.DeleteFunc(slices.Clone(board.Agent.Windows), func(w view.Window) bool {
		return w.Application != "" && !v.viewer.sees(w.Application)
	})
	board.Agent.Faults, board.Agent.Repositories = nil, nil
	return board, nil
}

// History implements view.Source.
func (v visible) History(ctx context.Context, application string) (view.History, error) {
	if !v.viewer.sees(application) {
		return view.History{}, view.ErrUnknown
	}
	return v.Source.History(ctx, application)
}

// Objects implements view.Source.
func (v visible) Objects(ctx context.Context, of view.Key) ([]view.Object, error) {
	if !v.viewer.sees(of.Application) {
		return nil, view.ErrUnknown
	}
	return v.Source.Objects(ctx, of)
}

// Manifest implements view.Source.
func (v visible) Manifest(ctx context.Context, of view.Key, object string) (string, error) {
	if !v.viewer.sees(of.Application) {
		return "", view.ErrUnknown
	}
	return v.Source.Manifest(ctx, of, object)
}

// Diff implements view.Source.
func (v visible) Diff(ctx context.Context, from, to view.Side) (view.Diff, error) {
	if !v.viewer.sees(from.Application) || !v.viewer.sees(to.Application) {
		return view.Diff{}, view.ErrUnknown
	}
	return v.Source.Diff(ctx, from, to)
}

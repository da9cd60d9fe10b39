package dashboard

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// applicationPage is an application's environments as they follow each other, and what became of its commits there.
type applicationPage struct {
	page
	Application string
	Labels      map[string]string
	Repository  string
	Places      []place
	History     view.History
	Matrix      matrix
	Delivery    []delivery
}

// place is a step of the pipeline: the environments that are as far from the first.
type place struct{ Stops []stop }

// stop is an environment of a pipeline, and what is between it and the one before.
type stop struct {
	cell
	Links []Link
}

func (s *Server) application(w http.ResponseWriter, r *http.Request, from view.Source) error {
	name := r.PathValue("app")
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	cells := cellsOf(board, name)
	history, err := from.History(r.Context(), name)
	if err != nil && len(cells) == 0 {
		return err
	}
	if err != nil {
		history = view.History{Application: name, Stale: "Its history cannot be read now."}
		s.config.Log.Warn("History was not read", "app", name, "err", err)
	}
	if len(cells) == 0 && len(history.Releases) == 0 && len(history.NotCounted) == 0 {
		return view.ErrUnknown
	}
	p := applicationPage{
		page: s.newPage(from, name, "home", board, crumb{"Applications", "/"}), Application: name, History: history,
		Places: s.places(cells),
	}
	if len(cells) > 0 {
		p.Labels, p.Repository = cells[0].Labels, cells[0].Repository
	}
	p.Card = boardCard(name, onlyOf(board, name))
	p.Matrix = matrixOf(cells, history, r.URL.Query().Get("commits") == "all")
	for i, c := range p.Matrix.Commits {
		if len(cells) > 0 {
			p.Matrix.Commits[i].Link = s.commitLink(cells[0].Cell, c.Revision)
		}
	}
	p.Delivery = deliveries(history.Metrics, p.Matrix.Environments)
	return s.show(w, r, "application", board.At, p)
}

// cellsOf are an application's environments, in their order.
func cellsOf(board view.Board, application string) []cell {
	var out []cell
	for _, c := range board.Cells {
		if c.Application == application {
			out = append(out, cellOf(board, c))
		}
	}
	slices.SortStableFunc(out, func(a, b cell) int {
		return cmp.Or(cmp.Compare(a.Place, b.Place), cmp.Compare(a.Environment, b.Environment))
	})
	return out
}

func (s *Server) places(cells []cell) []place {
	var out []place
	for i, c := range cells {
		if i == 0 || c.Place != cells[i-1].Place {
			out = append(out, place{})
		}
		last := &out[len(out)-1]
		last.Stops = append(last.Stops, stop{c, s.moreLinks(c.Cell)})
	}
	return out
}

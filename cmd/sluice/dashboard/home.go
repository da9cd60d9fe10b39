package dashboard

import (
	"net/http"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// homePage is applications by environments.
type homePage struct {
	page
	Board view.Board
}

func (s *Server) home(w http.ResponseWriter, r *http.Request, from view.Source) error {
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	return s.show(w, "home", homePage{page{"Home"}, board})
}

package dashboard

import (
	"encoding/json"
	"net/http"

	"github.com/sluice-cd/sluice/reconciler/view"
)

func (s *Server) apiBoard(w http.ResponseWriter, r *http.Request, from view.Source) error {
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, board)
}

func writeJSON(w http.ResponseWriter, value any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(value)
}

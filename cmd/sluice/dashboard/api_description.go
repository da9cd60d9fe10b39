package dashboard

import (
	_ "embed" // of the document
	"net/http"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// description is the API in the words of OpenAPI 3.1. It is made of the Go types and their comments, by
// go test ./cmd/sluice/dashboard -run TestDescription -update
//
//go:embed openapi.json
var description []byte

// apiDescription shows nothing of anybody's: it is the same everywhere.
func (s *Server) apiDescription(w http.ResponseWriter, _ *http.Request, _ view.Source) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(description) //nolint:errcheck // who asked is gone
	return nil
}

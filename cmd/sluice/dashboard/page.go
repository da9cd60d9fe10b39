package dashboard

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"path"

	"github.com/sluice-cd/sluice/reconciler/view"
)

//go:embed templates assets
var files embed.FS

// page is what all pages have.
type page struct{ Title string }

var templates = template.Must(template.ParseFS(files, "templates/*.html"))

// show writes a page, all of it or nothing.
func (s *Server) show(w http.ResponseWriter, name string, data any) error {
	var made bytes.Buffer
	if err := templates.ExecuteTemplate(&made, name, data); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := made.WriteTo(w)
	return err
}

func (s *Server) asset(w http.ResponseWriter, r *http.Request, _ view.Source) error {
	http.ServeFileFS(w, r, files, path.Join("assets", path.Base(r.PathValue("name"))))
	return nil
}

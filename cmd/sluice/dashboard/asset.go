package dashboard

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// asset answers with a file that all pages share. Its address has its content's hash, so a browser asks for it once.
func (s *Server) asset(w http.ResponseWriter, r *http.Request, _ view.Source) error {
	name := path.Base(r.PathValue("name"))
	address, ok := s.assets[name]
	if !ok {
		return view.ErrUnknown
	}
	if r.URL.RequestURI() == address {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, files, path.Join("assets", name))
	return nil
}

// addresses are where each asset is to be had.
func addresses() (map[string]string, error) {
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, e := range entries {
		data, err := fs.ReadFile(files, path.Join("assets", e.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		out[e.Name()] = "/assets/" + e.Name() + "?v=" + hex.EncodeToString(sum[:6])
	}
	return out, nil
}

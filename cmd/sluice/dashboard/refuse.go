package dashboard

import (
	"errors"
	"net/http"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// errCrowded is returned where as many already ask as can be answered.
var errCrowded = errors.New("too many at once")

// errorPage says why there is no other.
type errorPage struct {
	page
	Status int
	Text   string
	Next   string // what may be done
	Kind   problem
}

// refuse says why there is no answer. What is forbidden looks like what is absent, and what went wrong within is only logged.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := errorPage{Status: http.StatusInternalServerError, Text: "This could not be read.", Next: "The agent's log says why. The page tries again by itself.", Kind: unread}
	var request requestError
	switch {
	case errors.As(err, &request):
		p.Status, p.Text, p.Next, p.Kind = http.StatusBadRequest, "That makes no sense: "+request.Error()+".", "", senseless
	case errors.Is(err, view.ErrUnknown):
		p.Status, p.Text, p.Next = http.StatusNotFound, "There is no such thing here, or you may not see it.", "It may have had another name, or be gone."
		p.Kind = absent
	case errors.Is(err, view.ErrElsewhere):
		p.Status, p.Text, p.Next, p.Kind = http.StatusNotFound, "That is not known here.", "Ask a dashboard that has the cluster.", outside
	case errors.Is(err, errCrowded):
		p.Status, p.Text, p.Next, p.Kind = http.StatusTooManyRequests, "Too many ask at once.", "Wait a little, then try again.", crowded
	case r.Context().Err() != nil:
		return
	default:
		s.config.Log.Warn("Page was not made", "path", r.URL.Path, "err", err)
	}
	s.say(w, r, p)
}

// say answers with an error, to a person as a page.
func (s *Server) say(w http.ResponseWriter, r *http.Request, p errorPage) {
	w.Header().Del("ETag")
	if strings.HasPrefix(r.URL.Path, "/api/") {
		s.refuseJSON(w, p.Status, p.Kind, strings.TrimSpace(p.Text+" "+p.Next))
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, p.Text+" "+p.Next, p.Status)
		return
	}
	p.page = page{Title: p.Text, Of: s.config.Title, Here: "error", Card: card{p.Text, p.Next}}
	if err := s.showAs(w, r, p.Status, "error", s.config.Now(), p); err != nil {
		http.Error(w, p.Text, p.Status)
	}
}

// unknownPath answers for what is no route.
func (s *Server) unknownPath(http.ResponseWriter, *http.Request, view.Source) error {
	return view.ErrUnknown
}

package dashboard

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// How a page is told that something changed. A viewer is told once a second at most, and hears something four times a minute in any
// case, so that both sides notice when the other is gone. After a quarter of an hour it has to come again, and is asked
// anew who it is. What is sent is a few bytes: who does not take them within ten seconds is no reader.
const (
	mostListeners   = 1000
	toldAtMostEvery = time.Second
	heardEvery      = 15 * time.Second
	listensFor      = 15 * time.Minute
	takesWithin     = 10 * time.Second
)

// events tells a page when to look again, and nothing of what changed.
func (s *Server) events(w http.ResponseWriter, r *http.Request, _ view.Source) error {
	changes, leave, ok := s.bell.listen()
	if !ok {
		w.Header().Set("Retry-After", "30")
		return errCrowded
	}
	defer leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // proxies that gather answers would keep it to themselves
	send := sender(w)
	if !send("retry: 3000\n\n") {
		return nil
	}
	heart, end := time.NewTicker(heardEvery), time.After(listensFor)
	defer heart.Stop()
	for {
		select {
		case <-r.Context().Done():
			return nil
		case <-end:
			return nil
		case <-heart.C:
			if !send("event: beat\ndata:\n\n") {
				return nil
			}
		case _, ok := <-changes:
			if !ok || !send("event: changed\ndata:\n\n") {
				return nil
			}
			select {
			case <-time.After(toldAtMostEvery):
			case <-r.Context().Done():
			}
		}
	}
}

// sender sends at once, or reports that nobody takes it.
func sender(w http.ResponseWriter) func(string) bool {
	control := http.NewResponseController(w)
	return func(text string) bool {
		// Where the server cannot set a deadline, as in a recorder, there is none to be exceeded.
		_ = control.SetWriteDeadline(time.Now().Add(takesWithin))
		if _, err := fmt.Fprint(w, text); err != nil {
			return false
		}
		return control.Flush() == nil
	}
}

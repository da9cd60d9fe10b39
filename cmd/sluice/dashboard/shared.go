package dashboard

import (
	"net/http"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// When something changes, all who have the home page open ask for it at once, most of them for the same. So it is made once between
// two changes, for those who see everything. Without a listener nobody knows of changes, and it is made for each request.
const (
	keptFor   = 5 * time.Second // whatever the source says
	keptPages = 64
)

// kept are the pages that were made since the last change.
type kept struct {
	mu    sync.Mutex
	rung  uint64
	pages map[string]*keptPage
}

// keptPage is one, or the place where one will be.
type keptPage struct {
	mu   sync.Mutex // held while it is made
	made made
}

// at is the place of a page; nil where there are too many.
func (k *kept) at(rung uint64, address string) *keptPage {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pages == nil || k.rung != rung {
		k.rung, k.pages = rung, map[string]*keptPage{}
	}
	p := k.pages[address]
	if p == nil && len(k.pages) < keptPages {
		p = &keptPage{}
		k.pages[address] = p
	}
	return p
}

// shared answers with a page that was made for somebody else since the last change.
func (s *Server) shared(of answer) answer {
	return func(w http.ResponseWriter, r *http.Request, from view.Source) error {
		rung, heard := s.bell.count()
		v, ok := from.(visible)
		if !ok || v.viewer.Sees != nil || !heard {
			return of(w, r, from)
		}
		place := s.kept.at(rung, r.URL.RequestURI())
		if place == nil {
			return of(w, r, from)
		}
		m, err := s.madeAt(place, of, r, from)
		if err != nil {
			return err
		}
		return s.send(w, r, http.StatusOK, m, v.viewer)
	}
}

// madeAt makes a page at its place, unless it is there.
func (s *Server) madeAt(place *keptPage, of answer, r *http.Request, from view.Source) (made, error) {
	place.mu.Lock()
	defer place.mu.Unlock()
	if now := s.config.Now(); place.made.tag == "" || now.Sub(place.made.since) > keptFor {
		var c catcher
		if err := of(&c, r, from); err != nil {
			return made{}, err
		}
		c.made.since = now
		place.made = c.made
	}
	return place.made, nil
}

// catcher takes a page before it is sent.
type catcher struct {
	http.ResponseWriter // nil: nothing else is written
	made                made
}

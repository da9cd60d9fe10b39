package dashboard

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/time/rate"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/pace"
)

// Hosts are the names under which a dashboard may be asked for. A page elsewhere can point a name of its own at an address that
// a browser reaches, such as loopback, and read what is there as its own; it cannot make the browser ask for another name.
// See https://en.wikipedia.org/wiki/DNS_rebinding. Addresses are no names: they are always right, as is localhost.
type Hosts struct {
	Names []string
	Any   bool // every name is right: who looks is known by what no other name's page is sent, such as a cookie
}

// knows reports whether a request may be for a host.
func (h Hosts) knows(host string) bool {
	name := host
	if before, _, err := net.SplitHostPort(host); err == nil {
		name = before
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil || h.Any || name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	return slices.Contains(h.Names, name)
}

// Limits are requests in a second; for a moment there may be four times as many. 0: the number that is said.
type Limits struct {
	Viewer  int // each who is known, 20
	Address int // each address of a connection but loopback, 100
	All     int // all together, 500
}

// Those who are within at once. Open pages hold a stream each: 30 tabs of a person, and 200 people with five.
const (
	viewerOpen  = 32
	addressOpen = 512
	allOpen     = 1024
)

// front is what stands before every page.
type front struct {
	viewers, addresses *pace.Each
	all                *rate.Limiter
	open               chan struct{}
}

func newFront(of Limits) front {
	each := func(perSecond, otherwise, open int) *pace.Each {
		if perSecond == 0 {
			perSecond = otherwise
		}
		return pace.New(pace.Config{PerSecond: float64(perSecond), Burst: 4 * perSecond, Open: open})
	}
	if of.All == 0 {
		of.All = 500
	}
	return front{
		viewers: each(of.Viewer, 20, viewerOpen), addresses: each(of.Address, 100, addressOpen),
		all: rate.NewLimiter(rate.Limit(of.All), 4*of.All), open: make(chan struct{}, allOpen),
	}
}

// admit lets in what only asks, and answers what else comes. Nothing is read of a body, however long it says it is. Who was let
// in has to leave.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (leave func(), admitted bool) {
	now := s.config.Now()
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		w.Header().Set("Connection", "close")
		http.Error(w, "This is for reading alone: GET and HEAD.", http.StatusMethodNotAllowed)
		return nil, false
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		w.Header().Set("Connection", "close")
		http.Error(w, "This is for reading alone: a request has no body.", http.StatusBadRequest)
		return nil, false
	case !s.config.Hosts.knows(r.Host):
		http.Error(w, "This dashboard is not known by that name. dashboard.access.hosts of agent.yaml says by which.", http.StatusMisdirectedRequest)
		return nil, false
	}
	r.Header.Del("Range") // nothing here is long, and net/http takes headers away where it refuses a range
	away := func() {}
	if address, local := pace.Address(r.RemoteAddr); !local {
		var ok bool
		if away, ok = s.front.addresses.Enter(address, now); !ok {
			s.tooMuch(w, r, http.StatusTooManyRequests)
			return nil, false
		}
	}
	select {
	case s.front.open <- struct{}{}:
	default:
		away()
		s.tooMuch(w, r, http.StatusServiceUnavailable)
		return nil, false
	}
	if !s.front.all.AllowN(now, 1) {
		<-s.front.open
		away()
		s.tooMuch(w, r, http.StatusServiceUnavailable)
		return nil, false
	}
	return func() { <-s.front.open; away() }, true
}

func (s *Server) tooMuch(w http.ResponseWriter, r *http.Request, status int) {
	w.Header().Set("Retry-After", "1")
	s.say(w, r, errorPage{Status: status, Text: "That was too much for a moment.", Next: "Try again in a second."})
}

// seat gives a viewer who was let in a place: a request that ends with their session. They have to leave.
func (s *Server) seat(w http.ResponseWriter, r *http.Request, viewer Viewer) (_ *http.Request, leave func(), seated bool) {
	away := func() {}
	if who := cmp.Or(viewer.ID, viewer.Name); who != "" {
		var ok bool
		if away, ok = s.front.viewers.Enter(who, s.config.Now()); !ok {
			s.tooMuch(w, r, http.StatusTooManyRequests)
			return nil, nil, false
		}
	}
	if viewer.Ended == nil {
		return r, away, true
	}
	ctx, cancel := context.WithCancel(r.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		select {
		case <-viewer.Ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return r.WithContext(ctx), func() { cancel(); <-left; away() }, true
}

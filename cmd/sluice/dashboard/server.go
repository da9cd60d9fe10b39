package dashboard

import (
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// Config is what a Server needs.
type Config struct {
	Source view.Source
	// Gate says who looks. It has no zero value: somebody must have decided.
	Gate Gate
	// Hosts are the names under which it may be asked for. The zero value is localhost and addresses.
	Hosts Hosts
	// Limits bound how much is asked.
	Limits Limits
	// Title names the whole, as "payments, eu-1". Empty: the agent's name.
	Title string
	// Links lead out of the dashboard. Those that are empty are not there.
	Links Links
	// Log gets what went wrong, and nothing of who looked at what. Nil: nothing is logged.
	Log *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Links are templates of addresses: {app}, {env}, {revision}, {namespace} and {repository} stand for what the link is about.
// They lead nowhere unless they are http:// or https://.
type Links struct {
	Commit  string
	Request string // {request} is its number
	More    []Link // for each environment, as its dashboards and logs
}

// Link is one with its text.
type Link struct{ Text, Address string }

// Server answers everything. It may be used concurrently.
type Server struct {
	config    Config
	mux       *http.ServeMux
	assets    map[string]string // addresses by name
	templates *template.Template
	bell      bell
	kept      kept
	front     front
}

// New makes a Server.
func New(config Config) (*Server, error) {
	if config.Source == nil || config.Gate == nil {
		return nil, errors.New("dashboard: Source and Gate must be set")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	assets, err := addresses()
	if err != nil {
		return nil, err
	}
	templates, err := parsed(assets)
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, mux: http.NewServeMux(), assets: assets, templates: templates, front: newFront(config.Limits),
		bell: bell{source: config.Source, most: mostListeners}}
	for _, route := range append(s.routes(), s.doors()...) {
		s.mux.HandleFunc("GET "+route.pattern, s.guarded(route))
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	harden(w.Header())
	leave, ok := s.admit(w, r)
	if !ok {
		return
	}
	defer leave()
	s.mux.ServeHTTP(w, r)
}

// answer makes the answer to one request from what its viewer may see. An error that it returns is answered for it.
type answer func(w http.ResponseWriter, r *http.Request, from view.Source) error

// route is a path with what answers it.
type route struct {
	pattern string
	answer  answer
	open    bool // nobody has to say who they are: it shows nothing of anybody's
}

// routes are all that there is. A test walks them.
func (s *Server) routes() []route {
	return slices.Concat([]route{
		{pattern: "/{$}", answer: s.shared(s.home)},
		{pattern: "/a/{app}", answer: s.application},
		{pattern: "/a/{app}/{env}", answer: s.release},
		{pattern: "/a/{app}/{env}/r/{revision}", answer: s.release},
		{pattern: "/a/{app}/{env}/objects", answer: s.objects},
		{pattern: "/a/{app}/{env}/diff", answer: s.diff},
		{pattern: "/agent", answer: s.agent},
		{pattern: "/events", answer: s.events},
		{pattern: "/", answer: s.unknownPath},
		{pattern: "/assets/{name}", answer: s.asset, open: true},
		{pattern: "/badge/{app}/{file}", answer: s.badge},
		{pattern: "/feed.atom", answer: s.feed},
		{pattern: "/a/{app}/feed.atom", answer: s.applicationFeed},
	}, s.apiRoutes())
}

// guarded lets a route be seen by who may.
func (s *Server) guarded(of route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from := view.Source(visible{s.config.Source, Viewer{Sees: func(string) bool { return false }}})
		if !of.open {
			viewer, ok := s.config.Gate.Viewer(w, r)
			if !ok {
				return
			}
			var leave func()
			if r, leave, ok = s.seat(w, r, viewer); !ok {
				return
			}
			defer leave()
			from = visible{s.config.Source, viewer}
		}
		if err := of.answer(w, r, from); err != nil {
			s.refuse(w, r, err)
		}
	}
}

// harden says what a browser may do with an answer: nothing from elsewhere, no script in the page, no frame around it.
func harden(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
}

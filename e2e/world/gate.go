package world

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Gate is the way by which a story's agents reach the forge. Each story has one of its own, so that the forge can be away,
// slow or out of its mind for one story and not for the others, and so that an agent's requests are counted apart.
type Gate struct {
	// URL takes the place of the forge's; it stays the same when the gate is closed and opened again.
	URL string

	address string
	handler http.Handler
	server  *http.Server

	lock   sync.Mutex
	faults []Fault
	seen   []*Request
}

// Fault is what happens to requests instead of, or before, what the forge would answer.
type Fault struct {
	// Path is how the paths begin that it happens to: /api/ leaves Git alone. Empty is all.
	Path string
	// Delay comes first. Drop then breaks the connection; otherwise a Code is the answer, with Header and Body; without
	// one the forge answers.
	Delay  time.Duration
	Drop   bool
	Code   int
	Header map[string]string
	Body   string
}

// Request is one that came through the gate, or was kept from it.
type Request struct {
	At           time.Time
	Method, Path string // with the query
	Code         int    // 0: none was given, or not yet
}

// NewGate opens a gate.
func (f *Forge) NewGate(t testing.TB) *Gate {
	t.Helper()
	g := &Gate{address: freeAddress(t)}
	g.URL = "http://" + g.address
	to, err := url.Parse(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	g.handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // the forge's links lead through the gate then
		},
		FlushInterval: -1,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	g.Open(t)
	t.Cleanup(g.Close)
	return g
}

// Open lets agents through again.
func (g *Gate) Open(t testing.TB) {
	t.Helper()
	l := listen(t, g.address)
	g.server = &http.Server{Handler: g, ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(l) }(g.server) //nolint:errcheck // it ends by Close
}

// Close refuses connections, and breaks those that are there: to agents the forge is down.
func (g *Gate) Close() { _ = g.server.Close() }

// Fail makes faults happen from now on. Of several that fit a path the first counts.
func (g *Gate) Fail(faults ...Fault) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.faults = append(g.faults, faults...)
}

// Heal ends all faults.
func (g *Gate) Heal() {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.faults = nil
}

// Requests are those of a method whose path has the words, in the order in which they came. An empty method is any.
func (g *Gate) Requests(method string, words ...string) []Request {
	g.lock.Lock()
	defer g.lock.Unlock()
	var out []Request
	for _, r := range g.seen {
		if (method == "" || r.Method == method) && containsAll(r.Path, words) {
			out = append(out, *r)
		}
	}
	return out
}

// ServeHTTP answers a request, or lets the forge do so.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault, saw := g.see(&Request{At: time.Now(), Method: r.Method, Path: r.URL.RequestURI()})
	answer := &answering{w, saw}
	select {
	case <-time.After(fault.Delay):
	case <-r.Context().Done():
		return
	}
	switch {
	case fault.Drop:
		panic(http.ErrAbortHandler)
	case fault.Code != 0:
		for key, value := range fault.Header {
			w.Header().Set(key, value)
		}
		answer.WriteHeader(fault.Code)
		_, _ = answer.Write([]byte(fault.Body))
	default:
		g.handler.ServeHTTP(answer, r)
	}
}

// see counts a request, and returns what is to happen to it and what tells the code of its answer.
func (g *Gate) see(r *Request) (fault Fault, saw func(code int)) {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.seen = append(g.seen, r)
	for _, f := range g.faults {
		if strings.HasPrefix(r.Path, f.Path) {
			fault = f
			break
		}
	}
	return fault, func(code int) {
		g.lock.Lock()
		defer g.lock.Unlock()
		r.Code = code
	}
}

// answering notes which code was given.
type answering struct {
	http.ResponseWriter
	saw func(code int)
}

// WriteHeader notes it before anybody can have it.
func (a *answering) WriteHeader(code int) {
	a.saw(code)
	a.ResponseWriter.WriteHeader(code)
}

// Unwrap lets what is answered be flushed.
func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }

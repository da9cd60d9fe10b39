package gittest

import (
	"bytes"
	"compress/gzip"
	"crypto/subtle"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"
)

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_devgit/fault", s.orderFault)
	mux.HandleFunc("DELETE /_devgit/fault", func(http.ResponseWriter, *http.Request) { s.Lift() })
	mux.HandleFunc("GET /_devgit/requests", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Requests()) //nolint:errcheck // the client is gone
	})
	mux.HandleFunc("DELETE /_devgit/requests", func(http.ResponseWriter, *http.Request) { s.ResetRequests() })
	mux.HandleFunc("/", s.serveGit)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.running.Add(1)
		defer s.running.Done()
		mux.ServeHTTP(w, r)
	})
}

// orderFault takes kind, repo, count and delay (as 300ms) from the query; kind=none lifts all.
func (s *Server) orderFault(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := Fault{Kind: FaultKind(q.Get("kind")), Repo: strings.TrimSuffix(q.Get("repo"), ".git")}
	if f.Kind == "none" {
		s.Lift()
		return
	}
	var err error
	if v := q.Get("count"); v != "" {
		f.Count, err = strconv.Atoi(v)
	}
	if v := q.Get("delay"); v != "" && err == nil {
		f.Delay, err = time.ParseDuration(v)
	}
	if err == nil {
		err = s.Order(f)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// call is one request of a Git client.
type call struct {
	kind string
	repo string
	push bool
	body []byte
}

func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	repo, tail, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), ".git/")
	if !ok || !validName(repo) {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c := call{repo: repo, body: body}
	c.classify(tail, r)
	if _, down := s.faults.take(Down, repo); down {
		http.Error(w, "down by order", http.StatusServiceUnavailable)
		return
	}
	if !s.admit(w, r, c) {
		s.counts.add(Refused, 0, 0)
		return
	}
	if slow, ok := s.faults.take(Slow, repo); ok {
		select {
		case <-time.After(slow.Delay):
		case <-r.Context().Done():
		case <-s.done.Done():
		}
	}
	if c.push {
		if err := s.Create(repo); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	if _, err := os.Stat(s.Path(repo)); err != nil {
		http.Error(w, "repository not found", http.StatusNotFound)
		return
	}
	s.run(w, r, c)
}

func (c *call) classify(tail string, r *http.Request) {
	switch {
	case tail == "info/refs" && r.URL.Query().Get("service") == "git-receive-pack":
		c.kind, c.push = AdvertisePush, true
	case tail == "git-receive-pack":
		c.kind, c.push = Push, true
	case tail == "git-upload-pack" && bytes.Contains(c.plain(r), []byte("command=ls-refs")):
		c.kind = List
	case tail == "git-upload-pack":
		c.kind = Fetch
	default:
		c.kind = AdvertiseFetch
	}
}

// plain is the body as it was before the client compressed it.
func (c *call) plain(r *http.Request) []byte {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return c.body
	}
	z, err := gzip.NewReader(bytes.NewReader(c.body))
	if err != nil {
		return c.body
	}
	b, _ := io.ReadAll(io.LimitReader(z, 1<<16)) //nolint:errcheck // enough to tell the kind
	return b
}

// admit answers and returns false when the request is not allowed.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, c call) bool {
	if len(s.cfg.Users)+len(s.cfg.ReadOnly) == 0 {
		return true
	}
	user, password, _ := r.BasicAuth()
	if is(s.cfg.Users, user, password) {
		return true
	}
	if !is(s.cfg.ReadOnly, user, password) {
		w.Header().Set("WWW-Authenticate", `Basic realm="gittest"`)
		http.Error(w, "authentication required", http.StatusUnauthorized)
		return false
	}
	if c.push {
		http.Error(w, "you may read this repository only", http.StatusForbidden)
		return false
	}
	return true
}

func is(users map[string]string, user, password string) bool {
	want, ok := users[user]
	return ok && subtle.ConstantTimeCompare([]byte(want), []byte(password)) == 1
}

// run hands the request to git http-backend, and lets go wrong what was ordered.
func (s *Server) run(w http.ResponseWriter, r *http.Request, c call) {
	out := &countingWriter{ResponseWriter: w}
	defer func() { s.counts.add(c.kind, int64(len(c.body)), out.n) }()
	env := s.environment(r.Header.Get("Git-Protocol"))
	r.Header.Del("Git-Protocol") // it is in the environment, unless the server is to be old
	env = append(env, "GIT_PROJECT_ROOT="+s.cfg.Dir, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=gittest")
	if c.kind == Push {
		if _, ok := s.faults.take(DropPushBefore, c.repo); ok {
			panic(http.ErrAbortHandler)
		}
		if _, ok := s.faults.take(RefusePush, c.repo); ok {
			env = append(env, refuseVariable+"=1")
		}
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body)), nil
	backend := &cgi.Handler{
		Path: s.git, Args: []string{"http-backend"}, Root: "/", Dir: s.cfg.Dir, Env: env,
		Logger: log.New(io.Discard, "", 0), Stderr: io.Discard, // clients that go away are no news
	}
	var dropFetch, dropPush bool
	switch c.kind {
	case Fetch:
		_, dropFetch = s.faults.take(DropFetch, c.repo)
	case Push:
		_, dropPush = s.faults.take(DropPush, c.repo)
	}
	if !dropFetch && !dropPush {
		backend.ServeHTTP(out, r)
		return
	}
	rec := httptest.NewRecorder()
	backend.ServeHTTP(rec, r)
	if dropFetch {
		for k, v := range rec.Header() {
			out.Header()[k] = v
		}
		_, _ = out.Write(rec.Body.Bytes()[:rec.Body.Len()/2]) //nolint:errcheck // broken off anyway
		_ = http.NewResponseController(w).Flush()             //nolint:errcheck // see above
	}
	panic(http.ErrAbortHandler)
}

type countingWriter struct {
	http.ResponseWriter
	n int64
}

// Write counts.
func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.n += int64(n)
	return n, err
}

// Unwrap lets net/http flush.
func (w *countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

package charts

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-cd/sluice/gitsource"
)

// archive stands for a packed chart: nothing here looks into one.
var archive = bytes.Repeat([]byte("a packed chart "), 1000)

// bed is a server with TLS and a certificate of its own, and what it was asked with credentials.
type bed struct {
	*httptest.Server
	mux      *http.ServeMux
	trusted  atomic.Int32 // requests that had credentials
	requests atomic.Int32
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{mux: http.NewServeMux()}
	b.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		if r.Header.Get("Authorization") != "" {
			b.trusted.Add(1)
		}
		b.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *bed) host() string { return strings.TrimPrefix(b.URL, "https://") }

func (b *bed) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.Certificate().Raw})
}

// server is the bed as its user sees it.
func (b *bed) server() *Server {
	known := gitsource.Credentials{Username: "robot", Password: gitsource.NewSecret("pa55word"), CA: b.ca()}
	return NewServer(Config{Host: b.host(), Credentials: func() (gitsource.Credentials, error) { return known, nil }})
}

func (b *bed) serve(path string, data []byte) {
	b.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) })
}

func TestFetch(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		serve  func(*bed, http.ResponseWriter, *http.Request)
		want   error  // nil with says: any
		says   string // in the error; empty: there is none
	}{
		"Whole": {"what has the digest is given", func(_ *bed, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) }, nil, ""},
		"Redirected": {"a redirect on the same server keeps the credentials", func(_ *bed, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/there" {
				http.Redirect(w, r, "/there", http.StatusFound)
				return
			}
			if _, password, _ := r.BasicAuth(); password != "pa55word" {
				w.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = w.Write(archive)
		}, nil, ""},
		"Another": {"other bytes under the same address are refused", func(_ *bed, w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(archive[1:])
		}, ErrOther, "the archive is another one: its digest is sha256:"},
		"Endless": {"a body without a length is read up to the bound", func(_ *bed, w http.ResponseWriter, _ *http.Request) {
			for range 7 {
				_, _ = w.Write(make([]byte, 1<<20))
				w.(http.Flusher).Flush()
			}
		}, ErrTooLarge, "more than 5 MiB"},
		"Large": {"a length above the bound is not read at all", func(_ *bed, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(MaxArchive+1))
		}, ErrTooLarge, "more than 5 MiB"},
		"Truncated": {"a body that ends early is worth another try", func(_ *bed, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(archive)))
			_, _ = w.Write(archive[:100])
		}, nil, "unexpected EOF"},
		"Refused": {"no right to it", func(_ *bed, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, "robot:pa55word is wrong")
		}, ErrAuth, "authentication refused: status 401"},
		"Gone": {"it has no such thing", func(_ *bed, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, ErrNotFound, "status 404"},
		"Down": {"a server in trouble", func(_ *bed, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, nil, "status 502"},
		"Circle": {"redirects without end", func(_ *bed, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/again", http.StatusFound)
		}, nil, "more than 5"},
		"WithoutTLS": {"a redirect may not drop TLS", func(_ *bed, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusFound)
		}, nil, "without TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			b.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { tc.serve(b, w, r) })
			data, err := b.server().Fetch(t.Context(), b.URL+"/charts/web-1.0.0.tgz?signature=hidden", sumOf(archive))
			if tc.says == "" {
				if err != nil || !bytes.Equal(data, archive) {
					t.Fatalf("%s: got %d bytes, %v", tc.reason, len(data), err)
				}
				return
			}
			if err == nil || data != nil || !strings.Contains(err.Error(), tc.says) || tc.want != nil && !errors.Is(err, tc.want) {
				t.Fatalf("%s: got %d bytes, %v", tc.reason, len(data), err)
			}
			if Lasting(err) != (tc.want != nil && !errors.Is(tc.want, ErrAuth)) {
				t.Errorf("%s: lasting is %v of %v", tc.reason, Lasting(err), err)
			}
			for _, hidden := range []string{"pa55word", "hidden", "robot"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("error shows %q: %v", hidden, err)
				}
			}
		})
	}
}

// TestLesson36_CredentialsStayWithTheirServer: a redirect to another server is followed without them.
func TestLesson36_CredentialsStayWithTheirServer(t *testing.T) {
	b, other := newBed(t), newBed(t)
	b.mux.HandleFunc("/web.tgz", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/blob?signature=x", http.StatusTemporaryRedirect)
	})
	other.serve("/blob", archive)
	known := gitsource.Credentials{Username: "robot", Password: gitsource.NewSecret("pa55word"), CA: append(b.ca(), other.ca()...)}
	s := NewServer(Config{Host: b.host(), Credentials: func() (gitsource.Credentials, error) { return known, nil }})
	if _, err := s.Fetch(t.Context(), b.URL+"/web.tgz", sumOf(archive)); err != nil {
		t.Fatal(err)
	}
	if b.trusted.Load() != 1 || other.requests.Load() != 1 || other.trusted.Load() != 0 {
		t.Errorf("credentials went to own server %d times, to the other %d of %d times", b.trusted.Load(), other.trusted.Load(), other.requests.Load())
	}
	if _, err := s.Fetch(t.Context(), other.URL+"/blob", sumOf(archive)); err != nil || other.trusted.Load() != 0 {
		t.Errorf("asked itself, the other got credentials %d times, %v", other.trusted.Load(), err)
	}
}

// registry is as much of one as a client of charts asks for.
func (b *bed) registry(t *testing.T, name string, tags map[string][]byte) {
	t.Helper()
	guarded := func(h http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password != "pa55word" {
				w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			h(w, r)
		}
	}
	b.mux.HandleFunc("/v2/"+name+"/tags/list", guarded(func(w http.ResponseWriter, _ *http.Request) {
		var all []string
		for tag := range tags {
			all = append(all, tag)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"name": name, "tags": all})
	}))
	for tag, data := range tags {
		manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[{"mediaType":%q,"digest":"sha256:%s","size":%d}]}`,
			mediaChart, sumOf(data), len(data))
		b.mux.HandleFunc("/v2/"+name+"/manifests/"+tag, guarded(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Docker-Content-Digest", "sha256:"+sumOf(manifest))
			_, _ = w.Write(manifest)
		}))
		b.mux.HandleFunc("/v2/"+name+"/blobs/sha256:"+sumOf(data), guarded(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }))
	}
}

func TestRegistry(t *testing.T) {
	b := newBed(t)
	b.registry(t, "team/web", map[string][]byte{"1.2.3": archive, "1.3.0_build.5": archive[1:], "latest": archive[2:], "2.0.0-rc.1": archive[3:]})
	s, at := b.server(), "oci://"+b.host()+"/team"
	all, err := s.Versions(t.Context(), at, "web")
	if err != nil {
		t.Fatal(err)
	}
	v, ok := Pick(all, "^1.2")
	if !ok || v.Version != "1.3.0+build.5" {
		t.Fatalf("picked %q of %v", v.Version, all)
	}
	got, err := s.Take(t.Context(), v)
	if err != nil || got.SHA256 != sumOf(archive[1:]) || got.URL != at+"/web" {
		t.Fatalf("took %s %s, %v", got.URL, got.SHA256, err)
	}
	again, err := s.Fetch(t.Context(), got.URL, got.SHA256)
	if err != nil || !bytes.Equal(again, archive[1:]) {
		t.Fatalf("fetched %d bytes, %v", len(again), err)
	}
	if _, err := s.Fetch(t.Context(), got.URL, strings.Repeat("0", 64)); !errors.Is(err, ErrNotFound) || !Lasting(err) {
		t.Errorf("a digest that is not there: %v", err)
	}
	stranger := NewServer(Config{Host: "another.example.com", Credentials: b.server().config.Credentials})
	if _, err := stranger.Fetch(t.Context(), got.URL, got.SHA256); !errors.Is(err, ErrAuth) || Lasting(err) {
		t.Errorf("without credentials for the host: %v", err)
	}
}

// TestRegistryToken: a registry that sends to a token server without TLS does not get the password sent there.
func TestRegistryToken(t *testing.T) {
	b := newBed(t)
	var plain atomic.Int32
	open := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { plain.Add(1) }))
	t.Cleanup(open.Close)
	b.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm=%q,service="registry"`, open.URL+"/token"))
		w.WriteHeader(http.StatusUnauthorized)
	})
	_, err := b.server().Fetch(t.Context(), "oci://"+b.host()+"/team/web", sumOf(archive))
	if err == nil || !strings.Contains(err.Error(), "http but") || plain.Load() != 0 {
		t.Errorf("asked %d times without TLS: %v", plain.Load(), err)
	}
}

func TestIndex(t *testing.T) {
	b := newBed(t)
	b.serve("/stable/index.yaml", fmt.Appendf(nil, `apiVersion: v1
entries:
  web:
  - {name: web, version: 1.4.0, urls: [web-1.4.0.tgz], digest: %s}
  - {name: web, version: 1.5.0, urls: [web-1.5.0.tgz], removed: true}
  - {name: web, version: 1.4.1, urls: ["%s/elsewhere/web-1.4.1.tgz"], digest: %s}
  - {name: web, version: 2.0.0-beta.1, urls: [web-2.tgz]}
  - {name: web, version: not one, urls: [web-3.tgz]}
  - null
`, sumOf(archive), b.URL, sumOf(archive)))
	b.serve("/stable/web-1.4.0.tgz", archive)
	b.serve("/elsewhere/web-1.4.1.tgz", archive[1:])
	b.serve("/broken/index.yaml", []byte("entries: [no"))
	b.serve("/large/index.yaml", make([]byte, maxIndex+1))
	s := b.server()
	all, err := s.Versions(t.Context(), b.URL+"/stable", "web")
	if err != nil {
		t.Fatal(err)
	}
	for within, want := range map[string]string{
		"^1": "1.4.1", "~1.4.0": "1.4.1", "1.4.0": "1.4.0", ">=1 <1.4.1": "1.4.0", "*": "1.4.1", "^2": "", "^2.0.0-0": "2.0.0-beta.1", "1.5.0": "", "not one": "not one",
	} {
		if v, ok := Pick(all, within); v.Version != want || ok != (want != "") {
			t.Errorf("of %s picked %q", within, v.Version)
		}
	}
	v, _ := Pick(all, "1.4.0")
	if got, err := s.Take(t.Context(), v); err != nil || got.SHA256 != sumOf(archive) || got.URL != b.URL+"/stable/web-1.4.0.tgz" {
		t.Errorf("took %s %s, %v", got.URL, got.SHA256, err)
	}
	v, _ = Pick(all, "1.4.1")
	if _, err := s.Take(t.Context(), v); !errors.Is(err, ErrOther) {
		t.Errorf("what is not what the index says: %v", err)
	}
	for at, want := range map[string]error{"/none": ErrNotFound, "/broken": nil, "/large": ErrTooLarge} {
		if _, err := s.Versions(t.Context(), b.URL+at, "web"); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("index of %s: %v", at, err)
		}
	}
	if _, err := s.Versions(t.Context(), b.URL+"/stable", "db"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a chart that the index does not have: %v", err)
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	b := newBed(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, err := b.server().Fetch(ctx, b.URL+"/web.tgz", sumOf(archive)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFetchTrustsNoStranger(t *testing.T) {
	b := newBed(t)
	b.serve("/web.tgz", archive)
	_, err := NewServer(Config{}).Fetch(t.Context(), b.URL+"/web.tgz", sumOf(archive))
	if err == nil || strings.Contains(err.Error(), "?") || errors.As(err, new(*url.Error)) {
		t.Errorf("an unknown authority: %v", err)
	}
}

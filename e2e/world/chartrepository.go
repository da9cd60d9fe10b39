package world

import (
	"crypto/rand"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"sigs.k8s.io/yaml"
)

// ChartRepository is a file server with an index of charts, by HTTPS and an authority of its own, and with a password.
type ChartRepository struct {
	// URL as sluice.yaml has it.
	URL            string
	User, Password string
	Authority      *Authority

	dir      string
	requests atomic.Int64
	down     atomic.Bool
}

// indexed is an entry of an index: https://helm.sh/docs/topics/chart_repository/#the-index-file
type indexed struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
	Created string   `json:"created"`
}

// StartChartRepository starts an empty one.
func (s *Story) StartChartRepository(t testing.TB) *ChartRepository {
	t.Helper()
	r := &ChartRepository{User: "reader", Password: rand.Text(), Authority: NewAuthority(t, filepath.Join(s.Dir, "charts-tls")), dir: filepath.Join(s.Dir, "charts")}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	files := http.FileServer(http.Dir(r.dir))
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		user, password, _ := req.BasicAuth()
		switch {
		case r.down.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case user != r.User || password != r.Password:
			w.WriteHeader(http.StatusUnauthorized)
		default:
			files.ServeHTTP(w, req)
		}
	}))
	certificate, err := tls.LoadX509KeyPair(r.Authority.CertFile, r.Authority.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	r.URL = server.URL + "/stable"
	return r
}

// Secret is what an agent needs to get in.
func (r *ChartRepository) Secret() map[string]string {
	return map[string]string{"username": r.User, "password": r.Password, "ca.crt": r.Authority.CA}
}

// Requests counts those that were made so far.
func (r *ChartRepository) Requests() int64 { return r.requests.Load() }

// Down has it answer that it is out of service, or not any more.
func (r *ChartRepository) Down(down bool) { r.down.Store(down) }

// Publish adds a version of a chart to the files and the index.
func (r *ChartRepository) Publish(t testing.TB, name, version string, archive []byte) {
	t.Helper()
	file := filepath.Join(r.dir, "stable", "index.yaml")
	index := struct {
		APIVersion string               `json:"apiVersion"`
		Entries    map[string][]indexed `json:"entries"`
	}{"v1", map[string][]indexed{}}
	if text, err := os.ReadFile(file); err == nil {
		if err := yaml.Unmarshal(text, &index); err != nil {
			t.Fatal(err)
		}
	}
	packed := name + "-" + version + ".tgz"
	index.Entries[name] = append(index.Entries[name], indexed{
		Name: name, Version: version, URLs: []string{packed}, Digest: SHA256(archive), Created: "2026-01-02T03:04:05Z",
	})
	text, err := yaml.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	for at, data := range map[string][]byte{file: text, filepath.Join(r.dir, "stable", packed): archive} {
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Host is host:port of the repository.
func (r *ChartRepository) Host() string {
	host, _, _ := strings.Cut(strings.TrimPrefix(r.URL, "https://"), "/")
	return host
}

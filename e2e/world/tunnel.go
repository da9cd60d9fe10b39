package world

import (
	"crypto/rand"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// Tunnels is a proxy of TLS (CONNECT) for whoever has its password, to names that nobody but it knows.
type Tunnels struct {
	URL      string // with the password
	Password string

	names  map[string]string // host:port of a name to host:port
	opened atomic.Int64
}

// StartTunnels starts one that knows these names, host:port to host:port.
func StartTunnels(t testing.TB, names map[string]string) *Tunnels {
	t.Helper()
	p := &Tunnels{Password: rand.Text(), names: names}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.URL = strings.Replace(server.URL, "http://", "http://sluice:"+p.Password+"@", 1)
	return p
}

// Opened counts those that were opened so far.
func (p *Tunnels) Opened() int64 { return p.opened.Load() }

func (p *Tunnels) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to, known := p.names[r.Host]
	switch {
	case r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte("sluice:"+p.Password)):
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	case r.Method != http.MethodConnect || !known:
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	there, err := net.Dial("tcp", to)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	here, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		_ = there.Close()
		return
	}
	p.opened.Add(1)
	_, _ = here.Write([]byte("HTTP/1.1 200 Connection established\r\n\r\n"))
	go func() {
		_, _ = io.Copy(there, buffered)
		_ = there.Close()
	}()
	_, _ = io.Copy(here, there)
	_ = here.Close()
}

package world

import (
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Proxy is what an agent reaches its API server through, so that a story can take it away from that agent alone.
type Proxy struct {
	address, to string

	mu       sync.Mutex
	listener net.Listener // nil while it is closed
	open     map[net.Conn]bool
}

// Through lets an agent that does not run reach the API server through a proxy, which is open.
func (s *Story) Through(t testing.TB, a *Agent) *Proxy {
	t.Helper()
	server, err := url.Parse(s.Cluster.Admin.Host)
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{address: freeAddress(t), to: server.Host, open: map[net.Conn]bool{}}
	file := filepath.Join(a.Dir, "kubeconfig")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	through := strings.Replace(string(text), server.Host, p.address, 1)
	if through == string(text) {
		t.Fatalf("the kubeconfig does not have the server %s", server.Host)
	}
	if err := os.WriteFile(file, []byte(through), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Open(t)
	t.Cleanup(p.Close)
	return p
}

// Open lets connections through.
func (p *Proxy) Open(t testing.TB) {
	t.Helper()
	listener := listen(t, p.address)
	p.mu.Lock()
	p.listener = listener
	p.mu.Unlock()
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			go p.carry(from)
		}
	}()
}

// Close ends all connections, and refuses new ones.
func (p *Proxy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		return
	}
	_ = p.listener.Close()
	p.listener = nil
	for c := range p.open {
		_ = c.Close()
	}
}

func (p *Proxy) carry(from net.Conn) {
	to, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = from.Close()
		return
	}
	if !p.keep(from, to) {
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_ = way[0].Close()
			_ = way[1].Close()
		})
	}
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, from)
	delete(p.open, to)
}

// keep notes a pair of connections, or ends it where the proxy was closed meanwhile.
func (p *Proxy) keep(from, to net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener == nil {
		_ = from.Close()
		_ = to.Close()
		return false
	}
	p.open[from], p.open[to] = true, true
	return true
}

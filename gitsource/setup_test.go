package gitsource_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

const main = "refs/heads/main"

func userPassword(user, password string) func() (gitsource.Credentials, error) {
	return func() (gitsource.Credentials, error) {
		return gitsource.Credentials{Username: user, Password: gitsource.NewSecret(password)}, nil
	}
}

func sshKey(key string, knownHosts []byte) func() (gitsource.Credentials, error) {
	return func() (gitsource.Credentials, error) {
		return gitsource.Credentials{SSHKey: gitsource.NewSecret(key), KnownHosts: knownHosts}, nil
	}
}

// open opens a mirror of the server's repository over HTTP, as agent, in a new folder.
func open(t testing.TB, srv *gittest.Server, repo string, change ...func(*gitsource.Config)) *gitsource.Repository {
	t.Helper()
	cfg := gitsource.Config{
		URL: srv.URL(repo), Dir: t.TempDir(), Credentials: userPassword("agent", gittest.Password), Timeout: 20 * time.Second,
	}
	for _, c := range change {
		c(&cfg)
	}
	r, err := gitsource.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func overSSH(srv *gittest.Server, repo string) func(*gitsource.Config) {
	return func(c *gitsource.Config) {
		c.URL, c.Credentials = srv.SSHURL(repo), sshKey(srv.ClientKey(), srv.KnownHosts())
	}
}

func in(dir string) func(*gitsource.Config) { return func(c *gitsource.Config) { c.Dir = dir } }

// manyFiles make a pack of some 300 KB.
const manyFiles = 8000

func fetch(t testing.TB, r *gitsource.Repository, refs ...string) map[string]string {
	t.Helper()
	found, err := r.Fetch(t.Context(), refs...)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func tree(t testing.TB, r *gitsource.Repository, revision string) *gitsource.Tree {
	t.Helper()
	tr, err := r.Tree(revision)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func content(t testing.TB, tr *gitsource.Tree, name string) string {
	t.Helper()
	b, err := tr.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func files(n int, text string) map[string]string {
	out := map[string]string{}
	for i := range n {
		out[fmt.Sprintf("dir%02d/file%04d.yaml", i%17, i)] = fmt.Sprintf("%s %d\n", text, i)
	}
	return out
}

// stalling passes requests on to the server, but stops in the middle of the answer to a fetch and says so: after two of
// Git's largest packets, which are taken in whole. Give it a repository of many files.
func stalling(t testing.TB, srv *gittest.Server) (base string, stalled <-chan struct{}) {
	t.Helper()
	target, err := url.Parse(srv.HTTP())
	if err != nil {
		t.Fatal(err)
	}
	ch := make(chan struct{}, 16)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ModifyResponse = func(res *http.Response) error {
		if strings.HasSuffix(res.Request.URL.Path, "/git-upload-pack") {
			res.Body = &stallingBody{ReadCloser: res.Body, ctx: res.Request.Context(), stalled: ch, left: 140_000}
		}
		return nil
	}
	hs := httptest.NewServer(proxy)
	t.Cleanup(hs.Close)
	return hs.URL, ch
}

type stallingBody struct {
	io.ReadCloser
	ctx     context.Context
	stalled chan struct{}
	left    int
}

func (b *stallingBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.stalled <- struct{}{}
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// pulls are the references that a forge keeps for merge requests.
func pulls(n int, tip string) map[string]string {
	refs := map[string]string{}
	for i := range n {
		refs[fmt.Sprintf("refs/pull/%d/head", i)] = tip
	}
	return refs
}

func noListener(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// TestMain also is the process that TestLesson11_KilledInTheMiddleOfAClone kills.
func TestMain(m *testing.M) {
	if base := os.Getenv("GITSOURCE_TEST_CLONE"); base != "" {
		r, err := gitsource.Open(gitsource.Config{
			URL: base + "/shop.git", Dir: os.Getenv("GITSOURCE_TEST_DIR"), Credentials: userPassword("agent", gittest.Password),
		})
		if err == nil {
			_, err = r.Fetch(context.Background(), main)
		}
		fmt.Fprintln(os.Stderr, "the clone ended before it was killed:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

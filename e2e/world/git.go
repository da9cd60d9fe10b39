package world

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Git is the Git server of one story: a process of its own, so that it can go away without anybody else noticing.
type Git struct {
	// User and Password may read and write.
	User, Password string
	// Address is HOST:PORT; it stays the same when the server is stopped and started again.
	Address string

	program, dir string
	cmd          *exec.Cmd
}

// StartGit starts a server whose repositories lie in dir.
func StartGit(t testing.TB, program, dir string) *Git {
	t.Helper()
	g := &Git{User: "ada", Password: "engine-of-analysis", Address: "127.0.0.1:0", program: program, dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	g.Start(t)
	t.Cleanup(func() { g.Stop(t) })
	return g
}

// Start starts the server at its old address.
func (g *Git) Start(t testing.TB) {
	t.Helper()
	g.cmd = exec.Command(g.program, "serve", "--dir", g.dir, "--http", g.Address, "--user", g.User+":"+g.Password,
		"--readonly-user", "guest:"+g.Password)
	g.cmd.Stderr = os.Stderr
	g.cmd.SysProcAttr = own()
	out, err := g.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := g.cmd.Start(); err != nil {
		t.Fatalf("start Git server: %v", err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("start Git server: %v", err)
	}
	var ready struct {
		HTTP string `json:"http"`
	}
	JSON(t, line, &ready)
	at, err := url.Parse(ready.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	g.Address = at.Host
}

// Stop ends the server. One that does not run stays so.
func (g *Git) Stop(t testing.TB) {
	t.Helper()
	if g.cmd == nil {
		return
	}
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGTERM)
	_ = g.cmd.Wait()
	g.cmd = nil
}

// NewRepo makes an empty repository on the server and a clone of it at dir.
func (g *Git) NewRepo(t testing.TB, name, dir string) *Repo {
	t.Helper()
	if out, err := exec.Command(g.program, "create", "--dir", g.dir, name).CombinedOutput(); err != nil {
		t.Fatalf("create repository: %v\n%s", err, out)
	}
	r := &Repo{
		Name: name, Dir: dir, URL: "http://" + g.Address + "/" + name + ".git", User: g.User, Password: g.Password,
		Local: filepath.Join(g.dir, name+".git"),
	}
	r.clone(t, withLogin(r.URL, g.User, g.Password))
	return r
}

// Requests is how many requests of a kind the server had since it was started, and how many bytes it answered with. The
// kinds are devgit's: list, fetch, push, refused and others.
func (g *Git) Requests(kind string) (requests, bytes int64, err error) {
	client := &http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://" + g.Address + "/_devgit/requests")
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, 0, err
	}
	var counts map[string]struct {
		Requests int64 `json:"requests"`
		Out      int64 `json:"out"`
	}
	if err := json.Unmarshal(text, &counts); err != nil {
		return 0, 0, fmt.Errorf("count requests: %w: %s", err, text)
	}
	return counts[kind].Requests, counts[kind].Out, nil
}

// AwaitRefusals waits until somebody was refused at so many moments from now on, and returns the moments. Requests
// within half a second are one try.
func (g *Git) AwaitRefusals(t testing.TB, tries int) []time.Time {
	t.Helper()
	before, _, err := g.Requests("refused")
	if err != nil {
		t.Fatal(err)
	}
	var at []time.Time
	Await(t, Patience, fmt.Sprintf("%d tries are refused", tries), func() error {
		now, _, err := g.Requests("refused")
		if err != nil {
			return err
		}
		if moment := time.Now(); now > before && (len(at) == 0 || moment.Sub(at[len(at)-1]) > 500*time.Millisecond) {
			at = append(at, moment)
		}
		before = now
		if len(at) < tries {
			return fmt.Errorf("%d so far", len(at))
		}
		return nil
	})
	return at
}

// PackRefs adds lines of HASH REF to a repository's packed references.
func (g *Git) PackRefs(t testing.TB, repo, lines string) {
	t.Helper()
	local := filepath.Join(g.dir, repo+".git")
	out, err := exec.Command("git", "--git-dir", local, "pack-refs", "--all").CombinedOutput()
	if err != nil {
		t.Fatalf("pack refs: %v\n%s", err, out)
	}
	cmd := exec.Command("git", "--git-dir", local, "update-ref", "--stdin")
	var orders strings.Builder
	for line := range strings.Lines(lines) {
		hash, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		fmt.Fprintf(&orders, "create %s %s\n", ref, hash)
	}
	cmd.Stdin = strings.NewReader(orders.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("create refs: %v\n%s", err, out)
	}
}

package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func git(t *testing.T, dir string, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_AUTHOR_NAME=T", "GIT_AUTHOR_EMAIL=t@example.org",
		"GIT_COMMITTER_NAME=T", "GIT_COMMITTER_EMAIL=t@example.org", "GIT_TERMINAL_PROMPT=0")
	cmd.Env = append(cmd.Env, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// TestServe uses the server as a person would: with git, over both transports.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	in, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--dir", dir, "--user", "me:pw", "--readonly-user", "you:pw"}, out)
	}()
	var r ready
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(t.TempDir(), "work")
	httpURL := strings.Replace(r.HTTP, "://", "://me:pw@", 1) + "/team/new.git"
	if out, err := git(t, "", nil, "init", "-q", "-b", "main", work); err != nil {
		t.Fatal(out)
	}
	if out, err := git(t, work, nil, "commit", "-q", "--allow-empty", "-m", "first"); err != nil {
		t.Fatal(out)
	}
	if out, err := git(t, work, nil, "push", "-q", httpURL, "main"); err != nil {
		t.Fatalf("a first push makes the repository: %v: %s", err, out)
	}
	ssh := []string{"GIT_SSH_COMMAND=ssh -i " + r.ClientKey + " -o IdentitiesOnly=yes -o UserKnownHostsFile=" + r.KnownHosts + " -o StrictHostKeyChecking=yes -F none"}
	if out, err := git(t, "", ssh, "clone", "-q", r.SSH+"/team/new.git", filepath.Join(t.TempDir(), "clone")); err != nil {
		t.Errorf("clone over SSH: %v: %s", err, out)
	}
	if out, err := git(t, work, nil, "push", "-q", strings.Replace(httpURL, "me:", "you:", 1), "main:other"); err == nil {
		t.Errorf("a read-only user has pushed: %s", out)
	}
	res, err := http.Post(r.HTTP+"/_devgit/fault?kind=refuse-push&count=1&repo=team/new", "", nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("order a fault: %v, %v", res, err)
	}
	res.Body.Close()
	if out, err := git(t, work, nil, "push", "-q", httpURL, "main:other"); err == nil || !strings.Contains(out, "refused by order") {
		t.Errorf("a push that was to be refused: %v: %s", err, out)
	}
	if out, err := git(t, work, nil, "push", "-q", httpURL, "main:other"); err != nil {
		t.Errorf("the push after it: %v: %s", err, out)
	}
	res, err = http.Get(r.HTTP + "/_devgit/requests")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var counts map[string]struct{ Requests, In, Out int64 }
	if err := json.NewDecoder(res.Body).Decode(&counts); err != nil || counts["push"].Requests < 3 || counts["push"].In == 0 {
		t.Errorf("requests = %v, %v", counts, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("serve ended with %v", err)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	if err := run(t.Context(), []string{"create", "--dir", dir, "a.git", "team/b"}, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.git", "team/b.git"} {
		if out, err := git(t, filepath.Join(dir, name), nil, "rev-parse", "--is-bare-repository"); err != nil || out != "true\n" {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
	for _, args := range [][]string{{}, {"walk"}, {"create"}, {"create", "--dir", dir, "../x"}, {"serve"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("devgit %q: no error", args)
		}
	}
}

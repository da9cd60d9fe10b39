package world

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Repo is a person's clone of a repository, driven by the git program.
type Repo struct {
	// Name on the server, Dir the clone, URL what the agent is given: without user or password.
	Name, Dir, URL string
	// User and Password are those that an agent gets.
	User, Password string
	// Local is the repository's folder on the server.
	Local string
}

// noConfig keeps what the machine's people configured for git from counting.
var noConfig = []string{"GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull}

// clone makes the clone of a repository that is still empty, with the URL by which the person pushes, and her name.
func (r *Repo) clone(t testing.TB, origin string) {
	t.Helper()
	if err := os.MkdirAll(r.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	r.Run(t, "init", "-q", "-b", "main")
	r.Run(t, "remote", "add", "origin", origin)
	r.Run(t, "config", "user.name", "Ada")
	r.Run(t, "config", "user.email", "ada@example.com")
}

func withLogin(address, user, password string) string {
	return strings.Replace(address, "://", "://"+user+":"+password+"@", 1)
}

// Ref is what a reference is on the server now, empty when it is not there. Nobody counts the look.
func (r *Repo) Ref(ref string) (string, error) {
	text, err := os.ReadFile(filepath.Join(r.Local, ref))
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	packed, err := os.ReadFile(filepath.Join(r.Local, "packed-refs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for line := range strings.Lines(string(packed)) {
		if hash, name, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == ref {
			return hash, nil
		}
	}
	return "", nil
}

// OnServer runs git in the repository's folder on the server, as its administrator may: a garbage collection, say.
func (r *Repo) OnServer(t testing.TB, args ...string) string {
	t.Helper()
	return r.Run(t, append([]string{"--git-dir", r.Local}, args...)...)
}

// Run runs git in the clone and returns what it prints.
func (r *Repo) Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := r.Try(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Try is Run with an error.
func (r *Repo) Try(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = r.Dir
	cmd.Env = slices.Concat(os.Environ(), noConfig, []string{ // on the server there is nobody's name
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com",
	})
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w\n%s%s", strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
}

// Write writes a file.
func (r *Repo) Write(t testing.TB, path, text string) {
	t.Helper()
	full := filepath.Join(r.Dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Read returns a file's text.
func (r *Repo) Read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.Dir, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Remove removes a file or folder.
func (r *Repo) Remove(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(r.Dir, path)); err != nil {
		t.Fatal(err)
	}
}

// Edit replaces text in a file; not to find it is a fault of the story.
func (r *Repo) Edit(t testing.TB, path, old, text string) {
	t.Helper()
	before := r.Read(t, path)
	if !strings.Contains(before, old) {
		t.Fatalf("%s has no %q", path, old)
	}
	r.Write(t, path, strings.ReplaceAll(before, old, text))
}

// Copy copies a folder of the file system into the clone.
func (r *Repo) Copy(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		r.Write(t, filepath.Join(to, rel), string(text))
		return nil
	})
	if err != nil {
		t.Fatalf("copy %s: %v", from, err)
	}
}

// Commit commits everything, pushes it, and returns the revision.
func (r *Repo) Commit(t testing.TB, message string) string {
	t.Helper()
	revision := r.CommitOnly(t, message)
	r.Push(t)
	return revision
}

// CommitOnly commits everything and returns the revision.
func (r *Repo) CommitOnly(t testing.TB, message string) string {
	t.Helper()
	r.Run(t, "add", "-A")
	r.Run(t, "commit", "-q", "--allow-empty", "-m", message)
	return r.Head(t)
}

// Push pushes the branch.
func (r *Repo) Push(t testing.TB) {
	t.Helper()
	r.Run(t, "push", "-q", "origin", "HEAD:main")
}

// Revert reverts a revision, pushes, and returns the new revision.
func (r *Repo) Revert(t testing.TB, revision string, options ...string) string {
	t.Helper()
	r.Run(t, append(append([]string{"revert", "--no-edit"}, options...), revision)...)
	r.Push(t)
	return r.Head(t)
}

// Head is the clone's present revision.
func (r *Repo) Head(t testing.TB) string {
	t.Helper()
	return r.Run(t, "rev-parse", "HEAD")
}

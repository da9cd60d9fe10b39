package gittest

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// refuseVariable makes the hook of every repository refuse.
const refuseVariable = "GITTEST_REFUSE_PUSH"

const preReceive = `#!/bin/sh
if [ -n "$` + refuseVariable + `" ]; then
	echo "refused by order" >&2
	exit 1
fi
`

func validName(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasPrefix(part, "_") ||
			strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "" {
			return false
		}
	}
	return name != ""
}

// environment is what git runs with: nothing of the user's configuration.
func (s *Server) environment(protocol string) []string {
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.cfg.Dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"LC_ALL=C",
	}
	if protocol != "" && !s.cfg.Old {
		env = append(env, "GIT_PROTOCOL="+protocol)
	}
	return env
}

// Path is the folder of a repository.
func (s *Server) Path(repo string) string { return filepath.Join(s.cfg.Dir, repo+".git") }

// Create makes an empty repository with branch main, unless it is there.
func (s *Server) Create(repo string) error {
	s.creating.Lock()
	defer s.creating.Unlock()
	return create(s.git, s.cfg.Dir, repo, s.environment(""))
}

// Create makes an empty repository for a server that may not be running.
func Create(dir, repo string) error {
	git, err := exec.LookPath("git")
	if err != nil {
		return err
	}
	return create(git, dir, repo, append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1"))
}

func create(git, dir, repo string, env []string) error {
	if !validName(repo) {
		return fmt.Errorf("create repository: name %q is not allowed", repo)
	}
	path := filepath.Join(dir, repo+".git")
	if _, err := os.Stat(filepath.Join(path, "hooks", "pre-receive")); err == nil {
		return nil
	}
	steps := [][]string{
		{"init", "--quiet", "--bare", "--initial-branch=main", path},
		{"-C", path, "config", "http.receivepack", "true"},
		{"-C", path, "config", "uploadpack.allowAnySHA1InWant", "false"},
		{"-C", path, "config", "uploadpack.allowFilter", "false"},
		{"-C", path, "config", "receive.denyNonFastForwards", "false"},
		{"-C", path, "config", "receive.denyDeletes", "false"},
		{"-C", path, "config", "receive.autogc", "false"},
		{"-C", path, "config", "receive.fsckObjects", "true"},
		{"-C", path, "config", "gc.auto", "0"},
	}
	for _, args := range steps {
		cmd := exec.Command(git, args...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("create repository %q: git %s: %w: %s", repo, args[0], err, out)
		}
	}
	hook := filepath.Join(path, "hooks", "pre-receive")
	if err := os.MkdirAll(filepath.Dir(hook), 0o700); err != nil {
		return err
	}
	return os.WriteFile(hook, []byte(preReceive), 0o700) //nolint:gosec // a hook must be executable
}

// New starts a server for a test, with the users "agent" and "guest" (read only), whose password is Password, and closes
// it at the end. Change the configuration with the functions given.
func New(tb testing.TB, change ...func(*Config)) *Server {
	tb.Helper()
	cfg := Config{
		Dir: tb.TempDir(), Users: map[string]string{"agent": Password}, ReadOnly: map[string]string{"guest": Password},
	}
	for _, c := range change {
		c(&cfg)
	}
	s, err := Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

// Password is the password of both users of New.
const Password = "correct-horse-battery"

// Git runs git in a repository and returns what it printed, without the last newline. The repository is made if needed.
func (s *Server) Git(tb testing.TB, repo string, args ...string) string {
	tb.Helper()
	return s.gitIn(tb, repo, nil, args...)
}

func (s *Server) gitIn(tb testing.TB, repo string, stdin []byte, args ...string) string {
	tb.Helper()
	if err := s.Create(repo); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(s.git, append([]string{"-C", s.Path(repo)}, args...)...)
	cmd.Env = append(s.environment(""), "GIT_AUTHOR_NAME=Test", "GIT_AUTHOR_EMAIL=test@example.org",
		"GIT_COMMITTER_NAME=Test", "GIT_COMMITTER_EMAIL=test@example.org")
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("git %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// Change is one commit to be made on the server.
type Change struct {
	Branch     string            // short name; "" means main
	Message    string            // "" means "change"
	Files      map[string]string // path to content
	Programs   map[string]string // the same, executable
	Links      map[string]string // path to target of a symbolic link
	Submodules map[string]string // path to commit hash
	Delete     []string          // paths
	Parent     string            // "" means the branch as it is; a hash makes the branch start over from there
	Orphan     bool              // without parents, without the files that were there
	Time       time.Time         // zero means one minute after the last
}

// Commit makes a commit and moves the branch to it. It returns the hash.
func (s *Server) Commit(tb testing.TB, repo string, c Change) string {
	tb.Helper()
	branch := "refs/heads/" + orElse(c.Branch, "main")
	at := c.Time
	if at.IsZero() {
		at = time.Unix(1_700_000_000+60*s.ticks.Add(1), 0)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "commit %s\ncommitter Test <test@example.org> %d +0000\n", branch, at.Unix())
	data(&b, orElse(c.Message, "change"))
	switch exists := s.Git(tb, repo, "for-each-ref", branch) != ""; {
	case c.Orphan:
		fmt.Fprintln(&b, "deleteall")
	case c.Parent != "":
		fmt.Fprintf(&b, "from %s\n", c.Parent)
	case exists:
		fmt.Fprintf(&b, "from %s^0\n", branch)
	}
	for _, path := range c.Delete {
		fmt.Fprintf(&b, "D %s\n", path)
	}
	for _, set := range []struct {
		mode  string
		files map[string]string
	}{{"100644", c.Files}, {"100755", c.Programs}, {"120000", c.Links}} {
		for _, path := range slices.Sorted(maps.Keys(set.files)) {
			fmt.Fprintf(&b, "M %s inline %s\n", set.mode, path)
			data(&b, set.files[path])
		}
	}
	for _, path := range slices.Sorted(maps.Keys(c.Submodules)) {
		fmt.Fprintf(&b, "M 160000 %s %s\n", c.Submodules[path], path)
	}
	if c.Orphan && s.Git(tb, repo, "for-each-ref", branch) != "" {
		s.Git(tb, repo, "update-ref", "-d", branch)
	}
	s.gitIn(tb, repo, b.Bytes(), "fast-import", "--quiet", "--force")
	return s.Git(tb, repo, "rev-parse", branch)
}

func data(b *bytes.Buffer, text string) { fmt.Fprintf(b, "data %d\n%s\n", len(text), text) }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Import feeds a stream to git fast-import; see git-fast-import(1).
func (s *Server) Import(tb testing.TB, repo string, stream []byte) {
	tb.Helper()
	s.gitIn(tb, repo, stream, "fast-import", "--quiet", "--force")
}

// AddRefs makes many references at once, without a file for each.
func (s *Server) AddRefs(tb testing.TB, repo string, refs map[string]string) {
	tb.Helper()
	s.Git(tb, repo, "pack-refs", "--all")
	packed := filepath.Join(s.Path(repo), "packed-refs")
	old, err := os.ReadFile(packed)
	if err != nil {
		tb.Fatal(err)
	}
	heading, rest, _ := strings.Cut(string(old), "\n")
	type entry struct{ name, text string } // a peeled tag has a second line
	var entries []entry
	for line := range strings.Lines(rest) {
		if n := len(entries); strings.HasPrefix(line, "^") {
			entries[n-1].text += line
		} else {
			entries = append(entries, entry{strings.TrimSpace(line[41:]), line})
		}
	}
	for name, hash := range refs {
		entries = append(entries, entry{name, hash + " " + name + "\n"})
	}
	slices.SortFunc(entries, func(x, y entry) int { return strings.Compare(x.name, y.name) })
	var b strings.Builder
	fmt.Fprintln(&b, heading)
	for _, e := range entries {
		b.WriteString(e.text)
	}
	if err := os.WriteFile(packed, []byte(b.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
}

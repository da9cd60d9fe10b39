package render

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// runGit runs the git program, which the tests compare with and the agent never uses.
func runGit(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestDirTreeNamesObjectsLikeGit(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.txt": "text\n", "empty": "", "folder/b.txt": "b", "folder-x/c.txt": "c", "folder.txt": "sorts between",
		"link.txt": "-> a.txt", "folder/up.txt": "-> ../a.txt", "folderlink": "-> folder", "run.sh": "#!/bin/sh\n",
		"sub/ignored.log": "x", ".gitignore": "*.log\n",
	})
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "nothing/in/here"), 0o755); err != nil {
		t.Fatal(err)
	}
	runGit(t, dir, "init", "-q")
	runGit(t, dir, "add", "-f", ".")
	runGit(t, dir, "commit", "-q", "-m", "all")
	tree := open(t, dir)
	for name, at := range map[string]string{
		".": "HEAD^{tree}", "a.txt": "HEAD:a.txt", "folder": "HEAD:folder", "folder/b.txt": "HEAD:folder/b.txt", "empty": "HEAD:empty",
		"link.txt": "HEAD:a.txt", "folderlink": "HEAD:folder", "folder/up.txt": "HEAD:a.txt", "folderlink/b.txt": "HEAD:folder/b.txt",
		"sub": "HEAD:sub", "run.sh": "HEAD:run.sh",
	} {
		got, err := tree.Object(name)
		if err != nil {
			t.Fatal(err)
		}
		if want := runGit(t, dir, "rev-parse", at); got != want {
			t.Errorf("Object(%q) = %s, git says %s", name, got, want)
		}
	}
	if _, err := tree.Object("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Object of nothing: %v", err)
	}
	if _, err := fs.Stat(tree, ".git/config"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf(".git can be seen: %v", err)
	}
	if err := fstest.TestFS(tree, "a.txt", "folder/b.txt"); err != nil {
		t.Error(err)
	}
}

func TestDirTreeOfNothing(t *testing.T) {
	if _, err := DirTree(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
}

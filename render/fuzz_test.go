package render

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzTrace: a trace that was kept, whatever it has become on the disk, holds or does not, and is written as it was read.
func FuzzTrace(f *testing.F) {
	tree, req := fuzzTree(f), Request{Dir: ".", Application: "shop", Source: Source{Directory: &Directory{Path: "deploy"}}, Namespace: "shop"}
	made, err := Render(f.Context(), tree, req)
	if err != nil {
		f.Fatal(err)
	}
	whole, err := json.Marshal(made.Trace)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"v":1,"shape":"x","paths":{"../out":"dir","":"list ","\u0000":"blob "},"asked":{"kubeVersion in >":"true"}}`))
	f.Add([]byte(`{"v":1,"asked":{"":""}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var trace Trace
		if err := json.Unmarshal(data, &trace); err != nil {
			return
		}
		holds := trace.Holds(tree, req)
		text, err := json.Marshal(trace)
		if err != nil {
			t.Fatal(err)
		}
		var again Trace
		if err := json.Unmarshal(text, &again); err != nil || again.Holds(tree, req) != holds {
			t.Errorf("written and read again it says otherwise: %v", err)
		}
		if holds && trace.shape != req.shape(true) {
			t.Error("a trace of another request holds")
		}
	})
}

// FuzzDirTree: no name leads out of the folder, or into .git.
func FuzzDirTree(f *testing.F) {
	tree := fuzzTree(f)
	for _, name := range []string{".", "deploy/a.yaml", "deploy/out", "deploy/up/secret", "../secret", ".git/config", "deploy/../.git/config", "deploy/.git", "a\\..\\b", "\x00", strings.Repeat("a/", 500)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		text, err := fs.ReadFile(tree, name)
		if err == nil && strings.Contains(string(text), "secret") {
			t.Errorf("%q reads %q", name, text)
		}
		if _, err := fs.Stat(tree, name); err == nil != fs.ValidPath(name) && err == nil {
			t.Errorf("%q is no path, and there", name)
		}
		if hash, err := tree.Object(name); err == nil && len(hash) != 40 {
			t.Errorf("%q is object %q", name, hash)
		}
		if entries, err := fs.ReadDir(tree, name); err == nil {
			for _, e := range entries {
				if e.Name() == ".git" {
					t.Errorf("%q lists .git", name)
				}
			}
		}
	})
}

// fuzzTree is a folder with links out of it, and a repository of its own.
func fuzzTree(f *testing.F) Tree {
	f.Helper()
	dir := f.TempDir()
	for name, text := range map[string]string{
		"secret": "secret", "tree/.git/config": "secret", "tree/deploy/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			f.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out": "../../secret", "up": "../.."} {
		if err := os.Symlink(to, filepath.Join(dir, "tree/deploy", link)); err != nil {
			f.Fatal(err)
		}
	}
	tree, err := DirTree(filepath.Join(dir, "tree"))
	if err != nil {
		f.Fatal(err)
	}
	return tree
}

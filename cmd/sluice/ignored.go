package main

import (
	"context"
	"io/fs"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"github.com/sluice-cd/sluice/render"
)

// committable is a working copy without the folders that Git ignores: no commit will have them. `kustomize build
// --enable-helm` leaves the charts that it fetched in one, where kustomizations find them again.
type committable struct {
	render.Tree
	ignored map[string]bool
}

// withoutIgnored hides the ignored folders of the working copy that has dir. Where git does not know them, all is shown.
func withoutIgnored(ctx context.Context, tree render.Tree, dir string) render.Tree {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return tree
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return tree
	}
	cmd := exec.CommandContext(ctx, "git", "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
	if cmd.Dir = repositoryRoot(abs); cmd.Dir == "" {
		return tree
	}
	out, err := cmd.Output()
	if err != nil {
		return tree
	}
	hidden := committable{tree, map[string]bool{}}
	for name := range strings.SplitSeq(string(out), "\x00") {
		if folder, ok := strings.CutSuffix(name, "/"); ok {
			hidden.ignored[folder] = true
		}
	}
	return hidden
}

func (c committable) hides(op, name string) error {
	for at := name; at != "." && at != "/"; at = path.Dir(at) {
		if c.ignored[at] {
			return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
		}
	}
	return nil
}

func (c committable) Open(name string) (fs.File, error) {
	if err := c.hides("open", name); err != nil {
		return nil, err
	}
	return c.Tree.Open(name)
}

func (c committable) Stat(name string) (fs.FileInfo, error) {
	if err := c.hides("stat", name); err != nil {
		return nil, err
	}
	return fs.Stat(c.Tree, name)
}

func (c committable) ReadFile(name string) ([]byte, error) {
	if err := c.hides("open", name); err != nil {
		return nil, err
	}
	return fs.ReadFile(c.Tree, name)
}

func (c committable) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := c.hides("open", name); err != nil {
		return nil, err
	}
	return fs.ReadDir(c.Tree, name)
}

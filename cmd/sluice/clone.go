package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// clone is a person's working clone. It is written by their own git, so that identity, signature and hooks are theirs.
type clone struct {
	root, branch string
	// named is its folder where that is not the one that the command is about.
	named string
}

func openClone(ctx context.Context, dir string) (*clone, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c := &clone{root: repositoryRoot(abs)}
	if c.root == "" {
		return nil, fmt.Errorf("%q is in no Git repository", abs)
	}
	if c.branch, err = c.git(ctx, "symbolic-ref", "--short", "HEAD"); err != nil {
		return nil, hinted{fmt.Errorf("%q is on no branch: %w", c.root, err), "git switch BRANCH"}
	}
	return c, nil
}

// command is a command of git, as a person may call it here.
func (c *clone) command(args string) string {
	if c.named == "" {
		return "git " + args
	}
	return "git -C " + c.named + " " + args
}

func (c *clone) git(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", c.root}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.Stdin = &stdout, &stderr, os.Stdin // a signature may ask for a passphrase
	if err := cmd.Run(); err != nil {
		if said := strings.TrimSpace(stderr.String()); said != "" {
			err = errors.New(said)
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(stdout.String()), nil
}

// revision is the full hash of what a person names: a commit, branch or tag.
func (c *clone) revision(ctx context.Context, name string) (string, error) {
	hash, err := c.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	if err != nil {
		return "", hinted{fmt.Errorf("%q is no commit, branch or tag of this clone", name), "git fetch"}
	}
	return hash, nil
}

// unchanged refuses a file with changes that are not committed: they would go along, and nobody would have meant it.
func (c *clone) unchanged(ctx context.Context, file string) error {
	abs, err := filepath.Abs(file)
	if err != nil {
		return err
	}
	changes, err := c.git(ctx, "status", "--porcelain", "--untracked-files=all", "--", abs)
	if err == nil && changes != "" {
		return hinted{fmt.Errorf("%s has changes that are not committed", file), "git diff HEAD -- " + file}
	}
	return err
}

// reaches refuses a clone that is behind: it lacks what its branch has on the server. tip is empty where the server has no such
// branch.
func (c *clone) reaches(ctx context.Context, tip string) error {
	if tip == "" {
		return hinted{fmt.Errorf("origin has no branch %s", c.branch), c.command("switch BRANCH") + ", where BRANCH is the one that the agent polls"}
	}
	if _, err := c.git(ctx, "merge-base", "--is-ancestor", tip, "HEAD"); err != nil {
		return c.behind(fmt.Sprintf("%.7s, which is on origin", tip))
	}
	return nil
}

// has refuses a clone that lacks a release; empty: none is needed.
func (c *clone) has(ctx context.Context, revision string) error {
	if revision == "" {
		return nil
	}
	if _, err := c.git(ctx, "cat-file", "-e", revision+"^{commit}"); err != nil {
		return c.behind(fmt.Sprintf("the release %.7s", revision))
	}
	return nil
}

func (c *clone) behind(what string) error {
	return hinted{fmt.Errorf("this clone is behind: branch %s has not %s", c.branch, what), c.command("pull")}
}

// commit writes a file and commits it, and nothing else, whatever the index has. A commit that git refuses leaves the
// file as it was.
func (c *clone) commit(ctx context.Context, file string, content []byte, message string) (revision string, err error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	before, errBefore := os.ReadFile(abs)
	if err := os.MkdirAll(filepath.Dir(abs), 0o777); err != nil { // the umask decides, as for every file of a clone
		return "", err
	}
	if err := os.WriteFile(abs, content, 0o666); err != nil {
		return "", err
	}
	if _, err = c.git(ctx, "add", "--", abs); err == nil {
		_, err = c.git(ctx, "commit", "--quiet", "--only", "--message", message, "--", abs)
	}
	if err == nil {
		return c.git(ctx, "rev-parse", "HEAD")
	}
	_, _ = c.git(ctx, "reset", "--quiet", "--", abs) //nolint:errcheck // the commit's error says more
	if errBefore == nil {
		_ = os.WriteFile(abs, before, 0o666) //nolint:errcheck // see above
	} else {
		_ = os.Remove(abs)
	}
	return "", err
}

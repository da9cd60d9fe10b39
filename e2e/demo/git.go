package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// user is whose name the Git server knows.
const user = "ada"

// gitServer is the Git server with the examples.
type gitServer struct {
	*child
	address, password string // HTTP, without a slash at the end
	dir               string // of the bare repositories
}

// application is one of the examples.
type application struct {
	name, example string
	revision      string // what was pushed first
}

func examples() []*application {
	return []*application{
		{name: "shop", example: "01-plain"}, {name: "orders", example: "02-kustomize"}, {name: "catalog", example: "03-helm"},
	}
}

// startGit starts the server and pushes each example into a repository of its own, as a user would.
func (d *demo) startGit(ctx context.Context) error {
	secret := make([]byte, 6)
	if _, err := rand.Read(secret); err != nil {
		return err
	}
	g := &gitServer{dir: d.path("git"), password: hex.EncodeToString(secret)}
	devgit := d.program("e2e/bin/devgit")
	d.apps = examples()
	for _, app := range d.apps {
		out, err := exec.CommandContext(ctx, devgit, "create", "--dir", g.dir, app.name).CombinedOutput()
		if err != nil {
			return fmt.Errorf("create repository %q: %w: %s", app.name, err, out)
		}
	}
	cmd := exec.Command(devgit, "serve", "--dir", g.dir, "--user", user+":"+g.password)
	cmd.Stderr = d.say.indented()
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout = in
	g.child, err = startChild("Git server", cmd)
	_ = in.Close()
	if err != nil {
		return err
	}
	d.later("Ending the Git server", g.stop)
	if g.address, err = readAddress(out); err != nil {
		return err
	}
	d.git, d.notes = g, &notebook{dir: g.dir, alive: d.alive}
	for _, app := range d.apps {
		if err := d.push(ctx, app); err != nil {
			return err
		}
		d.say.line("    %s  <- examples/%s", g.url(app.name), app.example)
	}
	return nil
}

// readAddress reads the line that the server prints when it is ready.
func readAddress(out io.Reader) (string, error) {
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		return "", fmt.Errorf("start Git server: %w", err)
	}
	var ready struct {
		HTTP string `json:"http"`
	}
	if err := json.Unmarshal(line, &ready); err != nil {
		return "", fmt.Errorf("start Git server: %w: %s", err, line)
	}
	return strings.TrimRight(ready.HTTP, "/"), nil
}

func (g *gitServer) url(name string) string { return g.address + "/" + name + ".git" }

// cloneURL is the address with user and password.
func (g *gitServer) cloneURL(name string) string {
	return strings.Replace(g.url(name), "://", "://"+user+":"+g.password+"@", 1)
}

// push makes a repository of an example and pushes it.
func (d *demo) push(ctx context.Context, app *application) error {
	work := d.path("push", app.name)
	if err := os.CopyFS(work, os.DirFS(d.program(filepath.Join("examples", app.example)))); err != nil {
		return fmt.Errorf("copy examples/%s: %w", app.example, err)
	}
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"}, {"add", "--all"},
		{"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "--quiet", "--message", "The example as it is copied"},
		{"push", "--quiet", d.git.cloneURL(app.name), "HEAD:refs/heads/main"},
	} {
		if _, err := git(ctx, work, args...); err != nil {
			return err
		}
	}
	revision, err := git(ctx, work, "rev-parse", "HEAD")
	app.revision = revision
	return err
}

// git runs git in a folder, with nothing of the user's own configuration, and returns what it prints.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = dir, plainGit()
	detach(cmd)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, stderr.Bytes())
	}
	return strings.TrimSpace(stdout.String()), nil
}

func plainGit() []string {
	return append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C")
}

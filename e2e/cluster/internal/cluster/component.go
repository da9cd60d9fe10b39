package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster/internal/process"
)

// stopGrace is how long one component may take to end in good order. The API server would wait a minute for
// the watches of the others to end; a story that takes it away cannot.
const stopGrace = 2 * time.Second

// StopComponent ends one component; the others go on without it. One that does not run is no error.
func (c *Cluster) StopComponent(name string) error {
	if err := c.check(name); err != nil {
		return err
	}
	p, ok, err := process.Load(c.pidFile(name))
	if err != nil || !ok {
		return err
	}
	return p.Stop(stopGrace)
}

// StartComponent starts one component again, with its old arguments and data. For the API server it returns
// when that is ready. One that runs is no error.
func (c *Cluster) StartComponent(ctx context.Context, name string) error {
	if err := c.check(name); err != nil {
		return err
	}
	if c.alive(name) {
		return nil
	}
	if err := c.start(name); err != nil {
		return err
	}
	if name == apiserver {
		if err := c.waitReady(ctx); err != nil {
			c.stopStarted()
			return c.withLog(name, err)
		}
	}
	return nil
}

func (c *Cluster) check(name string) error {
	if !slices.Contains(Components(), name) {
		return fmt.Errorf("component %q: want one of %s", name, strings.Join(Components(), ", "))
	}
	if !c.exists() {
		return fmt.Errorf("%w in %q", ErrNotUp, c.dir)
	}
	return nil
}

func (c *Cluster) start(name string) error {
	child, err := process.Start(process.Spec{
		Name: name, Program: c.program, Args: c.args(name), Dir: c.dir,
		Env: c.environment(), Log: c.logFile(name), PIDFile: c.pidFile(name),
	})
	if err != nil {
		return err
	}
	c.started[name] = child
	return nil
}

// environment keeps the components from reading the settings of whoever starts them.
func (c *Cluster) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "HOME=" + c.path("pki")}
}

func (c *Cluster) alive(name string) bool {
	p, ok, err := process.Load(c.pidFile(name))
	return err == nil && ok && p.Alive()
}

func (c *Cluster) pidFile(name string) string { return c.path(name + ".pid") }
func (c *Cluster) logFile(name string) string { return c.path(name + ".log") }

// withLog adds the last lines of a component's log to err.
func (c *Cluster) withLog(name string, err error) error {
	b, readErr := os.ReadFile(c.logFile(name))
	if readErr != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	lines = lines[max(0, len(lines)-15):]
	return fmt.Errorf("%w\nlast lines of %s:\n%s", err, c.logFile(name), bytes.Join(lines, []byte("\n")))
}

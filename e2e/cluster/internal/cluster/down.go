package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster/internal/process"
)

// downGrace is how long the components may take when the cluster goes away for good, with all that they could
// save.
const downGrace = time.Second

// Down ends every component and removes what the cluster has written, the logs only where keepLogs is false.
// Files of others in the folder stay. With no cluster there it does nothing.
func (c *Cluster) Down(keepLogs bool) error {
	var running []process.Process
	for _, name := range Components() {
		p, ok, err := process.Load(c.pidFile(name))
		if err != nil {
			return err
		}
		if ok {
			running = append(running, p)
		}
	}
	if err := stopAll(running); err != nil {
		return err
	}
	return c.remove(keepLogs)
}

// stopStarted ends what this run of the program has started.
func (c *Cluster) stopStarted() {
	var running []process.Process
	for _, child := range c.started {
		running = append(running, child.Process)
	}
	if err := stopAll(running); err != nil {
		c.say("%v", err)
		return
	}
	for name := range c.started {
		_ = os.Remove(c.pidFile(name))
	}
	clear(c.started)
}

// stopAll asks all of them to end before it waits for the first, with one deadline.
func stopAll(running []process.Process) error {
	deadline := time.Now().Add(downGrace)
	var errs []error
	for _, p := range running {
		errs = append(errs, p.Signal(syscall.SIGTERM))
	}
	for _, p := range running {
		errs = append(errs, p.Stop(time.Until(deadline)))
	}
	return errors.Join(errs...)
}

// remove deletes the cluster's own files.
func (c *Cluster) remove(keepLogs bool) error {
	own := []string{"cluster.json", "kubeconfig", "*.pid", "pki", "etcd"}
	if !keepLogs {
		own = append(own, "audit.log", "*.log")
	}
	for _, pattern := range own {
		matches, err := filepath.Glob(c.path(pattern))
		if err != nil {
			return err
		}
		for _, m := range matches {
			if err := os.RemoveAll(m); err != nil {
				return err
			}
		}
	}
	c.forget()
	return nil
}

// forget leaves a folder that holds no cluster, though perhaps its logs.
func (c *Cluster) forget() {
	_ = os.Remove(c.path("cluster.json"))
	c.state = state{}
}

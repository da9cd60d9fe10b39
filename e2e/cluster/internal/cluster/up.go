package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/e2e/cluster/internal/process"
)

// Config says what cluster Up makes.
type Config struct {
	// Port is the API server's; 0 lets Up choose one.
	Port int
	// Nodes is how many nodes there are; at least 1.
	Nodes int
}

// attempts is how often Up chooses ports anew when another program was faster.
const attempts = 5

var errPortTaken = errors.New("a port was taken by another program")

// Up starts a cluster and returns when a Deployment has become Available in it. Where one is up already and
// healthy, it does nothing. What it started before an error, it ends again.
func (c *Cluster) Up(ctx context.Context, config Config) error {
	if config.Nodes < 1 {
		return fmt.Errorf("number of nodes: must be at least 1 (got %d)", config.Nodes)
	}
	if done, err := c.already(ctx); done || err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		err := c.attempt(ctx, config)
		if err == nil {
			return nil
		}
		c.stopStarted()
		c.forget()
		if config.Port != 0 || attempt == attempts || !errors.Is(err, errPortTaken) {
			return err
		}
		c.say("a port was taken by another program, trying others")
	}
}

// already looks at what the folder holds. A cluster of which nothing runs any more is removed; one of which
// only a part runs is an error, since something may still want to look at it.
func (c *Cluster) already(ctx context.Context) (done bool, err error) {
	if !c.exists() {
		return false, nil
	}
	var dead []string
	for _, name := range Components() {
		if !c.alive(name) {
			dead = append(dead, name)
		}
	}
	switch len(dead) {
	case 0:
		if err := c.ready(ctx); err != nil {
			return false, fmt.Errorf("cluster in %q is up but not healthy: %w", c.dir, err)
		}
		c.say("already up in %s", c.dir)
		return true, nil
	case len(Components()):
		return false, c.remove(false)
	}
	return false, fmt.Errorf("cluster in %q is up without %s", c.dir, strings.Join(dead, ", "))
}

func (c *Cluster) attempt(ctx context.Context, config Config) error {
	begin := time.Now()
	phases := []struct {
		name string
		run  func(context.Context) error
	}{
		{"preparation", func(context.Context) error { return c.prepare(config) }},
		{"etcd and kube-apiserver", c.startServers},
		{"nodes and controllers", c.startControllers},
		{"first Deployment", c.probe},
	}
	for _, p := range phases {
		phase := time.Now()
		if err := p.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, c.explain(err))
		}
		c.say("%-25s %5.1fs", p.name, time.Since(phase).Seconds())
	}
	c.say("%-25s %5.1fs", "ready", time.Since(begin).Seconds())
	return nil
}

func (c *Cluster) prepare(config Config) error {
	if err := c.remove(false); err != nil { // logs and audit of a former attempt
		return err
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	ports, err := process.FreePorts(4)
	if err != nil {
		return err
	}
	c.state = state{
		Nodes: config.Nodes, APIPort: ports[0], ClientPort: ports[1], PeerPort: ports[2], KwokPort: ports[3],
	}
	if config.Port != 0 {
		if !process.Free(config.Port) {
			return fmt.Errorf("port %d is not free", config.Port)
		}
		c.state.APIPort = config.Port
	}
	if err := c.writeFiles(); err != nil {
		return err
	}
	return c.save()
}

func (c *Cluster) startServers(ctx context.Context) error {
	for _, name := range []string{etcd, apiserver} {
		if err := c.start(name); err != nil {
			return err
		}
	}
	return c.waitReady(ctx)
}

func (c *Cluster) startControllers(ctx context.Context) error {
	for _, name := range []string{manager, scheduler, kwok} {
		if err := c.start(name); err != nil {
			return err
		}
	}
	return c.createNodes(ctx)
}

// explain turns the end of a component into an error that shows its log.
func (c *Cluster) explain(err error) error {
	for _, name := range Components() {
		child := c.started[name]
		if child == nil || child.Alive() {
			continue
		}
		if log, _ := os.ReadFile(c.logFile(name)); strings.Contains(string(log), "address already in use") {
			return fmt.Errorf("%s: %w", name, errPortTaken)
		}
		return c.withLog(name, fmt.Errorf("%s ended: %w", name, err))
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return c.withLog(apiserver, err)
}

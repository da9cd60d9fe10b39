package main

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// child is a program that the demo started and ends.
type child struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
	err   error // read after ended
}

// detach keeps the terminal's Ctrl-C from a program, since the demo itself ends it in good order, and lets it end
// with the demo when that is killed.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// startChild starts a program that goes on.
func startChild(name string, cmd *exec.Cmd) (*child, error) {
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{name: name, cmd: cmd, ended: make(chan struct{})}
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// stop asks the program to end and waits for it; after a while it is forced.
func (c *child) stop(context.Context) error {
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
		<-c.ended
		return fmt.Errorf("end %s: it did not end by itself within 20 s", c.name)
	}
	return nil
}

// alive is an error when the program has ended by itself.
func (c *child) alive() error {
	select {
	case <-c.ended:
		return fmt.Errorf("%s ended: %w", c.name, c.err)
	default:
		return nil
	}
}

// once runs a program to its end; when ctx ends, it is asked to end.
func once(ctx context.Context, cmd func(context.Context) *exec.Cmd) error {
	c := cmd(ctx)
	detach(c)
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = 20 * time.Second
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	return nil
}

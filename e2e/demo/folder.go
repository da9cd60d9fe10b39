package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// prepare finds the programs and makes the demo's folder, alone in it. What a killed demo has left goes first.
func (d *demo) prepare(ctx context.Context) error {
	for _, name := range []string{"bin/sluice", "e2e/bin/devcluster", "e2e/bin/devgit"} {
		if _, err := os.Stat(d.program(name)); err != nil {
			return fmt.Errorf("%w: start the demo with `make demo`", err)
		}
	}
	d.dir = filepath.Join(d.root, ".sluice-demo")
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	lock, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return errors.Join(fmt.Errorf("lock %q: another demo runs in this folder", d.dir), lock.Close())
	}
	d.later("", func(context.Context) error {
		return errors.Join(os.RemoveAll(d.dir), lock.Close())
	})
	left, err := os.ReadDir(d.dir)
	if err != nil || len(left) == 0 {
		return err
	}
	return d.say.timed("Removing what an earlier demo left", func() error { return d.sweep(ctx, left) })
}

func (d *demo) sweep(ctx context.Context, left []os.DirEntry) error {
	if err := d.devcluster(ctx, "down"); err != nil {
		return err
	}
	for _, entry := range left {
		if err := os.RemoveAll(filepath.Join(d.dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// program is the path of a program that the Makefile builds.
func (d *demo) program(name string) string { return filepath.Join(d.root, name) }

func (d *demo) path(elements ...string) string {
	return filepath.Join(append([]string{d.dir}, elements...)...)
}

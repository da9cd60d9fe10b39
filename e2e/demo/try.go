package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// tryAll carries out what suggest would have printed, with a clone of its own, and returns nil only if all of it
// happened.
func (d *demo) tryAll(ctx context.Context) error {
	work := d.path("work")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return err
	}
	d.say.line("\nTrying %d things, with a clone of the shop's repository (user %s, password %s)\n", len(d.things()), user, d.git.password)
	if err := d.shell(ctx, work, d.clone()); err != nil {
		return err
	}
	work += "/shop"
	for i, t := range d.things() {
		d.say.line("")
		err := d.say.timed(fmt.Sprintf("%d. %s", i+1, t.title), func() error {
			for _, s := range t.steps {
				if err := d.try(ctx, work, s); err != nil {
					return fmt.Errorf("%s: %w", strings.ToLower(t.title), err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	d.say.line("\nAll of it happened.\n")
	return nil
}

// try carries out one step and waits until what it leads to has come about.
func (d *demo) try(ctx context.Context, work string, s step) error {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return err
		}
	}
	for _, command := range s.commands {
		if err := d.shell(ctx, work, command); err != nil {
			return err
		}
	}
	revision, err := git(ctx, work, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	err = await(ctx, patience, func() error {
		fresh, err := d.notes.read(ctx)
		if err != nil {
			return err
		}
		for _, n := range fresh {
			d.say.note(n)
		}
		return s.happened(ctx, revision)
	})
	if err != nil {
		return fmt.Errorf("%w; the agent's last words:\n%s", err, d.lastWords())
	}
	d.say.line("    It happened: %s", s.then)
	for _, command := range s.look {
		if err := d.shell(ctx, work, command); err != nil {
			return err
		}
	}
	return nil
}

// shell runs a command as a user would type it, and shows it and what it prints.
func (d *demo) shell(ctx context.Context, dir, command string) error {
	d.say.line("    $ %s", command)
	err := once(ctx, func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, "sh", "-e", "-c", command)
		cmd.Dir, cmd.Env = dir, plainGit()
		cmd.Stdout, cmd.Stderr = d.say.indented(), d.say.indented()
		return cmd
	})
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

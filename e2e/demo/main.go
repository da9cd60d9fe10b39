package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	d := &demo{say: &speaker{out: os.Stdout}}
	flag.StringVar(&d.root, "root", "..", "top of the repository")
	flag.BoolVar(&d.walk, "exit", false, "try what is suggested, then end")
	flag.StringVar(&d.foreign, "kubeconfig", "", "use this cluster instead of an embedded one")
	flag.Parse()
	code := d.main(ctx)
	stop()
	os.Exit(code)
}

// main runs the demo and tidies up, whatever became of it. One that stays up has done its work when it is ended; one
// that should try things has not.
func (d *demo) main(ctx context.Context) int {
	err := d.run(ctx)
	ended := ctx.Err() != nil && errors.Is(err, context.Canceled)
	if ended {
		d.say.line("\nEnding")
		err = nil
	}
	err = errors.Join(err, d.undoAll())
	switch {
	case err != nil:
		_, _ = fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		return 1
	case ended && d.walk:
		_, _ = fmt.Fprintln(os.Stderr, "Error: ended before everything had happened")
		return 1
	}
	d.say.line("Nothing is left behind.")
	return 0
}

// demo is one run. Its fields are filled by the parts in the order of run.
type demo struct {
	root, foreign string
	walk          bool

	dir     string // all that the demo writes
	say     *speaker
	cluster *cluster
	git     *gitServer
	agent   *child
	listen  string // where the agent answers
	// dashboard is where its pages are.
	dashboard string
	notes     *notebook
	apps      []*application
	undo      []undo
}

// undo is something to be taken back at the end.
type undo struct {
	what string // empty: not worth telling
	do   func(context.Context) error
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.root, err = filepath.Abs(d.root); err != nil {
		return err
	}
	for _, part := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"", d.prepare},
		{"Control plane", d.startCluster},
		{"Namespaces, accounts and rights of examples/install", d.install},
		{"Git server with the three examples", d.startGit},
		{"Agent, with exactly those rights", d.startAgent},
		{"Examples healthy in staging and production", d.awaitHealthy},
	} {
		if err := d.say.timed(part.what, func() error { return part.do(ctx) }); err != nil {
			return err
		}
	}
	if err := d.describe(ctx); err != nil {
		return err
	}
	if d.walk {
		return d.tryAll(ctx)
	}
	d.suggest()
	return d.stay(ctx)
}

// later remembers what is to be taken back, the newest first.
func (d *demo) later(what string, do func(context.Context) error) {
	d.undo = append(d.undo, undo{what, do})
}

// undoAll takes everything back, whatever became of the rest.
func (d *demo) undoAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	var errs []error
	for i := len(d.undo) - 1; i >= 0; i-- {
		u := d.undo[i]
		errs = append(errs, d.say.timed(u.what, func() error { return u.do(ctx) }))
	}
	return errors.Join(errs...)
}

// stay tells what happens until somebody ends the demo.
func (d *demo) stay(ctx context.Context) error {
	d.say.line("What happens from now on (Ctrl-C ends the demo and leaves nothing behind):\n")
	return d.notes.follow(ctx, func(n note) (bool, error) {
		d.say.note(n)
		return false, nil
	})
}

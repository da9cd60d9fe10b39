package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// bed stands for a test in package world's functions: a run of the benchmark that ends at the first fault and takes
// back what it did.
type bed struct {
	// TB is nil. It makes the type fit; whatever world calls is below.
	testing.TB
	ctx    context.Context
	undo   []func()
	failed bool
}

// fault is what a bed panics with.
type fault struct{ error }

// within runs do, undoes what it did, and returns the fault that ended it.
func within(ctx context.Context, do func(*bed)) (err error) {
	b := &bed{ctx: ctx}
	defer func() {
		if r := recover(); r != nil {
			f, ok := r.(fault)
			if !ok {
				panic(r)
			}
			err = f.error
		}
		if b.failed && err == nil {
			err = fmt.Errorf("something went wrong, see above")
		}
	}()
	defer func() {
		for _, undo := range slices.Backward(b.undo) {
			undo()
		}
	}()
	do(b)
	return nil
}

func (b *bed) Helper()                  {}
func (b *bed) Context() context.Context { return b.ctx }
func (b *bed) Cleanup(undo func())      { b.undo = append(b.undo, undo) }
func (b *bed) Failed() bool             { return b.failed }

func (b *bed) Fatal(args ...any) { panic(fault{fmt.Errorf("%s", fmt.Sprint(args...))}) }

func (b *bed) Fatalf(format string, args ...any) { panic(fault{fmt.Errorf(format, args...)}) }

func (b *bed) Error(args ...any) {
	b.failed = true
	b.Logf("%s", fmt.Sprint(args...))
}

func (b *bed) Errorf(format string, args ...any) {
	b.failed = true
	b.Logf(format, args...)
}

func (b *bed) Log(args ...any) { b.Logf("%s", fmt.Sprint(args...)) }

func (b *bed) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

// must is for errors that end the run.
func (b *bed) must(err error, what string) {
	if err != nil {
		b.Fatalf("%s: %w", what, err)
	}
}

// begin makes a cluster with the places of a story in it, where no agent runs yet.
func (b *bed) begin(o options, name string) *world.Story {
	b.Logf("Starting a cluster")
	w, err := world.Open(b.ctx)
	b.must(err, "open world")
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	if o.agent != "" {
		w.Sluice = o.agent
	}
	s := &world.Story{
		World: w, Name: name, Dir: filepath.Join(w.Dir, name),
		System: name + "-system", Apps: name + "-apps", Staging: name + "-staging", Production: name,
	}
	b.must(os.MkdirAll(s.Dir, 0o755), "make folder")
	s.Install(b, s.Names())
	return s
}

// await looks twice a second, as what it looks at costs much.
func (b *bed) await(of *world.Story, what string, cond func() error) {
	deadline, tick := time.Now().Add(4*patience), time.NewTicker(500*time.Millisecond)
	defer tick.Stop()
	for {
		err := cond()
		switch {
		case err == nil:
			return
		case time.Now().After(deadline):
			b.Fatalf("%s: %w\n%s", what, err, world.Tail(of.Agent.Log(b), 20))
		}
		select {
		case <-b.ctx.Done():
			b.Fatal(b.ctx.Err())
		case <-tick.C:
		}
	}
}

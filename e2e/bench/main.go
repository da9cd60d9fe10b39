package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	run          *regexp.Regexp
	agent        string
	out          string
	applications int
	idle         time.Duration
	tries        int
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == floorCommand {
		exit(applyFloor(context.Background(), os.Args[2:]))
	}
	var o options
	run := flag.String("run", ".", "only figures whose names match")
	flag.StringVar(&o.out, "out", "bench.json", "file for the figures")
	flag.StringVar(&o.agent, "agent", "", "program to measure instead of bin/sluice")
	flag.IntVar(&o.applications, "apps", 100, "applications in the monorepo; the large one has five times as many")
	flag.DurationVar(&o.idle, "idle", time.Minute, "how long to look at an idle agent")
	flag.IntVar(&o.tries, "tries", 5, "how often single commits and drifts are tried")
	flag.Parse()
	var err error
	if o.run, err = regexp.Compile(*run); err != nil {
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = measure(ctx, o)
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "Error: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// measure runs the groups of which a figure is wanted. What was measured before one failed is written all the same.
func measure(ctx context.Context, o options) error {
	r := &report{wanted: o.run, out: os.Stdout, Requests: map[string]map[string]int{}}
	r.Machine = thisMachine(o.applications)
	small, large, notes := needs(r, smallGroups("")), needs(r, largeGroups()), r.wants(noteFigures()...)
	told := r.wants(toldFigures()...)
	watched, rendered := r.wants(watchedFigures()...), r.wants(renderFigures()...)
	if !small && !large && !notes && !told && !watched && !rendered {
		return fmt.Errorf("no figure matches %q", o.run)
	}
	var faults []error
	if notes {
		faults = append(faults, within(ctx, func(b *bed) { measureNotes(b, r) }))
	}
	if rendered && ctx.Err() == nil {
		faults = append(faults, within(ctx, func(b *bed) { measureRenders(b, r) }))
	}
	if told && ctx.Err() == nil {
		faults = append(faults, within(ctx, func(b *bed) { measureTold(b, r, o) }))
	}
	if watched && ctx.Err() == nil {
		faults = append(faults, within(ctx, func(b *bed) { measureWatched(b, r, o) }))
	}
	if small {
		faults = append(faults, within(ctx, func(b *bed) { measureGround(b, r, o, "", o.applications, smallGroups("")) }))
	}
	if large && ctx.Err() == nil {
		faults = append(faults, within(ctx, func(b *bed) { measureGround(b, r, o, largeName, 5*o.applications, largeGroups()) }))
		r.growth()
	}
	return errors.Join(append(faults, r.write(o.out))...)
}

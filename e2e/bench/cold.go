package main

import (
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// cold starts an agent that knows nothing: it has to clone, render and apply everything.
func (g *ground) cold() {
	g.Logf("Agent, cold, %d applications", len(g.apps))
	var refs []world.Ref
	for _, app := range g.apps {
		refs = append(refs, app.refs()...)
	}
	goal := g.lookout.aim(refs, image+":"+firstTag)
	began := time.Now()
	g.story.Agent.Launch(g)
	applied, available := goal.await(g.bed, g.lookout, began, patience)
	used := g.usage(began, 0, g.healthy)
	memory, err := processes(g.story.Agent.PID()).memory()
	g.must(err, "measure memory")
	name := "agent" + g.size + "-cold"
	g.compare(name, "floor"+g.size, applied, available)
	g.report.add(name+"-recorded", used.last.Sub(began).Seconds(), "s", "")
	g.report.add(name+"-cpu", used.cpu.Seconds(), "s", "floor"+g.size+"-dryrun-cpu")
	g.report.add(name+"-requests-per-object", float64(len(used.requests))/float64(len(refs)), "requests", "")
	g.report.add(name+"-memory", memory, "MiB", "")
	g.report.Requests[name] = tally(used.requests)
}

// compare tells how long something took, beside both floors.
func (g *ground) compare(name, floor string, applied, available time.Duration) {
	for _, f := range []struct {
		name string
		took time.Duration
	}{{"-applied", applied}, {"-available", available}} {
		g.report.add(name+f.name, f.took.Seconds(), "s", floor+"-dryrun"+f.name)
		g.report.add(name+f.name+"-bare", f.took.Seconds(), "s", floor+"-bare"+f.name)
	}
}

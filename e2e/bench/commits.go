package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// one commits a change of one application, again and again, and looks at what the agent does for it and for the others.
func (g *ground) one() {
	g.Logf("Commits that touch one application")
	var latencies []time.Duration
	var used usage
	var rendered float64
	others := 0
	for i := range g.options.tries {
		app, tag := g.apps[i*len(g.apps)/g.options.tries], fmt.Sprintf("2.0.%d", i)
		g.setTag(app, tag)
		g.story.Repo.CommitOnly(g, "One application")
		before := g.renders()
		began, cpu := g.skip()
		g.story.Repo.Push(g)
		pushed := time.Now()
		changed := world.Has(image+":"+tag, "spec", "template", "spec", "containers", "0", "image")
		g.story.Cluster.AwaitObject(g, patience, "changed", app.deployment(), changed)
		latencies = append(latencies, time.Since(pushed))
		u := g.usage(began, cpu, enough)
		used.requests = append(used.requests, u.requests...)
		used.cpu += u.cpu
		others += g.others(u.requests, app)
		rendered += g.renders() - before - 1
	}
	tries := float64(g.options.tries)
	g.spread("agent-one-latency", "", latencies)
	g.report.add("agent-one-cpu", used.cpu.Seconds()/tries, "s", "")
	g.report.add("agent-one-requests", float64(len(caused(used.requests)))/tries, "requests", "")
	g.report.add("agent-one-others-rendered", rendered, "renders", "")
	g.report.add("agent-one-others-requests", float64(others), "requests", "")
	g.report.Requests["agent-one"] = tally(used.requests)
}

// spread tells the median and the worst of several tries, the median beside another figure where to names one.
func (g *ground) spread(name, to string, took []time.Duration) {
	slices.Sort(took)
	g.report.add(name, took[len(took)/2].Seconds(), "s", to)
	g.report.add(name+"-worst", took[len(took)-1].Seconds(), "s", "")
}

// renders is how often the agent has rendered anything so far.
func (g *ground) renders() float64 {
	n, err := g.story.Agent.Metric("sluice_renders_total", `hit="false"`)
	g.must(err, "ask the agent for its renders")
	return n
}

// others counts the requests that concern an object or the state of another application.
func (g *ground) others(requests []request, app application) int {
	n := 0
	for _, r := range requests {
		for _, other := range g.apps {
			state := strings.Contains(r.Object.Name, other.name) && r.Object.Namespace == g.story.System
			if other != app && (r.Object.Namespace == other.namespace || state) {
				n++
			}
		}
	}
	return n
}

// all commits one change of every application, after the floors had the same to do.
func (g *ground) all() {
	const tag = "3.0.0"
	for _, f := range []struct {
		name   string
		apps   []application
		dryRun bool
	}{{"bare", g.bare, false}, {"dryrun", g.dry, true}} {
		applied, available, _ := g.floor(f.name+", all changed", f.apps, f.dryRun, tag, true)
		g.report.add("floor-all-"+f.name+"-applied", applied.Seconds(), "s", "")
		g.report.add("floor-all-"+f.name+"-available", available.Seconds(), "s", "")
	}
	g.Logf("A commit that touches all applications")
	var refs []world.Ref
	for _, app := range g.apps {
		g.setTag(app, tag)
		refs = append(refs, app.deployment())
	}
	g.story.Repo.CommitOnly(g, "All applications")
	goal := g.lookout.aim(refs, image+":"+tag)
	_, cpu := g.skip()
	g.story.Repo.Push(g)
	began := time.Now()
	applied, available := goal.await(g.bed, g.lookout, began, patience)
	used := g.usage(began, cpu, g.healthy)
	g.compare("agent-all", "floor-all", applied, available)
	g.report.add("agent-all-cpu", used.cpu.Seconds(), "s", "")
	g.report.add("agent-all-requests-per-object", float64(len(used.requests))/float64(objectsEach*len(g.apps)), "requests", "")
	g.report.Requests["agent-all"] = tally(used.requests)
}

package main

import (
	"slices"
	"time"
)

// idle looks at an agent that polls every second and has nothing to do.
func (g *ground) idle() {
	agent := g.story.Agent
	agent.Stop(g)
	agent.Config.Repositories[0].Poll = map[string]any{"interval": "1s"}
	agent.Start(g)
	g.usage(time.Now(), 0, g.healthy)
	g.Logf("An idle agent, for %v", g.options.idle)
	began, cpu := g.skip()
	select {
	case <-time.After(g.options.idle): // the time itself is what is looked at
	case <-g.ctx.Done():
		g.Fatal(g.ctx.Err())
	}
	used, took := processes(agent.PID()).cpu()-cpu, time.Since(began)
	requests, err := g.audit.next()
	g.must(err, "count requests")
	requests = slices.DeleteFunc(requests, func(r request) bool { return r.Received.Before(began) })
	g.report.Requests["agent-idle"] = tally(requests)
	all := len(requests)
	requests = slices.DeleteFunc(requests, request.upkeep)
	g.report.add("agent-idle-cpu", 100*used.Seconds()/took.Seconds(), "%", "")
	g.report.add("agent-idle-requests", float64(len(requests)), "requests", "")
	g.report.add("agent-idle-upkeep", float64(all-len(requests)), "requests", "")
}

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/e2e/world"
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
	g.report.add("agent-idle-watches", float64(all-len(requests)), "requests", "")
}

// forced asks for a pass over every application, as `sluice reconcile` does.
func (g *ground) forced() {
	g.Logf("A forced pass over all applications")
	secrets := g.story.Cluster.Core.CoreV1().Secrets(g.story.System)
	states, err := secrets.List(g.ctx, metav1.ListOptions{LabelSelector: "state.sluice.dev/kind=state"})
	g.must(err, "list state")
	if len(states.Items) != len(g.apps) {
		g.Fatalf("the agent has %d state objects for %d applications", len(states.Items), len(g.apps))
	}
	var names []string
	for _, state := range states.Items {
		names = append(names, state.Name)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"annotations": map[string]string{"sluice.dev/reconcile": time.Now().Format(time.RFC3339Nano)}}})
	g.must(err, "write patch")
	before := g.passes()
	began, cpu := g.skip()
	g.must(inParallel(names, func(name string) error {
		_, err := secrets.Patch(g.ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	}), "ask for passes")
	world.Await(g, patience, "passes over all", func() error {
		if n := g.passes() - before; int(n) < len(names) {
			return fmt.Errorf("%v of %d", n, len(names))
		}
		return nil
	})
	took, used := time.Since(began), processes(g.story.Agent.PID()).cpu()-cpu
	requests := g.usage(began, cpu, enough).requests // what comes later is its doing too
	g.report.add("agent-forced-time", took.Seconds(), "s", "")
	g.report.add("agent-forced-cpu", used.Seconds(), "s", "")
	g.report.add("agent-forced-requests", float64(len(slices.DeleteFunc(slices.Clone(requests), request.upkeep))), "requests", "")
	g.report.Requests["agent-forced"] = tally(requests)
}

func (g *ground) passes() float64 {
	n, err := g.story.Agent.Metric("sluice_reconciles_total")
	g.must(err, "ask the agent for its passes")
	return n
}

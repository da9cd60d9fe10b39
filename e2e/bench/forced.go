package main

import (
	"encoding/json"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/e2e/world"
)

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
	g.report.add("agent-forced-requests", float64(len(caused(requests))), "requests", "")
	g.report.Requests["agent-forced"] = tally(requests)
}

func (g *ground) passes() float64 {
	n, err := g.story.Agent.Metric("sluice_reconciles_total")
	g.must(err, "ask the agent for its passes")
	return n
}

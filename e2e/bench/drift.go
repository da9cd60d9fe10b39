package main

import (
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/e2e/world"
)

// drift edits and deletes live objects, and looks at how soon they are as Git has them again.
func (g *ground) drift() {
	g.Logf("Drift")
	g.drifts("edited", func(app application) {
		ref := app.ref("Service")
		r := g.story.Cluster.Resource(ref.Kind, ref.Namespace)
		patch := []byte(`[{"op":"replace","path":"/spec/ports/0/targetPort","value":"other"}]`)
		_, err := r.Patch(g.ctx, ref.Name, types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: "kubectl-edit"})
		g.must(err, "edit object")
		g.story.Cluster.AwaitObject(g, patience, "repaired", ref, world.Has("http", "spec", "ports", "0", "targetPort"))
	})
	g.drifts("deleted", func(app application) {
		ref := app.ref("ConfigMap")
		old := g.story.Cluster.Must(g, ref).GetUID()
		err := g.story.Cluster.Resource(ref.Kind, ref.Namespace).Delete(g.ctx, ref.Name, metav1.DeleteOptions{})
		g.must(err, "delete object")
		g.story.Cluster.AwaitObject(g, patience, "back", ref, func(o *unstructured.Unstructured) error {
			if o == nil || o.GetUID() == old {
				return errors.New("it is not back")
			}
			return nil
		})
	})
}

// drifts does something to one application after the other and waits for its repair.
func (g *ground) drifts(what string, do func(application)) {
	var took []time.Duration
	var requests []request
	for i := range g.options.tries {
		began, cpu := g.skip()
		do(g.apps[i*len(g.apps)/g.options.tries])
		took = append(took, time.Since(began))
		requests = append(requests, g.usage(began, cpu, enough).requests...)
	}
	g.spread("agent-drift-"+what, "", took)
	g.report.add("agent-drift-"+what+"-requests", float64(len(caused(requests)))/float64(g.options.tries), "requests", "")
	g.report.Requests["agent-drift-"+what] = tally(requests)
}

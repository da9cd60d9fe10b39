package e2e

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryTakesWorkloadsInOrder: of several workloads in a release one waits in each stage for another, and one that the
// rules do not select changes after the stages.
func TestCanaryTakesWorkloadsInOrder(t *testing.T) {
	s, _ := canary(t, "canary-order", `directory: {path: deploy/staging}}
    rollout:
      canary:
        selector: {staged: "yes"}
        steps: [{instances: 1}, {weight: 50%, approve: true}]
`)
	const front, worker, side = "registry.example/front:", "registry.example/worker:", "registry.example/side:"
	deployment := func(name, image, labels, annotations, pod string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", labels: {" + labels + "}, annotations: {" + annotations + "}}\n" +
			"spec:\n  replicas: 2\n  progressDeadlineSeconds: 5\n  selector: {matchLabels: {app: " + name + "}}\n" +
			"  template:\n    metadata: {labels: {app: " + name + "}, annotations: {" + pod + "}}\n" +
			"    spec:\n      securityContext: {runAsNonRoot: true, runAsUser: 1000, seccompProfile: {type: RuntimeDefault}}\n" +
			"      containers: [{name: main, image: \"" + image + "\", securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}]\n"
	}
	release := func(tag, pod, message string) string {
		s.Repo.Write(t, "deploy/staging/more.yaml", strings.Join([]string{
			deployment("front", front+tag, `staged: "yes"`, "", pod),
			deployment("worker", worker+tag, `staged: "yes"`, `sluice.dev/order: "1"`, ""),
			deployment("side", side+tag, "", "", ""),
		}, "---\n"))
		return s.Repo.Commit(t, message)
	}
	s.AwaitPhase(t, "staging", release("a", "", "Three more"), "Healthy")
	pods := s.Cluster.WatchPods(t, s.Staging)
	t.Run("ALaterOneWaitsForTheFirst", func(t *testing.T) {
		s.AwaitPhase(t, "staging", release("b", "dev.sluice/fail: never-ready", "A front that is never Ready"), "RolledBack")
		if most := pods.Most(worker + "b"); most > 0 || pods.Most(front+"b") == 0 {
			t.Errorf("there were %d new pods of the worker, and %d of the front", most, pods.Most(front+"b"))
		}
	})
	t.Run("TheyGoTogether", func(t *testing.T) {
		revision := release("c", "", "A front that is well")
		s.Repo.AwaitNote(t, world.Patience, "it waits for a person", "staging", func(n world.Note) bool {
			return n.On == revision && n.Phase == "Holding" && n.Says("stage 2 of 2")
		})
		images := pods.Images()
		if images[front+"c"] != 1 || images[worker+"c"] != 1 || images[side+"c"] != 0 || images[side+"a"] != 2 {
			t.Errorf("the pods are %v", images)
		}
		s.Repo.Write(t, "releases/staging.yaml", "approved: {revision: "+revision+", stage: 2}\n")
		s.Repo.Commit(t, "Go on")
		s.AwaitPhase(t, "staging", revision, "Healthy")
		if images := pods.Images(); images[side+"c"] != 2 || images[front+"c"] != 2 || images[worker+"c"] != 2 {
			t.Errorf("the pods are %v", images)
		}
		s.AwaitGit(t, "staging")
	})
}

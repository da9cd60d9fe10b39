package e2e

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentHandsReplicasToAnAutoscaler: a commit takes the number of pods out of Git and gives it to a
// HorizontalPodAutoscaler; no pod goes on the way.
func TestAgentHandsReplicasToAnAutoscaler(t *testing.T) {
	s := begin(t, "autoscaler")
	s.Shop(t, "staging")
	s.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 8")
	first := s.Repo.Commit(t, "The shop, with eight pods")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	deployment := s.Object("Deployment", "staging")
	t.Run("Lesson38_EightPodsStayEight", func(t *testing.T) {
		values := s.Cluster.Values(t, deployment, "spec", "replicas")
		s.Repo.Edit(t, stagingDeployment, "  replicas: 8\n", "")
		s.Repo.Copy(t, s.Root+"/examples/01-plain/deploy/production/horizontalpodautoscaler.yaml", "deploy/staging/horizontalpodautoscaler.yaml")
		revision := s.Repo.Commit(t, "An autoscaler has the number")
		s.AwaitPhase(t, "staging", revision, "Healthy")
		s.Agent.AwaitPolls(t)
		if got := values(); len(got) != 1 || got[0] != "8" {
			t.Errorf("the replicas were %v, not 8 all the time", got)
		}
	})
	t.Run("Lesson28_ItsNumberIsNoDrift", func(t *testing.T) {
		scale(t, s, deployment, 9)
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "The next image"), "Healthy")
		edit(t, s, s.Object("Service", "staging"), `{"metadata":{"labels":{"app.kubernetes.io/name":"other"}}}`)
		s.Cluster.AwaitObject(t, world.Patience, "repaired", s.Object("Service", "staging"),
			world.Has("shop", "metadata", "labels", "app.kubernetes.io/name"))
		if err := world.Has(9, "spec", "replicas")(s.Cluster.Get(t, deployment)); err != nil {
			t.Error(err)
		}
	})
	t.Run("ANumberInGitThatAnotherOwnsIsNotForced", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, "spec:\n  selector:", "spec:\n  replicas: 2\n  selector:")
		revision := s.Repo.Commit(t, "A number again, by mistake")
		s.AwaitPhase(t, "staging", revision, "Healthy")
		s.Agent.AwaitPolls(t)
		if err := world.Has(9, "spec", "replicas")(s.Cluster.Get(t, deployment)); err != nil {
			t.Error(err)
		}
	})
}

// scale sets the number as `kubectl scale` and autoscalers do.
func scale(t *testing.T, s *world.Story, ref world.Ref, replicas int) {
	t.Helper()
	err := s.Cluster.Scale(t.Context(), ref, replicas)
	if err != nil {
		t.Fatalf("scale %s: %v", ref, err)
	}
	s.Cluster.AwaitObject(t, world.Patience, "scaled", ref, func(o *unstructured.Unstructured) error {
		return world.Has(replicas, "spec", "replicas")(o)
	})
}

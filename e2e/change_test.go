package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentChangesOneValue: one value of one environment changes; nothing else does.
func TestAgentChangesOneValue(t *testing.T) {
	s := begin(t, "change")
	s.Deploy(t)
	kinds := []string{"ConfigMap", "Service", "ServiceAccount", "Ingress", "PodDisruptionBudget"}
	before := map[string]string{}
	for _, kind := range kinds {
		before[kind] = s.Cluster.Must(t, s.Object(kind, "staging")).GetResourceVersion()
	}
	var revision string
	t.Run("PushAnotherImageForStaging", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		revision = s.Repo.Commit(t, "The next image, in staging")
		s.Cluster.AwaitObject(t, world.Patience, "the new image", s.Object("Deployment", "staging"), world.Has(nextImage, imagePath()...))
		s.AwaitPhase(t, "staging", revision, "Healthy")
	})
	t.Run("HealthyIsSaidAfterThePodsAreThere", func(t *testing.T) {
		deployment := s.Cluster.Must(t, s.Object("Deployment", "staging"))
		for _, field := range []string{"updatedReplicas", "availableReplicas", "replicas"} {
			if err := world.Has(2, "status", field)(deployment); err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("NoOtherObjectIsWritten", func(t *testing.T) {
		for _, kind := range kinds {
			o := s.Cluster.Must(t, s.Object(kind, "staging"))
			if kind != "PodDisruptionBudget" && o.GetResourceVersion() != before[kind] { // its status counts pods
				t.Errorf("%s was written", kind)
			}
		}
	})
	t.Run("ProductionHasNoNewsAndNoNote", func(t *testing.T) {
		noNotes(t, s, "production", revision)
		if err := world.Has(firstImage, imagePath()...)(s.Cluster.Get(t, s.Object("Deployment", "production"))); err != nil {
			t.Error(err)
		}
	})
	t.Run("ACommitThatChangesNoEnvironmentGetsNoNote", func(t *testing.T) {
		s.Repo.Write(t, "README.md", "# Shop\n")
		idle := s.Repo.Commit(t, "Say what it is")
		s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
		last := s.Repo.Commit(t, "The next image, in production")
		s.AwaitPhase(t, "production", last, "Healthy")
		for _, env := range []string{"staging", "production"} {
			noNotes(t, s, env, idle)
		}
		noNotes(t, s, "staging", last)
	})
}

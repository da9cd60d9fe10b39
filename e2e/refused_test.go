package e2e

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentMeetsManifestsThatTheAPIRefuses: every fault is told at once, and nothing of the release is applied.
func TestAgentMeetsManifestsThatTheAPIRefuses(t *testing.T) {
	s := begin(t, "refused")
	s.Deploy(t, "staging")
	var revision string
	t.Run("Lesson13_AllFaultsAreReportedAtOnce", func(t *testing.T) {
		s.Repo.Edit(t, "deploy/staging/configmap.yaml", "Welcome to the shop", "Half applied")
		s.Repo.Edit(t, "deploy/staging/service.yaml", "port: 80", "port: 99999")
		s.Repo.Edit(t, "deploy/staging/poddisruptionbudget.yaml", "maxUnavailable: 1", "maxUnavailable: -1")
		s.Repo.Edit(t, stagingDeployment, "cpu: 20m", "cpu: twenty")
		revision = s.Repo.Commit(t, "Three faults")
		note := s.Repo.AwaitNote(t, world.Patience, "a refusal", "staging", func(n world.Note) bool {
			return n.On == revision && (n.Phase == "Failed" || n.Phase == "Blocked")
		})
		for _, words := range [][]string{{"Service", "ports"}, {"PodDisruptionBudget", "maxUnavailable"}, {"Deployment", "containers[web].resources.requests.cpu: quantities"}} {
			if !note.Says(words...) {
				t.Errorf("the note does not say %q: %s", words, note.Text)
			}
		}
	})
	t.Run("TheRestIsNotHalfApplied", func(t *testing.T) {
		page := world.Field(s.Cluster.Get(t, s.Object("ConfigMap", "staging")), "data", "index.html")
		if strings.Contains(page, "Half applied") {
			t.Error("the ConfigMap was applied although the release was refused")
		}
	})
	t.Run("Lesson01_AnImmutableFieldLeavesTheLiveObject", func(t *testing.T) {
		uid := s.Cluster.Must(t, s.Object("Deployment", "staging")).GetUID()
		s.Repo.Run(t, "revert", "--no-edit", revision)
		s.Repo.Edit(t, stagingDeployment, "matchLabels: {app.kubernetes.io/name: shop}", "matchLabels: {app.kubernetes.io/name: shop, tier: web}")
		bad := s.Repo.Commit(t, "Another selector")
		note := s.Repo.AwaitNote(t, world.Patience, "a refusal", "staging", func(n world.Note) bool {
			return n.On == bad && (n.Phase == "Failed" || n.Phase == "Blocked")
		})
		if !note.Says("Deployment", "selector") {
			t.Errorf("the note does not name the field: %s", note.Text)
		}
		if o := s.Cluster.Get(t, s.Object("Deployment", "staging")); o == nil || o.GetUID() != uid {
			t.Error("the live Deployment was replaced")
		}
		s.Repo.Run(t, "revert", "--no-edit", bad)
	})
	t.Run("TheFixIsDeployed", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		fixed := s.Repo.Commit(t, "Without the faults")
		s.AwaitPhase(t, "staging", fixed, "Healthy")
		s.AwaitGit(t, "staging")
	})
}

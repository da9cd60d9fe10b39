package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentMeetsATypo: what cannot be rendered changes nothing and prunes nothing, and the commit says where it is.
func TestAgentMeetsATypo(t *testing.T) {
	s := begin(t, "typo")
	s.Deploy(t, "staging")
	good := s.Repo.Read(t, "deploy/staging/service.yaml")
	refused := func(t *testing.T, message string, words ...string) {
		t.Helper()
		revision := s.Repo.Commit(t, message)
		note := s.AwaitPhase(t, "staging", revision, "Blocked")
		if !note.Says(words...) {
			t.Errorf("the note does not say %q: %s", words, note.Text)
		}
		for _, kind := range []string{"Service", "Deployment", "Ingress", "ConfigMap"} {
			if o := s.Cluster.Get(t, s.Object(kind, "staging")); o == nil || o.GetDeletionTimestamp() != nil {
				t.Errorf("%s was pruned", kind)
			}
		}
	}
	t.Run("Lesson02_AFileThatNoLongerParsesNamesItsLine", func(t *testing.T) {
		s.Repo.Write(t, "deploy/staging/service.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: shop\n  labels: {a: b\nspec: {}\n")
		refused(t, "A bracket is missing", "deploy/staging/service.yaml", "line")
	})
	t.Run("Lesson02_ATypoInApiVersionIsNamed", func(t *testing.T) {
		s.Repo.Write(t, "deploy/staging/service.yaml", "apiVersoin: v1\n"+good[len("apiVersion: v1\n"):])
		refused(t, "A typo", "deploy/staging/service.yaml", "apiVersion")
	})
	t.Run("Lesson02_AnEmptyRenderIsRefused", func(t *testing.T) {
		s.Repo.Run(t, "rm", "-q", "-r", "deploy/staging")
		s.Repo.Write(t, "deploy/staging/README.txt", "Nothing here yet.\n")
		refused(t, "All is gone", "deploy/staging")
	})
	t.Run("TheFixIsDeployed", func(t *testing.T) {
		s.Repo.Run(t, "rm", "-q", "-r", "deploy/staging")
		s.Shop(t, "staging")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		revision := s.Repo.Commit(t, "As before, with another image")
		s.AwaitPhase(t, "staging", revision, "Healthy")
		s.AwaitGit(t, "staging")
	})
	t.Run("ATypoInSluiceYamlNamesThePath", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "    namespace:", "    namespaec:")
		revision := s.Repo.Commit(t, "A typo in the rules")
		note := s.AwaitPhase(t, "staging", revision, "Blocked")
		if !note.Says("namespaec") {
			t.Errorf("the note does not name the key: %s", note.Text)
		}
		if err := world.Exists(s.Cluster.Get(t, s.Object("Deployment", "staging"))); err != nil {
			t.Error(err)
		}
	})
}

package e2e

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentTakesRulesFromTheTip: what an environment is made of comes from the revision that it follows, when and how
// from the tip; and a fault in one environment's block is not another's.
func TestAgentTakesRulesFromTheTip(t *testing.T) {
	s := begin(t, "rules")
	first := s.Deploy(t)
	production := s.Object("Deployment", "production")
	t.Run("Lesson48_AFaultInStagingsBlockIsNotProductions", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "- name: staging\n", "- name: staging\n    folow: tip\n")
		s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
		revision := s.Repo.Commit(t, "A typo for staging, an image for production")
		s.AwaitPhase(t, "production", revision, "Healthy")
		if note := s.AwaitPhase(t, "staging", revision, "Blocked"); !note.Says("folow") {
			t.Errorf("the note does not name the key: %s", note.Text)
		}
	})
	t.Run("Lesson48_AFileThatIsNoYAMLLeavesTheLastRules", func(t *testing.T) {
		file := s.Repo.Read(t, "sluice.yaml")
		s.Repo.Write(t, "sluice.yaml", "apiVersion: [\n")
		s.Repo.Edit(t, productionDeployment, nextImage, imageName+"1.31.0")
		revision := s.Repo.Commit(t, "No YAML at all")
		s.AwaitPhase(t, "production", revision, "Blocked")
		edit(t, s, s.Object("Service", "production"), `{"spec":{"selector":{"app.kubernetes.io/name":"other"}}}`)
		s.Cluster.AwaitObject(t, world.Patience, "still repaired", s.Object("Service", "production"),
			world.Has("shop", "spec", "selector", "app.kubernetes.io/name"))
		if err := world.Has(nextImage, imagePath()...)(s.Cluster.Get(t, production)); err != nil {
			t.Errorf("something new began: %v", err)
		}
		s.Repo.Write(t, "sluice.yaml", strings.ReplaceAll(file, "    folow: tip\n", ""))
		s.AwaitPhase(t, "production", s.Repo.Commit(t, "YAML again"), "Healthy")
	})
	t.Run("APinHoldsProductionWhereItIs", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "- name: production\n", "- name: production\n    follow: pin\n")
		s.Repo.Write(t, "releases/production.yaml", "revision: "+first+"\n")
		s.Repo.Commit(t, "Production is pinned to the first")
		s.Cluster.AwaitObject(t, world.Patience, "as at the pin", production, world.Has(firstImage, imagePath()...))
		s.Repo.Edit(t, productionDeployment, imageName+"1.31.0", imageName+"1.32.0")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		tip := s.Repo.Commit(t, "For both, but production is pinned")
		s.AwaitPhase(t, "staging", tip, "Healthy")
		noNotes(t, s, "production", tip)
		if err := world.Has(firstImage, imagePath()...)(s.Cluster.Get(t, production)); err != nil {
			t.Error(err)
		}
		s.Repo.Write(t, "releases/production.yaml", "revision: "+tip+"\n")
		moved := s.Repo.Commit(t, "The pin moves")
		note := s.AwaitPhase(t, "production", tip, "Healthy")
		if note.Trigger != moved {
			t.Errorf("the trigger is %s, not the commit that moved the pin %s", note.Trigger, moved)
		}
	})
	t.Run("AForeignRevisionIsNoPin", func(t *testing.T) {
		s.Repo.Run(t, "checkout", "-q", "--orphan", "foreign")
		s.Repo.Write(t, productionDeployment, replaceImage(s.Repo.Read(t, productionDeployment), "6.6.6"))
		foreign := s.Repo.CommitOnly(t, "Somebody's fork")
		s.Repo.Run(t, "push", "-q", "origin", "HEAD:refs/heads/foreign")
		s.Repo.Run(t, "checkout", "-q", "main")
		s.Repo.Write(t, "releases/production.yaml", "revision: "+foreign+"\n")
		s.Repo.Commit(t, "A pin to it")
		s.Repo.AwaitNote(t, world.Patience, "a refusal", "production", func(n world.Note) bool {
			return n.Phase == "Blocked" && n.Says(foreign[:7])
		})
		if err := world.Has(imageName+"6.6.6", imagePath()...)(s.Cluster.Get(t, production)); err == nil {
			t.Error("a foreign revision was deployed")
		}
	})
}

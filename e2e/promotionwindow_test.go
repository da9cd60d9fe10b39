package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionWaitsForAWindow: a pin that moves while production is frozen is told and waits, drift is repaired meanwhile,
// and a person lets it through.
func TestPromotionWaitsForAWindow(t *testing.T) {
	s := begin(t, "promotion-window")
	s.Shop(t)
	first := s.Repo.CommitOnly(t, "The shop")
	s.Repo.Edit(t, "sluice.yaml", "- name: production\n", "- name: production\n    follow: pin\n")
	s.Repo.Write(t, "releases/production.yaml", "revision: "+first+"\n")
	s.Repo.Commit(t, "Production is pinned")
	s.Agent.Start(t)
	s.AwaitPhase(t, "production", first, "Healthy")
	production := s.Object("Deployment", "production")
	s.Repo.Edit(t, "sluice.yaml", "    follow: pin\n", "    follow: pin\n"+closed)
	s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
	next := s.Repo.Commit(t, "Another image, and production is frozen")
	s.Repo.Write(t, "releases/production.yaml", "revision: "+next+"\n")
	moved := s.Repo.Commit(t, "The pin moves")
	t.Run("ItIsToldAndWaits", func(t *testing.T) {
		note := s.AwaitPhase(t, "production", next, "Pending")
		if note.Trigger != moved || !note.Says("no changes begin within a year", "deny") {
			t.Errorf("the note does not say what a person needs: %s", note.Text)
		}
		s.Agent.AwaitPolls(t)
		if err := world.Has(firstImage, imagePath()...)(s.Cluster.Get(t, production)); err != nil {
			t.Errorf("frozen, and changed: %v", err)
		}
	})
	t.Run("DriftIsRepaired", func(t *testing.T) {
		edit(t, s, production, otherImage)
		s.Cluster.AwaitObject(t, world.Patience, "repaired", production, world.Has(firstImage, imagePath()...))
	})
	t.Run("AnOverrideLetsItThrough", func(t *testing.T) {
		s.Repo.Write(t, "releases/production.yaml", "revision: "+next+"\noverride: {reason: incident 4711, until: 2999-01-01T00:00:00Z}\n")
		s.Repo.Commit(t, "Let it through")
		note := s.AwaitPhase(t, "production", next, "Healthy")
		if !note.Says("incident 4711") {
			t.Errorf("the note does not say why it went through: %s", note.Text)
		}
		s.Cluster.AwaitObject(t, world.Patience, "the next image", production, world.Has(nextImage, imagePath()...))
	})
	s.AwaitGit(t, "production")
}

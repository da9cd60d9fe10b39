package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryDirectIsTakenBack: a release without stages that fails is taken back as a whole, and what only it had goes.
func TestCanaryDirectIsTakenBack(t *testing.T) {
	s, first := canary(t, "canary-direct", `directory: {path: deploy/staging}}
    rollout: {strategy: direct}
`)
	s.Repo.Edit(t, stagingDeployment, firstImage, imageName+"missing")
	s.Repo.Write(t, "deploy/staging/extra.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {a: b}\n")
	bad := s.Repo.Commit(t, "An image that nobody has")
	note := s.AwaitPhase(t, "staging", bad, "RolledBack")
	if !note.Says(imageName+"missing", "does not exist", first[:7]) {
		t.Errorf("the note does not say what a person needs: %s", note.Text)
	}
	s.Cluster.AwaitObject(t, world.Patience, "the proven image", s.Object("Deployment", "staging"), world.Has(firstImage, imagePath()...))
	s.Cluster.AwaitObject(t, world.Patience, "gone", world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: "extra"}, world.Gone)
	t.Run("Lesson18_ItIsNotTriedForEver", func(t *testing.T) {
		s.Repo.Write(t, "unrelated.txt", "nothing that is rendered\n")
		s.Repo.Commit(t, "An unrelated commit")
		s.Agent.AwaitPolls(t)
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.On == bad && n.Seq > note.Seq {
				t.Errorf("something became of it again: %s", n.Text)
			}
		}
	})
	t.Run("Lesson18_ButByAPersonsWordItIs", func(t *testing.T) {
		s.Repo.Write(t, "releases/staging.yaml", "retry: 1\n")
		again := s.Repo.Commit(t, "Try it again")
		if tried := s.AwaitPhase(t, "staging", again, "RolledBack"); tried.Trigger != again || !tried.Says("does not exist") {
			t.Errorf("it was not tried again: %s", tried.Text)
		}
	})
	t.Run("Lesson09_TheFixIsReleased", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, imageName+"missing", nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "An image that is there"), "Healthy")
		s.AwaitGit(t, "staging")
	})
}

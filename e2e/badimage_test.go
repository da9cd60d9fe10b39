package e2e

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentMeetsABadImage: a release that cannot become healthy says why, and never stands in the way of its fix.
func TestAgentMeetsABadImage(t *testing.T) {
	s := begin(t, "badimage")
	s.Deploy(t, "staging")
	deployment := s.Object("Deployment", "staging")
	var bad string
	t.Run("TheReasonIsWhatAPersonNeeds", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, imageName+"missing")
		bad = s.Repo.Commit(t, "An image that nobody has")
		note := s.AwaitPhase(t, "staging", bad, "Failed")
		if !note.Says("Deployment", "shop", imageName+"missing", "does not exist") {
			t.Errorf("the note does not name the image and what is wrong with it: %s", note.Text)
		}
	})
	t.Run("ThePodsFromBeforeGoOn", func(t *testing.T) {
		if live := world.Field(s.Cluster.Get(t, deployment), "status", "availableReplicas"); live == "" || live == "0" {
			t.Errorf("%q pods are available", live)
		}
	})
	t.Run("NothingIsPrunedMeanwhile", func(t *testing.T) {
		s.Repo.Remove(t, "deploy/staging/ingress.yaml")
		s.Repo.Edit(t, stagingDeployment, "missing", "missing@sha256:0000000000000000000000000000000000000000000000000000000000000000")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Still bad, and without the Ingress"), "Failed")
		if err := world.Exists(s.Cluster.Get(t, s.Object("Ingress", "staging"))); err != nil {
			t.Error("pruned by a release that never became healthy")
		}
	})
	t.Run("Lesson09_NewestCommitWinsWithinASecond", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 3")
		worse := s.Repo.Commit(t, "A bad one in flight")
		s.Cluster.AwaitObject(t, world.Patience, "the bad one is applied", deployment, world.Has(3, "spec", "replicas"))
		s.Repo.Write(t, stagingDeployment, s.Repo.Run(t, "show", "HEAD~3:"+stagingDeployment)+"\n")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		fix := s.Repo.Commit(t, "The fix")
		pushed := time.Now()
		s.Cluster.AwaitObject(t, world.Patience, "the fix is applied", deployment, world.Has(nextImage, imagePath()...))
		took := time.Since(pushed)
		t.Logf("the fix was applied %v after the push", took.Round(time.Millisecond))
		if took > 5*time.Second { // a second and the poll interval, on a machine that runs other stories too
			t.Errorf("the fix took %v", took)
		}
		s.AwaitPhase(t, "staging", fix, "Healthy")
		s.Repo.AwaitNote(t, world.Patience, "an end for the bad one", "staging", func(n world.Note) bool {
			return n.On == worse && n.Closing()
		})
		s.AwaitGit(t, "staging")
	})
}

package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentReverts: git revert is the roll-back button.
func TestAgentReverts(t *testing.T) {
	s := begin(t, "revert")
	first := s.Deploy(t, "staging")
	pods := func(t *testing.T) string {
		t.Helper()
		return world.Field(s.Cluster.Get(t, s.Object("Deployment", "staging")), "status", "observedGeneration")
	}
	arrives := func(t *testing.T, revision, image string) world.Note {
		t.Helper()
		note := s.AwaitPhase(t, "staging", revision, "Healthy")
		s.Cluster.AwaitObject(t, world.Patience, "the image", s.Object("Deployment", "staging"), world.Has(image, imagePath()...))
		return note
	}
	var change, revert string
	t.Run("PushNewRevision", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		change = s.Repo.Commit(t, "The next image")
		arrives(t, change, nextImage)
	})
	t.Run("RevertBringsTheFirstBack", func(t *testing.T) {
		revert = s.Repo.Revert(t, change)
		note := arrives(t, revert, firstImage)
		var earlier world.Note
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.On == first && n.Phase == "Healthy" {
				earlier = n
			}
		}
		if note.Digest != earlier.Digest || note.Inputs != earlier.Inputs {
			t.Errorf("the reverted release is not the same as the first: %s and %s", note.Text, earlier.Text)
		}
		if note.Trigger != revert {
			t.Errorf("the trigger is %s, not the revert %s", note.Trigger, revert)
		}
	})
	t.Run("Lesson26_ARevertOfTheRevert", func(t *testing.T) {
		arrives(t, s.Repo.Revert(t, revert), nextImage)
	})
	t.Run("Lesson26_ARevertOfAMerge", func(t *testing.T) {
		before := s.Repo.Head(t)
		s.Repo.Run(t, "checkout", "-q", "-b", "topic")
		s.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.30.0-alpine")
		s.Repo.CommitOnly(t, "Another image")
		s.Repo.Run(t, "checkout", "-q", "main")
		s.Repo.Run(t, "merge", "-q", "--no-ff", "-m", "Merge topic", "topic")
		merge := s.Repo.Head(t)
		s.Repo.Push(t)
		if note := arrives(t, merge, imageName+"1.30.0-alpine"); note.Trigger != merge {
			t.Errorf("the trigger is %s, not the merge %s", note.Trigger, merge)
		}
		arrives(t, s.Repo.Revert(t, merge, "-m", "1"), nextImage)
		if before == merge {
			t.Error("there was no merge")
		}
	})
	t.Run("Lesson26_AForcePushThatRewritesHistory", func(t *testing.T) {
		generation := pods(t)
		s.Repo.Run(t, "reset", "-q", "--hard", first)
		s.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 3")
		rewritten := s.Repo.CommitOnly(t, "History as it should have been")
		s.Repo.Run(t, "push", "-q", "--force", "origin", "HEAD:main")
		arrives(t, rewritten, firstImage)
		if pods(t) == generation {
			t.Error("the Deployment did not change")
		}
		s.AwaitGit(t, "staging")
	})
}

package e2e

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/e2e/world"
)

// tellBack writes a person's word to an environment's state.
func tellBack(t *testing.T, s *world.Story, environment, word string) {
	t.Helper()
	patch := `{"metadata":{"annotations":{"sluice.dev/rollback":"` + word + `"}}}`
	_, err := s.Cluster.Core.CoreV1().Secrets(s.System).Patch(t.Context(), "sluice.shop."+environment, types.MergePatchType, []byte(patch),
		metav1.PatchOptions{FieldManager: "anna"})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRollbackAfterTheStateWasLost: what was proven, and in which order, is read from the notes.
func TestRollbackAfterTheStateWasLost(t *testing.T) {
	s, first := canary(t, "rollback-lost", oneStage)
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "Another image")
	s.AwaitPhase(t, "staging", second, "Healthy")
	s.AwaitGit(t, "staging")
	sets := func(t *testing.T) []string { return replicaSets(t, s, s.Staging) }
	s.Agent.Stop(t)
	if err := s.Cluster.Core.CoreV1().Secrets(s.System).Delete(t.Context(), "sluice.shop.staging", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	since, before := len(s.Repo.MustNotes(t, "staging")), sets(t)
	s.Agent.Start(t)
	s.Repo.AwaitNote(t, world.Patience, "what runs is found proven", "staging", func(n world.Note) bool {
		return n.On == second && n.Phase == "Healthy" && int(n.Seq) > since
	})
	if now := sets(t); !slices.Equal(now, before) {
		t.Errorf("the pods are of ReplicaSets %v, want %v", now, before)
	}
	pods := s.Cluster.WatchPods(t, s.Staging)
	revert := s.Repo.Revert(t, second)
	note := s.AwaitPhase(t, "staging", revert, "Healthy")
	if !note.Says("rolled back from "+second[:7]+" to "+first[:7]) || wasStaged(t, s, "staging", revert) {
		t.Errorf("it is no roll-back: %s", note.Text)
	}
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	t.Run("TheProofStaysWithdrawnWhenItIsLostAgain", func(t *testing.T) {
		s.AwaitGit(t, "staging")
		s.Agent.Stop(t)
		if err := s.Cluster.Core.CoreV1().Secrets(s.System).Delete(t.Context(), "sluice.shop.staging", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.Agent.Start(t)
		again := s.Repo.Revert(t, revert)
		s.AwaitPhase(t, "staging", again, "Healthy")
		if !wasStaged(t, s, "staging", again) {
			t.Error("a release whose proof was withdrawn came back without stages")
		}
	})
	s.AwaitGit(t, "staging")
}

// TestRollbackWithoutGit: a person with rights in the cluster has an environment go back while Git is down. Git is told
// afterwards who and why, and its next release ends it.
func TestRollbackWithoutGit(t *testing.T) {
	s, first := canary(t, "rollback-told", oneStage)
	pods := s.Cluster.WatchPods(t, s.Staging)
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "Another image")
	s.AwaitPhase(t, "staging", second, "Healthy")
	firstAlone := func(images map[string]int) bool { return len(images) == 1 && images[firstImage] == 4 }
	t.Run("Lesson27_GitIsDown", func(t *testing.T) {
		s.AwaitGit(t, "staging")
		s.Git.Stop(t)
		s.Agent.AwaitLog(t, "was not polled", s.Git.Address)
		asked := time.Now()
		tellBack(t, s, "staging", "proven incident 4711")
		world.AwaitPods(t, "the first pods alone", pods, firstAlone)
		t.Logf("from the word until only proven pods were there: %s", time.Since(asked).Round(time.Millisecond))
	})
	t.Run("ByAnAgentThatWasKilledMeanwhile", func(t *testing.T) {
		s.Agent.Kill9(t)
		_, end := s.Agent.LogSince(t, 0)
		s.Agent.Start(t)
		world.Await(t, world.Patience, "it has begun without Git", func() error {
			if said, _ := s.Agent.LogSince(t, end); !strings.Contains(said, "was not polled") {
				return errors.New("nothing of that is in its log")
			}
			return nil
		})
		if images := pods.Images(); !firstAlone(images) {
			t.Errorf("the pods are %v", images)
		}
	})
	t.Run("GitIsToldAfterwards", func(t *testing.T) {
		s.Git.Start(t)
		for on, phase := range map[string]string{second: "RolledBack", first: "Healthy"} {
			s.Repo.AwaitNote(t, world.Patience, "who and why", "staging", func(n world.Note) bool {
				return n.On == on && n.Phase == phase && n.Says("rolled back from "+second[:7]+" to "+first[:7], "sluice.dev/rollback through anna: incident 4711")
			})
		}
	})
	t.Run("ACommitThatChangesNothingDoesNotEndIt", func(t *testing.T) {
		s.Repo.Write(t, "README.md", "The shop\n")
		s.Repo.Commit(t, "A word")
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if images := pods.Images(); !firstAlone(images) {
			t.Errorf("the pods are %v", images)
		}
	})
	t.Run("TheNextReleaseDoes", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.29.5-alpine")
		third := s.Repo.Commit(t, "A third image")
		s.AwaitPhase(t, "staging", third, "Healthy")
		if !wasStaged(t, s, "staging", third) {
			t.Error("the next release was not staged")
		}
	})
	t.Run("AWordThatMakesNoSenseIsSaid", func(t *testing.T) {
		tellBack(t, s, "staging", second)
		s.Agent.AwaitLog(t, "Word to roll back was not followed", "is proven here no more")
		s.Agent.AwaitPolls(t)
		if images := pods.Images(); images[imageName+"1.29.5-alpine"] != 4 || len(images) != 1 {
			t.Errorf("the pods are %v", images)
		}
	})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	s.AwaitGit(t, "staging")
}

package e2e

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryIsNotTriedAgainAfterTheStateWasLost: that a release failed here is in the notes too. What a rebuilt cluster begins
// with is the proven one, and the failed one stays barred until somebody commits something new.
func TestCanaryIsNotTriedAgainAfterTheStateWasLost(t *testing.T) {
	s, _ := canary(t, "canary-lost", oneStage)
	const labels = "    metadata:\n      labels: {app.kubernetes.io/name: shop}"
	s.Repo.Edit(t, stagingDeployment, labels, "    metadata:\n      annotations: {dev.sluice/fail: crash-loop}\n      labels: {app.kubernetes.io/name: shop}")
	bad := s.Repo.Commit(t, "A release that crashes")
	s.AwaitPhase(t, "staging", bad, "RolledBack")
	asked := func() string {
		head, err := s.Repo.Ref("refs/heads/sluice/revert/shop/staging")
		if err != nil {
			t.Fatal(err)
		}
		return head
	}
	world.Await(t, world.Patience, "the way back is asked for", func() error {
		if asked() == "" {
			return errors.New("it is not")
		}
		return nil
	})
	back := asked()
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Agent.Stop(t)
	if err := s.Cluster.Core.CoreV1().Secrets(s.System).Delete(t.Context(), "sluice.shop.staging", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	since := len(s.Repo.MustNotes(t, "staging"))
	s.Agent.Start(t)
	t.Run("Lesson18_ItIsBarredAndTheCommitSaysSo", func(t *testing.T) {
		s.Repo.AwaitNote(t, world.Patience, "why it is not tried", "staging", func(n world.Note) bool {
			return n.On == bad && n.Phase == "Blocked" && n.Says("failed here before") && int(n.Seq) > since
		})
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if int(n.Seq) > since && n.On == bad && n.Phase == "Progressing" {
				t.Errorf("it was tried again: %s", n.Text)
			}
		}
		for uid := range before {
			if !pods.Live()[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
		if now := pods.Live(); len(now) != len(before) {
			t.Errorf("there are %d pods, were %d", len(now), len(before))
		}
	})
	t.Run("TheWayBackIsAskedForStill", func(t *testing.T) {
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if head := asked(); head != back {
			t.Errorf("the branch that asks for it is at %q, was at %s", head, back)
		}
	})
	t.Run("Lesson18_SomethingNewIsTried", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, "annotations: {dev.sluice/fail: crash-loop}", "annotations: {fixed: yes-it-is}")
		fix := s.Repo.Commit(t, "The fix")
		s.AwaitPhase(t, "staging", fix, "Healthy")
		if !wasStaged(t, s, "staging", fix) {
			t.Error("it went through no stage")
		}
	})
	s.AwaitGit(t, "staging")
}

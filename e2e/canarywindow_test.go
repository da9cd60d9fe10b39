package e2e

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

const (
	longer = "directory: {path: deploy/staging}}\n    rollout:\n      canary:\n        steps: [{instances: 1, hold: 10s}, {weight: 50%}]\n"
	// closed is a window in which nothing begins, whenever the story is told.
	closed = `    windows: [{deny: "* * * * *", for: 365d}]` + "\n"
)

// TestCanaryHoldsWhenAWindowCloses: the stage stays as it is, and neither finishes nor aborts, until a newer release comes:
// then the proven pods are alone again at once, and it waits.
func TestCanaryHoldsWhenAWindowCloses(t *testing.T) {
	s, _ := canary(t, "canary-window", longer)
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "Another image")
	s.Repo.AwaitNote(t, world.Patience, "the first stage", "staging", func(n world.Note) bool {
		return n.On == revision && n.Phase == "Progressing" && n.Says("stage 1 of 2")
	})
	s.Repo.Edit(t, "sluice.yaml", "    rollout:\n", closed+"    rollout:\n")
	s.Repo.Commit(t, "Nothing begins any more")
	t.Run("Lesson14_TheStageIsHeld", func(t *testing.T) {
		s.Repo.AwaitNote(t, world.Patience, "it waits for the window", "staging", func(n world.Note) bool {
			return n.On == revision && n.Phase == "Holding" && n.Says("stage 2 of 2 (50%) waits: no changes begin within a year", "deny")
		})
		s.Agent.AwaitPolls(t)
		if images := pods.Images(); images[firstImage] != 4 || images[nextImage] != 1 {
			t.Errorf("the pods are %v, want the 4 proven ones and the one of the stage", images)
		}
		for uid := range before {
			if !pods.Live()[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
	})
	t.Run("ThePlanAndTheWindowsSayIt", func(t *testing.T) {
		mayReadState(t, s)
		out, said, code := s.CLI(t, s.Repo.Dir, "plan", "shop", "staging", "--kubeconfig", kubeconfigOf(t, s), "-n", s.System)
		for _, word := range []string{
			"A window holds now what the agent has in hand: stage 2 of 2 (50%) waits: no changes begin within a year",
			"Nothing of it begins now: no changes begin within a year",
		} {
			if code != 0 || !strings.Contains(out, word) {
				t.Errorf("plan ended with %d and does not say %q: %s%s", code, word, out, said)
			}
		}
		if out, said, code = s.CLI(t, s.Repo.Dir, "windows", "shop", "staging"); code != 0 || !strings.HasPrefix(out, "shop/staging: closed\n") {
			t.Errorf("windows ended with %d: %s%s", code, out, said)
		}
	})
	t.Run("ANewerReleaseTakesItBackAndWaits", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.31.0")
		newer := s.Repo.Commit(t, "A newer image")
		s.AwaitPhase(t, "staging", revision, "Superseded")
		s.Repo.AwaitNote(t, world.Patience, "the newer one waits", "staging", func(n world.Note) bool {
			return n.On == newer && n.Phase == "Pending" && n.Says("no changes begin within a year")
		})
		world.AwaitPods(t, "the proven pods alone", pods, func(images map[string]int) bool { return len(images) == 1 && images[firstImage] == 4 })
		live := pods.Live()
		for uid := range before {
			if !live[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
		s.Repo.Edit(t, "sluice.yaml", closed, "")
		s.Repo.Commit(t, "Changes may begin again")
		s.AwaitPhase(t, "staging", newer, "Healthy")
	})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	s.AwaitGit(t, "staging")
}

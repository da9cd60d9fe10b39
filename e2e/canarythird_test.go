package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryMeetsAThirdRelease: one that comes while the second finishes begins from the first, which alone is proven: the pods
// of the second do not stay and serve beside it.
func TestCanaryMeetsAThirdRelease(t *testing.T) {
	const third = imageName + "1.30.9-alpine"
	s, _ := canary(t, "canary-third", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 3s}]}}
`)
	pods := s.Cluster.WatchPods(t, s.Staging)
	const labels = "    metadata:\n      labels: {app.kubernetes.io/name: shop}"
	s.Repo.Edit(t, stagingDeployment, labels, "    metadata:\n      annotations: {dev.sluice/fail: slow, dev.sluice/delay: 5s}\n      labels: {app.kubernetes.io/name: shop}")
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "The second, whose pods need long")
	s.AwaitPhase(t, "staging", second, "Promoting")
	world.AwaitPods(t, "more pods of the second release than its stage had", pods, func(images map[string]int) bool { return images[nextImage] > 1 })
	s.Repo.Edit(t, stagingDeployment, nextImage, third)
	s.Repo.Edit(t, stagingDeployment, "      annotations: {dev.sluice/fail: slow, dev.sluice/delay: 5s}\n", "")
	last := s.Repo.Commit(t, "The third")
	t.Run("Lesson44_TheSecondOnesPodsDoNotStay", func(t *testing.T) {
		world.AwaitPods(t, "the first release and one pod of the third", pods, func(images map[string]int) bool {
			return len(images) == 2 && images[firstImage] == 4 && images[third] == 1
		})
		s.AwaitPhase(t, "staging", second, "Superseded")
	})
	t.Run("TheThirdGoesThroughItsStage", func(t *testing.T) {
		s.AwaitPhase(t, "staging", last, "Healthy")
		if !wasStaged(t, s, "staging", last) {
			t.Error("it went through no stage")
		}
	})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	s.AwaitGit(t, "staging")
}

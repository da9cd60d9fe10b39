package e2e

import (
	"slices"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryGoesBackPastASickPod/Lesson50: one proven pod is not well in mid-stage. Kubernetes would wait for it before it
// removed an unproven one; the unproven pods leave at once all the same, and so do those of a fix that comes then.
func TestCanaryGoesBackPastASickPod(t *testing.T) {
	s, _ := canary(t, "canary-sick", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 7d}]}}
`)
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	first := s.Repo.Commit(t, "Another image")
	world.AwaitPods(t, "one new pod", pods, func(images map[string]int) bool { return images[nextImage] == 1 })
	for uid := range before {
		s.Cluster.Sicken(t, s.Staging, pods, uid)
		break
	}
	third := imageName + "1.29.5-alpine"
	s.Repo.Edit(t, stagingDeployment, nextImage, third)
	strategies := s.Cluster.Values(t, s.Object("Deployment", "staging"), "spec", "strategy", "rollingUpdate", "maxUnavailable")
	fix := s.Repo.Commit(t, "A fix")
	t.Run("Lesson50_TheUnprovenPodsLeave", func(t *testing.T) {
		s.AwaitPhase(t, "staging", first, "Superseded")
		world.AwaitPods(t, "no pod of the second release", pods, func(images map[string]int) bool { return images[nextImage] == 0 })
		if seen := strategies(); !slices.Contains(seen, "100%") {
			t.Errorf("it went the gentle way, which waits for the sick pod: maxUnavailable was %v", seen)
		}
		live := pods.Live()
		for uid := range before {
			if !live[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
	})
	t.Run("Lesson22_AFixForABrokenStableIsShipped", func(t *testing.T) {
		s.Repo.AwaitNote(t, world.Patience, "the fix's stage", "staging", func(n world.Note) bool {
			return n.On == fix && n.Says("stage 1 of 1")
		})
		world.AwaitPods(t, "a pod of the fix", pods, func(images map[string]int) bool { return images[third] == 1 })
	})
}

package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

const staged = `directory: {path: deploy/staging}}
    rollout:
      canary:
        steps: [{instances: 1, hold: 2s}, {weight: 50%}]
`

// canary begins a story whose staging environment has 4 pods and stages its releases.
func canary(t *testing.T, name, rollout string) (*world.Story, string) {
	t.Helper()
	s := begin(t, name)
	s.Shop(t, "staging")
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", rollout)
	s.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 4")
	first := s.Repo.Commit(t, "The first release")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	return s, first
}

// TestCanaryExample: examples/04-canary, as its README tells it.
func TestCanaryExample(t *testing.T) {
	s := begin(t, "canary-example")
	s.Repo.Copy(t, filepath.Join(s.Root, "examples/04-canary"), ".")
	s.Repo.Edit(t, "sluice.yaml", "namespace: shop-staging", "namespace: "+s.Staging)
	s.Repo.Edit(t, "sluice.yaml", "hold: 5m", "hold: 1s")
	first := s.Repo.Commit(t, "The shop")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Repo.Edit(t, "deploy/configmap.yaml", "Welcome to the shop", "Welcome back")
	revision := s.Repo.Commit(t, "Another page")
	s.Repo.AwaitNote(t, world.Patience, "it waits for a person", "staging", func(n world.Note) bool {
		return n.On == revision && n.Phase == "Holding" && n.Says("stage 2 of 2", "approved", revision)
	})
	t.Run("Lesson20_OnlyTheNewPodReadsTheNewPage", func(t *testing.T) {
		live := pods.Live()
		if len(live) != len(before)+1 {
			t.Errorf("there are %d pods, want one more than %d", len(live), len(before))
		}
		for uid := range before {
			if !live[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
	})
	if out, said, code := s.CLI(t, s.Repo.Dir, "approve", "shop", "staging"); code != 0 || !strings.Contains(out, "+approved: {revision: "+revision+", stage: 2}") {
		t.Fatalf("approve ended with %d: %s%s", code, out, said)
	}
	s.Repo.Push(t)
	s.AwaitPhase(t, "staging", revision, "Healthy")
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	s.AwaitGit(t, "staging")
}

// TestCanaryGoesThroughItsStages: the very pods that were proven are those that are promoted.
func TestCanaryGoesThroughItsStages(t *testing.T) {
	s, _ := canary(t, "canary", staged)
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	if len(before) != 4 {
		t.Fatalf("there are %d pods, want 4", len(before))
	}
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	s.Repo.Edit(t, stagingDeployment, "periodSeconds: 20", "periodSeconds: 5")
	revision := s.Repo.Commit(t, "Another image")
	s.Repo.AwaitNote(t, world.Patience, "the first stage", "staging", func(n world.Note) bool {
		return n.On == revision && n.Phase == "Progressing" && n.Says("stage 1 of 2", "1 instance", `"stage":{"number":1,"of":2}`, `"warnings":["Deployment/`+s.Staging+`/shop: container`)
	})
	s.Repo.AwaitNote(t, world.Patience, "the second stage", "staging", func(n world.Note) bool {
		return n.On == revision && n.Phase == "Progressing" && n.Says("stage 2 of 2", "50%", `"stage":{"number":2,"of":2}`) && !n.Says("warnings")
	})
	canaries := pods.First(1, before)
	s.AwaitPhase(t, "staging", revision, "Healthy")
	t.Run("Lesson15_ProvenPodsArePromoted", func(t *testing.T) {
		live := pods.Live()
		for uid := range canaries {
			if !live[uid] {
				t.Errorf("pod %s of the first stage is gone", uid)
			}
		}
		if len(live) != 4 {
			t.Errorf("there are %d pods, want 4", len(live))
		}
	})
	t.Run("NeverFewerReadyPods", func(t *testing.T) {
		if least := pods.LeastReady(); least < 4 {
			t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
		}
	})
	s.AwaitGit(t, "staging")
}

// TestCanaryMeetsTheWorld: what happens in the middle of a stage neither loses a proven pod nor lets an unproven one stay.
func TestCanaryMeetsTheWorld(t *testing.T) {
	const oneForLong = `directory: {path: deploy/staging}}
    rollout:
      canary:
        steps: [{instances: 1, hold: 7d}, {weight: 50%, approve: true}]
`
	s, _ := canary(t, "canary-world", oneForLong)
	deployment := s.Object("Deployment", "staging")
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	proven := func(t *testing.T) {
		t.Helper()
		live := pods.Live()
		for uid := range before {
			if !live[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
	}
	stage := func(t *testing.T, revision string, words ...string) {
		t.Helper()
		s.Repo.AwaitNote(t, world.Patience, "a stage", "staging", func(n world.Note) bool {
			return n.On == revision && !n.Closing() && n.Says(words...)
		})
	}
	var second string
	t.Run("Lesson17_ANewerReleaseBeginsFromTheProvenOne", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		first := s.Repo.Commit(t, "Another image")
		stage(t, first, "stage 1 of 2")
		s.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.29.5-alpine")
		second = s.Repo.Commit(t, "A third image")
		s.AwaitPhase(t, "staging", first, "Superseded")
		stage(t, second, "stage 1 of 2")
		world.AwaitPods(t, "one pod of the third image beside the proven ones", pods, func(images map[string]int) bool {
			return images[firstImage] == 4 && images[imageName+"1.29.5-alpine"] == 1 && images[nextImage] == 0
		})
		proven(t)
	})
	t.Run("Lesson11_TheAgentIsKilledInAStage", func(t *testing.T) {
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.Agent.AwaitPolls(t)
		proven(t)
		if images := pods.Images(); images[imageName+"1.29.5-alpine"] != 1 || len(images) != 2 {
			t.Errorf("the pods are %v", images)
		}
	})
	t.Run("Lesson19_MorePods", func(t *testing.T) {
		if err := s.Cluster.Scale(t.Context(), deployment, 6); err != nil {
			t.Fatal(err)
		}
		world.AwaitPods(t, "six proven pods and one new", pods, func(images map[string]int) bool {
			return images[firstImage] >= 6 && images[imageName+"1.29.5-alpine"] >= 1
		})
		proven(t)
	})
	t.Run("ADeletedProvenPodComesBackProven", func(t *testing.T) {
		for uid := range before {
			s.Cluster.DeletePod(t, s.Staging, pods, uid)
			delete(before, uid)
			break
		}
		world.AwaitPods(t, "as many proven pods", pods, func(images map[string]int) bool { return images[firstImage] >= 6 })
	})
	t.Run("Lesson43_ScaledToZeroAndBack", func(t *testing.T) {
		if err := s.Cluster.Scale(t.Context(), deployment, 0); err != nil {
			t.Fatal(err)
		}
		s.Repo.AwaitNote(t, world.Patience, "it waits", "staging", func(n world.Note) bool {
			return n.On == second && n.Phase == "Holding" && n.Says("no replicas")
		})
		s.Cluster.AwaitObject(t, world.Patience, "the proven manifest", deployment, world.Has(firstImage, imagePath()...))
		if err := s.Cluster.Scale(t.Context(), deployment, 4); err != nil {
			t.Fatal(err)
		}
		world.AwaitPods(t, "the stages begin anew", pods, func(images map[string]int) bool {
			return images[firstImage] == 4 && images[imageName+"1.29.5-alpine"] == 1
		})
	})
	t.Run("Lesson21_ALostStateBeginsFromTheProvenRelease", func(t *testing.T) {
		s.Agent.Stop(t)
		secret := "sluice.shop.staging"
		if err := s.Cluster.Core.CoreV1().Secrets(s.System).Delete(t.Context(), secret, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		since := len(s.Repo.MustNotes(t, "staging"))
		images := s.Cluster.Values(t, deployment, imagePath()...)
		s.Agent.Start(t)
		s.Repo.AwaitNote(t, world.Patience, "the stages begin anew", "staging", func(n world.Note) bool {
			return n.On == second && n.Says("stage 1 of 2") && int(n.Seq) > since
		})
		world.AwaitPods(t, "one new pod", pods, func(images map[string]int) bool {
			return images[firstImage] == 4 && images[imageName+"1.29.5-alpine"] == 1
		})
		if got := images(); !slices.Equal(got, []string{imageName + "1.29.5-alpine", firstImage, imageName + "1.29.5-alpine"}) {
			t.Errorf("the Deployment's image was %v", got)
		}
		if most := pods.Most(imageName + "1.29.5-alpine"); most > 1 {
			t.Errorf("%d pods of an unproven release at one moment", most)
		}
	})
	t.Run("ARevertTakesItBackAtOnce", func(t *testing.T) {
		s.Repo.Run(t, "revert", "--no-edit", "HEAD", "HEAD~1")
		s.Repo.Push(t)
		back := s.Repo.Head(t)
		world.AwaitPods(t, "only proven pods", pods, func(images map[string]int) bool {
			return images[firstImage] == 4 && len(images) == 1
		})
		s.AwaitPhase(t, "staging", back, "Healthy")
	})
}

// TestCanaryIsEditedInAStage: somebody restarts the Deployment in the middle of a stage. The way back takes that along, and
// not one proven pod goes for it.
func TestCanaryIsEditedInAStage(t *testing.T) {
	s, _ := canary(t, "canary-edited", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 7d}]}}
`)
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	first := s.Repo.Commit(t, "Another image")
	world.AwaitPods(t, "one new pod", pods, func(images map[string]int) bool { return images[nextImage] == 1 })
	edit(t, s, s.Object("Deployment", "staging"), `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
	third := imageName + "1.29.5-alpine"
	s.Repo.Edit(t, stagingDeployment, nextImage, third)
	newer := s.Repo.Commit(t, "A newer image")
	s.AwaitPhase(t, "staging", first, "Superseded")
	s.Repo.AwaitNote(t, world.Patience, "the stages begin anew", "staging", func(n world.Note) bool {
		return n.On == newer && n.Says("stage 1 of 1")
	})
	world.AwaitPods(t, "one pod of the newest release beside proven ones", pods, func(images map[string]int) bool {
		return images[firstImage] == 4 && images[third] == 1 && images[nextImage] == 0
	})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	live := pods.Live()
	for uid := range before {
		if !live[uid] {
			t.Errorf("proven pod %s is gone", uid)
		}
	}
}

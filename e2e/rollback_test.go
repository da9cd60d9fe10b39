package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// oneStage stages the releases of the environment that follows the tip, or of the one that is pinned.
const oneStage = `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 3s}]}}
`

// replicaSets are the names of those that have pods.
func replicaSets(t *testing.T, s *world.Story, namespace string) (names []string) {
	t.Helper()
	list, err := s.Cluster.Core.AppsV1().ReplicaSets(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range list.Items {
		if *set.Spec.Replicas > 0 {
			names = append(names, set.Name)
		}
	}
	slices.Sort(names)
	return names
}

// wasStaged reports whether Git was told of a stage of a release.
func wasStaged(t *testing.T, s *world.Story, environment, revision string) bool {
	t.Helper()
	return slices.ContainsFunc(s.Repo.MustNotes(t, environment), func(n world.Note) bool {
		return n.On == revision && n.Says("stage 1 of 1")
	})
}

// TestRollbackByRevert: git revert is the roll-back button. What was proven comes back in one wave of the same ReplicaSet, and
// to return to what was left takes the stages.
func TestRollbackByRevert(t *testing.T) {
	s, first := canary(t, "rollback-revert", oneStage)
	pods := s.Cluster.WatchPods(t, s.Staging)
	sets := replicaSets(t, s, s.Staging)
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "Another image")
	s.AwaitPhase(t, "staging", second, "Healthy")
	var revert string
	t.Run("OneWaveOfTheSameReplicaSet", func(t *testing.T) {
		pushed := time.Now()
		revert = s.Repo.Revert(t, second)
		world.AwaitPods(t, "the first pods alone", pods, func(images map[string]int) bool {
			return len(images) == 1 && images[firstImage] == 4
		})
		t.Logf("from the push of the revert until only proven pods were there: %s", time.Since(pushed).Round(time.Millisecond))
		s.AwaitPhase(t, "staging", second, "RolledBack")
		note := s.AwaitPhase(t, "staging", revert, "Healthy")
		if !note.Says("rolled back from " + second[:7] + " to " + first[:7]) {
			t.Errorf("the note does not say what happened: %s", note.Text)
		}
		if wasStaged(t, s, "staging", revert) {
			t.Error("the roll-back went through stages")
		}
		if now := replicaSets(t, s, s.Staging); !slices.Equal(now, sets) {
			t.Errorf("the pods are of ReplicaSets %v, want %v", now, sets)
		}
	})
	t.Run("Lesson41_ARevertOfTheRevertTakesTheStages", func(t *testing.T) {
		again := s.Repo.Revert(t, revert)
		s.AwaitPhase(t, "staging", again, "Healthy")
		if !wasStaged(t, s, "staging", again) {
			t.Error("a release whose proof was withdrawn came back without stages")
		}
		s.Repo.AwaitNote(t, world.Patience, "it is explained", "staging", func(n world.Note) bool {
			return n.On == again && n.Says("stage 1 of 1", "it was proven here before, and left: rolled back from "+second[:7])
		})
	})
	t.Run("Lesson26_ARevertOfAMerge", func(t *testing.T) {
		proven := replicaSets(t, s, s.Staging)
		s.Repo.Run(t, "checkout", "-q", "-b", "topic")
		s.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.30.0-alpine")
		s.Repo.CommitOnly(t, "A third image")
		s.Repo.Run(t, "checkout", "-q", "main")
		s.Repo.Run(t, "merge", "-q", "--no-ff", "-m", "Merge topic", "topic")
		merge := s.Repo.Head(t)
		s.Repo.Push(t)
		s.AwaitPhase(t, "staging", merge, "Healthy")
		back := s.Repo.Revert(t, merge, "-m", "1")
		if note := s.AwaitPhase(t, "staging", back, "Healthy"); !note.Says("rolled back from "+merge[:7]) || wasStaged(t, s, "staging", back) {
			t.Errorf("a revert of a merge is no roll-back: %s", note.Text)
		}
		if now := replicaSets(t, s, s.Staging); !slices.Equal(now, proven) {
			t.Errorf("the pods are of ReplicaSets %v, want %v", now, proven)
		}
	})
	t.Run("Lesson26_AForcePushToBeforeIt", func(t *testing.T) {
		s.Repo.Run(t, "reset", "-q", "--hard", first)
		s.Repo.Run(t, "push", "-q", "--force", "origin", "HEAD:main")
		s.Repo.AwaitNote(t, world.Patience, "rolled back", "staging", func(n world.Note) bool {
			return n.On == first && n.Phase == "Healthy" && n.Says("rolled back from")
		})
	})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	s.AwaitGit(t, "staging")
}

// TestRollbackInMidCanary: the proven pods run still, so a revert takes seconds.
func TestRollbackInMidCanary(t *testing.T) {
	s, _ := canary(t, "rollback-mid", strings.Replace(oneStage, "hold: 3s", "hold: 7d", 1))
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "Another image")
	world.AwaitPods(t, "one new pod", pods, func(images map[string]int) bool { return images[nextImage] == 1 })
	s.Repo.AwaitNote(t, world.Patience, "the first stage", "staging", func(n world.Note) bool {
		return n.On == second && n.Says("stage 1 of 1")
	})
	pushed := time.Now()
	revert := s.Repo.Revert(t, second)
	world.AwaitPods(t, "the proven pods alone", pods, func(images map[string]int) bool { return len(images) == 1 && images[firstImage] == 4 })
	t.Logf("from the push of the revert until only proven pods were there: %s", time.Since(pushed).Round(time.Millisecond))
	s.AwaitPhase(t, "staging", revert, "Healthy")
	for uid := range before {
		if !pods.Live()[uid] {
			t.Errorf("proven pod %s is gone", uid)
		}
	}
	s.AwaitGit(t, "staging")
}

// TestRollbackByPin: a pin that moves back brings the old release back, also where no change may begin, and it stays.
func TestRollbackByPin(t *testing.T) {
	const replicas = 3 // minReplicas of examples/01-plain in production
	s := begin(t, "rollback-pin")
	s.Shop(t)
	first := s.Repo.CommitOnly(t, "The shop")
	s.Repo.Edit(t, "sluice.yaml", "- name: production\n", "- name: production\n    follow: pin\n    rollout: {canary: {steps: [{instances: 1, hold: 1s}]}}\n")
	s.Repo.Write(t, "releases/production.yaml", "revision: "+first+"\n")
	s.Repo.Commit(t, "Production is pinned")
	s.Agent.Start(t)
	s.AwaitPhase(t, "production", first, "Healthy")
	production := s.Object("Deployment", "production")
	sets := replicaSets(t, s, production.Namespace)
	s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "Another image")
	s.Repo.Write(t, "releases/production.yaml", "revision: "+second+"\n")
	moved := s.Repo.Commit(t, "The pin moves")
	s.AwaitPhase(t, "production", second, "Healthy")
	s.Cluster.AwaitObject(t, world.Patience, "as many pods as its autoscaler wants at least", production, world.Has(int64(replicas), "status", "readyReplicas"))
	pods := s.Cluster.WatchPods(t, production.Namespace)
	world.AwaitPods(t, "the second release's pods alone", pods, func(images map[string]int) bool { return len(images) == 1 && images[nextImage] == replicas })
	s.Repo.Edit(t, "sluice.yaml", "    follow: pin\n", "    follow: pin\n"+closed)
	s.Repo.Commit(t, "Production is frozen")
	var back string
	t.Run("Lesson14_AClosedWindowDoesNotKeepIt", func(t *testing.T) {
		pushed := time.Now()
		back = s.Repo.Revert(t, moved)
		note := s.Repo.AwaitNote(t, world.Patience, "rolled back", "production", func(n world.Note) bool {
			return n.On == first && n.Phase == "Healthy" && n.Trigger == back
		})
		t.Logf("from the push of the pin until the release was Healthy: %s", time.Since(pushed).Round(time.Millisecond))
		if !note.Says("rolled back from "+second[:7]+" to "+first[:7]) || wasStaged(t, s, "production", first) {
			t.Errorf("it is no roll-back: %s", note.Text)
		}
		s.AwaitPhase(t, "production", second, "RolledBack")
		if now := replicaSets(t, s, production.Namespace); !slices.Equal(now, sets) {
			t.Errorf("the pods are of ReplicaSets %v, want %v", now, sets)
		}
	})
	t.Run("AndItStays", func(t *testing.T) {
		s.Agent.AwaitPolls(t)
		s.Cluster.AwaitObject(t, world.Patience, "the first image", production, world.Has(firstImage, imagePath()...))
		world.AwaitPods(t, "the first pods alone", pods, func(images map[string]int) bool { return len(images) == 1 && images[firstImage] == replicas })
		if least := pods.LeastReady(); least < replicas {
			t.Errorf("%d pods were Ready at one moment, want %d throughout", least, replicas)
		}
	})
	t.Run("Lesson48_NorDoesAFaultInTheFile", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", closed, "")
		s.Repo.CommitOnly(t, "Changes may begin")
		forward := s.Repo.Revert(t, back)
		s.Repo.AwaitNote(t, world.Patience, "promoted again", "production", func(n world.Note) bool {
			return n.On == second && n.Phase == "Healthy" && n.Trigger == forward
		})
		s.Repo.Edit(t, "sluice.yaml", "    follow: pin\n", "    folow: pin\n")
		faulty := s.Repo.Commit(t, "A typo")
		s.AwaitPhase(t, "production", faulty, "Blocked")
		again := s.Repo.Revert(t, forward)
		s.Repo.AwaitNote(t, world.Patience, "rolled back", "production", func(n world.Note) bool {
			return n.On == first && n.Phase == "Healthy" && n.Trigger == again && n.Says("rolled back from")
		})
		s.Repo.Edit(t, "sluice.yaml", "    folow: pin\n", "    follow: pin\n"+closed)
		s.Repo.Commit(t, "No typo, and frozen again")
		back = again
	})
	t.Run("Lesson41_TheWayForwardWaitsForTheWindowAndTakesTheStages", func(t *testing.T) {
		again := s.Repo.Revert(t, back)
		s.Repo.AwaitNote(t, world.Patience, "it waits", "production", func(n world.Note) bool {
			return n.On == second && n.Trigger == again && n.Phase == "Pending"
		})
		since := len(s.Repo.MustNotes(t, "production"))
		s.Repo.Edit(t, "sluice.yaml", closed, "")
		s.Repo.Commit(t, "Changes may begin again")
		s.Repo.AwaitNote(t, world.Patience, "a stage", "production", func(n world.Note) bool {
			return n.On == second && n.Says("stage 1 of 1") && int(n.Seq) > since
		})
		s.Repo.AwaitNote(t, world.Patience, "promoted", "production", func(n world.Note) bool {
			return n.On == second && n.Phase == "Healthy" && n.Trigger == again
		})
	})
	s.AwaitGit(t, "production")
}

package e2e

import (
	"slices"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanarySwitchesAService: blue/green. All new pods are checked behind a Service of their own while the users' Service
// keeps to the proven ones; it is switched by a person's word, and back at once when the new pods fail.
func TestCanarySwitchesAService(t *testing.T) {
	s, _ := canary(t, "canary-switch", `directory: {path: deploy/staging}}
    rollout: {blueGreen: {service: shop, hold: 1s, approve: true, keepPrevious: 1s, drain: 1s}}
`)
	service, preview := s.Object("Service", "staging"), s.Object("Service", "staging")
	preview.Name = "shop-preview"
	hashOf := func(ref world.Ref) string {
		return world.Field(s.Cluster.Must(t, ref), "spec", "selector", "pod-template-hash")
	}
	if got := hashOf(service); got != "" {
		t.Fatalf("at rest the Service selects the pods of template %s alone", got)
	}
	selected := s.Cluster.Values(t, service, "spec", "selector", "pod-template-hash")
	pods := s.Cluster.WatchPods(t, s.Staging)
	approve := func(t *testing.T, revision string) {
		t.Helper()
		s.Repo.AwaitNote(t, world.Patience, "it waits for a person", "staging", func(n world.Note) bool {
			return n.On == revision && n.Phase == "Holding" && n.Says("stage 2 of 2", "approved")
		})
		s.Repo.Write(t, "releases/staging.yaml", "approved: {revision: "+revision+", stage: 2}\n")
		s.Repo.Commit(t, "Switch")
	}
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "Another image")
	world.AwaitPods(t, "as many new pods as proven ones", pods, func(images map[string]int) bool {
		return images[firstImage] == 4 && images[nextImage] == 4
	})
	s.Repo.AwaitNote(t, world.Patience, "it waits for a person", "staging", func(n world.Note) bool {
		return n.On == revision && n.Phase == "Holding"
	})
	proven, next := hashOf(service), hashOf(preview)
	t.Run("UsersMeetProvenPodsWhileTheNewOnesAreChecked", func(t *testing.T) {
		if proven == "" || next == "" || proven == next {
			t.Errorf("the Service selects template %q, the preview Service %q", proven, next)
		}
	})
	approve(t, revision)
	s.AwaitPhase(t, "staging", revision, "Healthy")
	t.Run("ItIsSwitchedOnceAndWidenedAgain", func(t *testing.T) {
		if got, want := selected(), []string{"", proven, next, ""}; !slices.Equal(got, want) {
			t.Errorf("the Service selected %q, want %q", got, want)
		}
		if least := pods.LeastReady(); least < 4 {
			t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
		}
		s.AwaitGit(t, "staging")
	})
	t.Run("AFaultAfterTheSwitchSwitchesBack", func(t *testing.T) {
		before := pods.Live()
		s.Repo.Edit(t, "sluice.yaml", "keepPrevious: 1s", "keepPrevious: 7d")
		s.Repo.Edit(t, stagingDeployment, "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
			"    metadata:\n      annotations: {dev.sluice/fail: lost, dev.sluice/delay: 6s}\n      labels: {app.kubernetes.io/name: shop}")
		bad := s.Repo.Commit(t, "A release whose pods are Ready no longer after a while")
		approve(t, bad)
		s.AwaitPhase(t, "staging", bad, "RolledBack")
		got := selected()
		if last := got[len(got)-4:]; last[0] != next || last[1] == next || last[1] == "" || last[2] != next || last[3] != "" {
			t.Errorf("the Service selected %q at last, want %s, the new ones, %s again and both", got, next, next)
		}
		live := pods.Live()
		for uid := range before {
			if !live[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
	})
}

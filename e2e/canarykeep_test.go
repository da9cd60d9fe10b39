package e2e

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryKeepsTheScene: with onFailure: hold a failing pod is there for a look; it goes with the next release, or when its
// time is over.
func TestCanaryKeepsTheScene(t *testing.T) {
	s, _ := canary(t, "canary-keep", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 7d}], onFailure: hold}}
`)
	crash := func(t *testing.T, image string) (string, world.Note) {
		t.Helper()
		manifest := s.Repo.Read(t, stagingDeployment)
		s.Repo.Edit(t, stagingDeployment, "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
			"    metadata:\n      annotations: {dev.sluice/fail: crash-loop, image: "+image+"}\n      labels: {app.kubernetes.io/name: shop}")
		bad := s.Repo.Commit(t, "A release that crashes")
		note := s.AwaitPhase(t, "staging", bad, "RolledBack")
		s.Repo.Write(t, stagingDeployment, manifest)
		return bad, note
	}
	kept := func() []corev1.Pod {
		list, err := s.Cluster.Core.CoreV1().Pods(s.Staging).List(t.Context(), metav1.ListOptions{
			LabelSelector: "sluice.dev/kept-application=shop,sluice.dev/kept-environment=staging",
		})
		if err != nil {
			t.Fatal(err)
		}
		return list.Items
	}
	gone := func(t *testing.T, what string) {
		t.Helper()
		world.Await(t, world.Patience, what, func() error {
			if pods := kept(); len(pods) > 0 {
				return fmt.Errorf("%d pods are kept", len(pods))
			}
			return nil
		})
	}
	if _, note := crash(t, "one"); len(kept()) == 0 {
		t.Fatalf("no pod was kept: %s", note.Text)
	}
	t.Run("TheNextReleaseEndsIt", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "onFailure: hold", "onFailure: hold, keepFor: 15s")
		s.Repo.Edit(t, "sluice.yaml", "hold: 7d", "hold: 1s")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "A release that is well"), "Healthy")
		gone(t, "nothing kept after the next release")
	})
	t.Run("SoDoesItsTime", func(t *testing.T) {
		if _, note := crash(t, "two"); !note.Says("kept for a look until") {
			t.Errorf("nothing was kept: %s", note.Text)
		}
		gone(t, "nothing kept after its time")
	})
}

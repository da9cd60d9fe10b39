package e2e

import (
	"testing"
)

// TestRollbackOfOtherKinds: a revert brings the pods of the other kinds back too, one at a time and without stages.
func TestRollbackOfOtherKinds(t *testing.T) {
	for name, of := range map[string]struct{ file, manifest, image string }{
		"StatefulSet": {stagingStatefulSet, database, "database"},
		"DaemonSet":   {stagingDaemonSet, collector, "collector"},
	} {
		t.Run(name, func(t *testing.T) {
			s := kinds(t, "rollback-"+of.image, oneStage, of.file, of.manifest)
			pods := s.Cluster.WatchPods(t, s.Staging)
			all := len(pods.Named("registry.example/" + of.image + ":1"))
			second := release(t, s, of.file, of.image+":1", of.image+":2")
			s.AwaitPhase(t, "staging", second, "Healthy")
			awaitImages(t, pods, map[string]int{of.image + ":2": all})
			least := pods.LeastReady()
			revert := s.Repo.Revert(t, second)
			note := s.AwaitPhase(t, "staging", revert, "Healthy")
			if !note.Says("rolled back from "+second[:7]) || wasStaged(t, s, "staging", revert) {
				t.Errorf("it is no roll-back: %s", note.Text)
			}
			awaitImages(t, pods, map[string]int{of.image + ":1": all})
			if now := pods.LeastReady(); now < least {
				t.Errorf("%d pods were Ready at one moment of the way back, and %d in the stages: one at a time", now, least)
			}
			s.AwaitGit(t, "staging")
		})
	}
}

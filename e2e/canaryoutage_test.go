package e2e

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryOutlivesItsAPIServer: the API server goes away in the middle of a stage, for a while and for so long that the
// agent ends. The stage goes on where it was, and what became bad meanwhile is taken back.
func TestCanaryOutlivesItsAPIServer(t *testing.T) {
	s, _ := canary(t, "canary-outage", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 3s}, {weight: 50%, approve: true}]}}
`)
	s.Agent.Stop(t)
	server := s.Through(t, s.Agent)
	s.Agent.Start(t)
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "Another image")
	world.AwaitPods(t, "one new pod", pods, func(images map[string]int) bool { return images[nextImage] == 1 })
	canaries := pods.First(1, before)
	held := func(t *testing.T) {
		t.Helper()
		live := pods.Live()
		if len(live) != 5 {
			t.Errorf("there are %d pods, want 5", len(live))
		}
		for _, kept := range []map[string]bool{before, canaries} {
			for uid := range kept {
				if !live[uid] {
					t.Errorf("pod %s is gone", uid)
				}
			}
		}
	}
	t.Run("ForAWhile", func(t *testing.T) {
		server.Close()
		s.Agent.AwaitLog(t, "connection refused")
		s.Agent.AwaitPolls(t)
		held(t)
		server.Open(t)
		awaitStage(t, s, revision, "stage 2 of 2", "approved")
		held(t)
	})
	t.Run("ForSoLongThatTheAgentEnds", func(t *testing.T) {
		server.Close()
		s.Agent.AwaitLog(t, "lease was lost")
		s.Agent.Stop(t)
		s.Repo.Write(t, "releases/staging.yaml", "approved: {revision: "+revision+", stage: 2}\n")
		s.Repo.Commit(t, "Go on")
		held(t)
		server.Open(t)
		s.Agent.Start(t)
		s.AwaitPhase(t, "staging", revision, "Healthy")
		s.AwaitGit(t, "staging")
		for uid := range canaries {
			if !pods.Live()[uid] {
				t.Errorf("pod %s of the first stage is gone", uid)
			}
		}
		stagesInOrder(t, s, map[string]string{revision: nextImage}, []time.Duration{3 * time.Second, 0})
	})
	t.Run("WhatBecomesBadMeanwhileIsTakenBack", func(t *testing.T) {
		third := imageName + "1.29.5-alpine"
		proven := pods.Live()
		s.Repo.Edit(t, stagingDeployment, nextImage, third)
		bad := s.Repo.Commit(t, "A third image")
		awaitStage(t, s, bad, "stage 2 of 2", "approved")
		server.Close()
		for uid := range pods.Named(third) {
			s.Cluster.Sicken(t, s.Staging, pods, uid)
		}
		server.Open(t)
		if note := s.AwaitPhase(t, "staging", bad, "RolledBack"); !note.Says("stage 1", "0 of 1 new pods are Ready after 30s") {
			t.Errorf("the note does not say why: %s", note.Text)
		}
		for uid := range proven {
			if !pods.Live()[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
	})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
}

// TestCanaryIsTakenOverByAReplica: the process that leads is killed in the middle of a stage, and another one of its name
// goes on with it.
func TestCanaryIsTakenOverByAReplica(t *testing.T) {
	s, _ := canary(t, "canary-replica", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 3s}, {weight: 50%}]}}
`)
	second := s.NewReplica(t, s.Agent)
	second.Start(t)
	second.AwaitLog(t, "holds the lease")
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "Another image")
	awaitStage(t, s, revision, "stage 1 of 2")
	world.AwaitPods(t, "one new pod", pods, func(images map[string]int) bool { return images[nextImage] == 1 })
	canaries := pods.First(1, before)
	s.Agent.Kill9(t)
	s.AwaitPhase(t, "staging", revision, "Healthy")
	stagesInOrder(t, s, map[string]string{revision: nextImage}, []time.Duration{3 * time.Second, 0})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
	for uid := range canaries {
		if !pods.Live()[uid] {
			t.Errorf("pod %s of the first stage is gone", uid)
		}
	}
	s.AwaitGit(t, "staging")
}

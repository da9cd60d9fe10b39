package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentIsPaused: a person stops every change in an environment, drift repair included, and lets it go on.
func TestAgentIsPaused(t *testing.T) {
	s := begin(t, "pause")
	s.Deploy(t)
	pauses := map[string]struct{ pause, resume func(t *testing.T) }{
		"ByTheReleaseFile": {
			func(t *testing.T) { s.Repo.Write(t, "releases/staging.yaml", "paused: true\n") },
			func(t *testing.T) { s.Repo.Write(t, "releases/staging.yaml", "paused: false\n") },
		},
		"ByTheState": {
			func(t *testing.T) {
				s.Repo.Edit(t, "sluice.yaml", "{path: deploy/staging}}\n", "{path: deploy/staging}}\n    state: paused\n")
			},
			func(t *testing.T) { s.Repo.Edit(t, "sluice.yaml", "    state: paused\n", "") },
		},
	}
	tag := 0
	for _, how := range []string{"ByTheReleaseFile", "ByTheState"} {
		t.Run(how, func(t *testing.T) {
			tag++
			staging, production := s.Object("Deployment", "staging"), s.Object("Deployment", "production")
			before := world.Field(s.Cluster.Get(t, staging), imagePath()...)
			next := imageName + "2." + string(rune('0'+tag))
			t.Run("NothingIsChanged", func(t *testing.T) {
				pauses[how].pause(t)
				for _, file := range []string{stagingDeployment, productionDeployment} {
					s.Repo.Edit(t, file, before, next)
				}
				// Production got the same commit: when it is healthy, staging had its chance.
				s.AwaitPhase(t, "production", s.Repo.Commit(t, "Paused, with the next image"), "Healthy")
				s.Agent.AwaitPolls(t)
				if err := world.Has(before, imagePath()...)(s.Cluster.Get(t, staging)); err != nil {
					t.Errorf("paused, and changed: %v", err)
				}
			})
			t.Run("DriftIsNotRepaired", func(t *testing.T) {
				edit(t, s, staging, otherImage)
				edit(t, s, production, otherImage)
				// Production is not paused: when it is repaired, staging had its chance.
				s.Cluster.AwaitObject(t, world.Patience, "repaired", production, world.Has(next, imagePath()...))
				s.Agent.AwaitPolls(t)
				if err := world.Has("other:1", imagePath()...)(s.Cluster.Get(t, staging)); err != nil {
					t.Errorf("paused, and repaired: %v", err)
				}
			})
			t.Run("ThenItGoesOn", func(t *testing.T) {
				pauses[how].resume(t)
				s.Repo.Commit(t, "Go on")
				s.Cluster.AwaitObject(t, world.Patience, "the next image", staging, world.Has(next, imagePath()...))
				s.AwaitGit(t, "staging")
			})
		})
	}
}

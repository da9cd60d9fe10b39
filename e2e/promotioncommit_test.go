package e2e

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// byCommit promotes the shop without a person.
const byCommit = `directory: {path: deploy/production}}
    follow: pin
    promotion: {from: staging, by: commit, when: {healthyFor: 1s}}
`

// atServer begins a story whose shop lies at a plain Git server, with production behind staging by promotion, and one agent for
// both that is not started.
func atServer(t *testing.T, name, promotion string) (s *world.Story, first string) {
	t.Helper()
	s = begin(t, name)
	s.Shop(t)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/production}}\n", promotion)
	return s, s.Repo.Commit(t, "The shop")
}

// TestPromotionByCommit: where no person is asked, the agent commits the pin itself, once, and only where agent.yaml lets it.
func TestPromotionByCommit(t *testing.T) {
	s, first := atServer(t, "promotion-commit", byCommit)
	main := func() string {
		at, err := s.Repo.Ref("refs/heads/main")
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	t.Run("WithoutTheRightItIsTold", func(t *testing.T) {
		s.Agent.Start(t)
		s.Agent.AwaitLog(t, "Promotion was looked at", "writeBack: {commit: true}")
		if at := main(); at != first {
			t.Errorf("main is at %s, want %s", at, first)
		}
		s.Agent.Stop(t)
	})
	s.Agent.Config.Repositories[0].WriteBack["commit"] = true
	s.Agent.Start(t)
	commits := func(t *testing.T) []string {
		t.Helper()
		s.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
		return strings.Fields(s.Repo.Run(t, "log", "--format=%H", "--", "releases/production.yaml"))
	}
	t.Run("ItIsPinnedOnce", func(t *testing.T) {
		s.AwaitPhase(t, "production", first, "Healthy")
		s.Agent.AwaitPolls(t)
		made := commits(t)
		if len(made) != 1 || s.Repo.Head(t) != made[0] {
			t.Errorf("commits of the release file: %v, head %s", made, s.Repo.Head(t))
		}
		if message := s.Repo.Run(t, "log", "-1", "--format=%B", made[0]); !strings.Contains(message, "Sluice-Revision: "+first) {
			t.Errorf("the commit says %q", message)
		}
	})
	t.Run("PermissionsOfTheLastReleaseAreDropped", func(t *testing.T) {
		s.Repo.Write(t, "releases/production.yaml", "revision: "+first+"\napproved: {revision: "+first+", stage: 1}\nhotfix: {revision: "+first+"}\nretry: 2\n")
		s.Repo.CommitOnly(t, "Permit what there is")
		s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
		second := s.Repo.Commit(t, "Another image")
		s.AwaitPhase(t, "production", second, "Healthy")
		commits(t)
		file := s.Repo.Read(t, "releases/production.yaml")
		if !strings.Contains(file, "revision: "+second) || strings.Contains(file, "approved") || strings.Contains(file, "hotfix") || !strings.Contains(file, "retry: 2") {
			t.Errorf("the release file is %q", file)
		}
	})
	t.Run("NothingGoesRound", func(t *testing.T) {
		before := main()
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if after := main(); after != before || len(commits(t)) != 3 {
			t.Errorf("main went from %s to %s, commits of the release file: %v", before, after, commits(t))
		}
	})
	t.Run("Lesson40_APinThatAPersonMovesBackStays", func(t *testing.T) {
		back := s.Repo.Revert(t, s.Repo.Head(t))
		s.Repo.AwaitNote(t, world.Patience, "rolled back", "production", func(n world.Note) bool {
			return n.On == first && n.Phase == "Healthy" && n.Trigger == back
		})
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if at := main(); at != back {
			t.Errorf("main is at %s, want %s: the agent undid a roll-back", at, back)
		}
	})
}

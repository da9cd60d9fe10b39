package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentPollsCheaply: what a poll costs does not depend on what else the repository holds.
func TestAgentPollsCheaply(t *testing.T) {
	s := begin(t, "polls")
	first := s.Deploy(t, "staging")
	few := bytesOfAPoll(t, s)
	t.Run("Lesson49_ThreeThousandPullRequestRefsCostAPollTheSame", func(t *testing.T) {
		var refs strings.Builder
		for i := range 3000 {
			fmt.Fprintf(&refs, "%s refs/pull/%d/head\n", first, i)
		}
		s.Git.PackRefs(t, s.Repo.Name, refs.String())
		many := bytesOfAPoll(t, s)
		t.Logf("a poll is answered with %d bytes, with 3000 refs more with %d", few, many)
		if many > few+100 {
			t.Errorf("a poll costs %d bytes, and %d with 3000 refs more", few, many)
		}
	})
	t.Run("ACommitIsStillFound", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "The next image"), "Healthy")
	})
}

// bytesOfAPoll is what the server sends for one listing of refs.
func bytesOfAPoll(t *testing.T, s *world.Story) int64 {
	t.Helper()
	s.Agent.AwaitPolls(t) // no push of notes is under way any more
	requests, bytes, err := s.Git.Requests("list")
	if err != nil {
		t.Fatal(err)
	}
	s.Agent.AwaitPolls(t)
	moreRequests, moreBytes, err := s.Git.Requests("list")
	if err != nil {
		t.Fatal(err)
	}
	if moreRequests == requests {
		t.Fatal("the agent does not list refs")
	}
	return (moreBytes - bytes) / (moreRequests - requests)
}

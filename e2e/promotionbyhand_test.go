package e2e

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionIsTakenInHand/Lesson25: somebody rebases the branch of a request and merges it with git, without the forge. That is
// as good as the button: nothing is put back, asked for again or asked for twice.
func TestPromotionIsTakenInHand(t *testing.T) {
	s, p, first := atForge(t, "promotion-by-hand")
	m := &meeting{s, p, firstImage}
	request := p.AwaitMergeRequest(t, "the first release", proposes(first))
	p.AwaitStatus(t, request.Head.SHA, "sluice/promotable/shop/production", "success")
	branch := func(t *testing.T) string {
		t.Helper()
		at, err := s.Repo.Ref("refs/heads/" + proposal)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	// take has git do something to the branch in a detached head.
	take := func(t *testing.T, args ...string) string {
		t.Helper()
		s.Repo.Run(t, "fetch", "-q", "origin", proposal)
		s.Repo.Run(t, "checkout", "-q", "--detach", "FETCH_HEAD")
		s.Repo.Run(t, args...)
		head := s.Repo.Head(t)
		s.Repo.Run(t, "push", "-q", "--force", "origin", "HEAD:refs/heads/"+proposal)
		s.Repo.Run(t, "checkout", "-q", "main")
		return head
	}
	polls := func(t *testing.T) {
		t.Helper()
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
	}
	t.Run("Lesson25_RebasedByHandItStays", func(t *testing.T) {
		m.unrelated(t, "A word to the reader")
		rebased := take(t, "rebase", "-q", "main")
		if rebased == request.Head.SHA {
			t.Fatal("nothing was rebased")
		}
		p.AwaitStatus(t, rebased, "sluice/promotable/shop/production", "success")
		polls(t)
		if at := branch(t); at != rebased {
			t.Errorf("the branch is at %s, somebody put it at %s", at, rebased)
		}
		if now := p.MergeRequest(t, request.Number); now.State != "open" || now.Head.SHA != rebased {
			t.Errorf("the request is %s at %s", now.State, now.Head.SHA)
		}
	})
	t.Run("Lesson25_MergedByHandItIsReleased", func(t *testing.T) {
		s.Repo.Run(t, "fetch", "-q", "origin")
		s.Repo.Run(t, "merge", "-q", "--no-ff", "-m", "By hand", "origin/"+proposal)
		s.Repo.Push(t)
		s.AwaitPhase(t, "production", first, "Healthy")
		world.Await(t, world.Patience, "its request is closed and its branch gone", func() error {
			if len(p.MergeRequests(t, "open")) > 0 || branch(t) != "" {
				return errors.New("they are there")
			}
			return nil
		})
	})
	t.Run("Lesson25_RewrittenByHandItStays", func(t *testing.T) {
		second := m.release(t, "1.29.4-alpine")
		request = p.AwaitMergeRequest(t, "the second release", proposes(second))
		foreign := take(t, "commit", "-q", "--amend", "--reset-author", "-m", "My words")
		third := m.release(t, "1.30.0-alpine")
		m.told(t, p.AwaitMergeRequest(t, "it has the commit", func(now world.MergeRequest) bool { return now.Head.SHA == foreign }), second, third,
			"somebody else committed")
		s.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
		s.Repo.Run(t, "fetch", "-q", "origin", proposal)
		s.Repo.Run(t, "cherry-pick", "FETCH_HEAD") // as some forges do who rebase
		s.Repo.Push(t)
		s.AwaitPhase(t, "production", second, "Healthy")
		request = p.AwaitMergeRequest(t, "then the third", proposes(third))
	})
	t.Run("Lesson25_NothingGoesRound", func(t *testing.T) {
		before, opened := branch(t), len(p.Gate.Requests(http.MethodPost, "/pulls"))
		changed := len(p.Gate.Requests(http.MethodPatch, "/pulls"))
		m.unrelated(t, "Only a word more")
		polls(t)
		if now := len(p.Gate.Requests(http.MethodPost, "/pulls")); now != opened {
			t.Errorf("%d more requests were opened", now-opened)
		}
		if now := len(p.Gate.Requests(http.MethodPatch, "/pulls")); now != changed {
			t.Errorf("requests were changed %d more times", now-changed)
		}
		if at := branch(t); at != before {
			t.Errorf("the branch went from %s to %s", before, at)
		}
	})
	t.Run("Lesson23_SuccessCameAfterHealthForEachEnvironmentAlone", func(t *testing.T) {
		for _, context := range []string{"sluice/shop/staging", "sluice/shop/production"} {
			p.AwaitStatus(t, first, context, "success")
			var states []string
			for _, status := range p.StatusLog(t, first) {
				if status.Context == context {
					states = append(states, status.State)
				}
			}
			if i := slices.Index(states, "success"); i != len(states)-1 {
				t.Errorf("%s was %v", context, states)
			}
		}
	})
}

package e2e

import (
	"errors"
	"net/http"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

const proposal = "sluice/promote/shop/production"

// meeting is a shop whose merge requests people have their hands on.
type meeting struct {
	*world.Story
	p     *world.Project
	image string // of production at the branch
}

// release pushes another image of production, which staging need not prove anew.
func (m *meeting) release(t *testing.T, tag string) string {
	t.Helper()
	m.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
	m.Repo.Edit(t, productionDeployment, m.image, imageName+tag)
	m.image = imageName + tag
	return m.Repo.Commit(t, "Image "+tag)
}

// unrelated pushes what changes no release: the agent looks again.
func (m *meeting) unrelated(t *testing.T, text string) {
	t.Helper()
	m.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
	m.Repo.Write(t, "README", text+"\n")
	m.Repo.Commit(t, text)
}

// told waits until a request says of a newer one, and checks that it still asks for what it asked for.
func (m *meeting) told(t *testing.T, was world.MergeRequest, asks, newer, why string) {
	t.Helper()
	now := m.p.AwaitMergeRequest(t, "the request tells of "+newer, func(r world.MergeRequest) bool {
		return r.Number == was.Number && strings.Contains(r.Body, newer[:7]+" may be promoted") && strings.Contains(r.Body, why)
	})
	if now.Head.SHA != was.Head.SHA || !proposes(asks)(now) || !strings.HasSuffix(now.Title, asks[:7]) {
		t.Errorf("it was moved, or does not say what it asks for: %q, %s", now.Title, now.Body)
	}
	if open := m.p.MergeRequests(t, "open"); len(open) != 1 {
		t.Errorf("%d requests are open, want one: %v", len(open), open)
	}
	m.p.AwaitStatus(t, now.Head.SHA, "sluice/promotable/shop/production", "success")
}

// pinned waits until the branch pins a revision.
func (m *meeting) pinned(t *testing.T, revision string) {
	t.Helper()
	m.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
	if pin := m.Repo.Read(t, "releases/production.yaml"); !strings.Contains(pin, "revision: "+revision) {
		t.Errorf("merged, main pins %q, want %s", pin, revision)
	}
}

// TestPromotionMeetsPeople: what people do to a merge request stands. Nothing is moved under an approval, and nothing goes round.
func TestPromotionMeetsPeople(t *testing.T) {
	s, p, first := atForge(t, "promotion-people")
	m := &meeting{s, p, firstImage}
	r := p.AwaitMergeRequest(t, "the first release", proposes(first))
	p.AwaitStatus(t, r.Head.SHA, "sluice/promotable/shop/production", "success")
	t.Run("Lesson25_EditedByHandItIsPutRight", func(t *testing.T) {
		p.Reword(t, r.Number, "Something else", "Nothing to see here")
		m.unrelated(t, "A word to the reader")
		now := p.AwaitMergeRequest(t, "its words again", func(now world.MergeRequest) bool { return proposes(first)(now) && now.Title == r.Title })
		if now.Number != r.Number || now.Head.SHA != r.Head.SHA {
			t.Errorf("request %d at %s is now %d at %s", r.Number, r.Head.SHA, now.Number, now.Head.SHA)
		}
	})
	var second, third, fourth, fifth string
	t.Run("ANewerCandidateMovesIt", func(t *testing.T) {
		second = m.release(t, "1.29.4-alpine")
		now := p.AwaitMergeRequest(t, "the second release", proposes(second))
		if open := p.MergeRequests(t, "open"); len(open) != 1 || now.Number != r.Number {
			t.Errorf("open are %v, want %d alone", open, r.Number)
		}
		r = now
	})
	t.Run("Lesson25_ApprovedItStays", func(t *testing.T) {
		p.As(p.Grace).Approve(t, r.Number)
		third = m.release(t, "1.30.0-alpine")
		m.told(t, r, second, third, "approval of "+p.Grace.Name)
		p.Merge(t, r.Number, world.Merge)
		m.pinned(t, second)
	})
	t.Run("Lesson25_WithAHoldItStays", func(t *testing.T) {
		r = p.AwaitMergeRequest(t, "the third release", proposes(third))
		p.Label(t, r.Number, "sluice/hold")
		fourth = m.release(t, "1.30.1-alpine")
		m.told(t, r, third, fourth, "label sluice/hold")
		p.Merge(t, r.Number, world.Rebase)
		m.pinned(t, third)
	})
	t.Run("Lesson25_WithAForeignCommitItStays", func(t *testing.T) {
		r = p.AwaitMergeRequest(t, "the fourth release", proposes(fourth))
		s.Repo.Run(t, "fetch", "-q", "origin", proposal)
		s.Repo.Run(t, "checkout", "-q", "--detach", "FETCH_HEAD")
		s.Repo.Write(t, "README", "By hand\n")
		foreign := s.Repo.CommitOnly(t, "By hand")
		s.Repo.Run(t, "push", "-q", "origin", "HEAD:refs/heads/"+proposal)
		s.Repo.Run(t, "checkout", "-q", "main")
		r = p.AwaitMergeRequest(t, "it has the commit", func(now world.MergeRequest) bool { return now.Number == r.Number && now.Head.SHA == foreign })
		fifth = m.release(t, "1.31.0-alpine")
		m.told(t, r, fourth, fifth, "somebody else committed")
		p.Merge(t, r.Number, world.Squash)
		m.pinned(t, fourth)
	})
	t.Run("Lesson25_WithoutItsBranchItIsDeclined", func(t *testing.T) {
		r = p.AwaitMergeRequest(t, "the fifth release", proposes(fifth))
		p.DeleteBranch(t, proposal)
		m.unrelated(t, "Another word to the reader")
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if now := p.MergeRequest(t, r.Number); now.State != "closed" {
			t.Errorf("the request is %s", now.State)
		}
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("a request is open again: %v", open)
		}
	})
	t.Run("Lesson25_RewordedAndClosedItIsDeclined", func(t *testing.T) {
		r = p.AwaitMergeRequest(t, "the sixth release", proposes(m.release(t, "1.31.1-alpine")))
		p.Reword(t, r.Number, "Not this one", "Really not")
		p.CloseMergeRequest(t, r.Number)
		m.unrelated(t, "The last word to the reader")
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("a request is open again: %v", open)
		}
	})
	t.Run("NoLongerRightItIsWithdrawn", func(t *testing.T) {
		r = p.AwaitMergeRequest(t, "the seventh release", proposes(m.release(t, "1.31.2-alpine")))
		m.release(t, "1.30.1-alpine")
		p.AwaitMergeRequest(t, "it is withdrawn", func(now world.MergeRequest) bool {
			return now.Number == r.Number && now.State == "closed" && strings.Contains(now.Body, "Withdrawn: ")
		})
		world.Await(t, world.Patience, "its branch is gone", func() error {
			at, err := s.Repo.Ref("refs/heads/" + proposal)
			if err == nil && at != "" {
				err = errors.New("it is at " + at)
			}
			return err
		})
	})
	t.Run("Lesson25_NothingGoesRound", func(t *testing.T) {
		m.unrelated(t, "Only a word more")
		s.Agent.AwaitPolls(t)
		opened, changes := len(p.Gate.Requests(http.MethodPost, "/pulls")), map[string]int{}
		for _, change := range p.Gate.Requests(http.MethodPatch, "/pulls/") {
			changes[path.Base(change.Path)]++
		}
		t.Logf("requests that write: %d opened, changed by their numbers %v, statuses %d", opened, changes, len(p.Gate.Requests(http.MethodPost, "/statuses/")))
		if all := len(p.MergeRequests(t, "all")); all != 6 || opened != all {
			t.Errorf("%d requests there are, and %d were asked for, want 6", all, opened)
		}
		// Words are sent where they are others than before, so their number does not hang on how often the agent looked. A candidate
		// has two, that it waits and that it may be promoted, and the first of them opens the request; a newer one that moves it, or
		// is told of, has two more, and so has a withdrawal: its words and its state. What people do has one each: words of their
		// own, an approval, a label, a commit.
		reworded, approved, labelled, committed := 1, 1, 1, 1
		for i, most := range []int{1 + reworded + 2 + approved + 2, 1 + labelled + 2, 1 + committed + 2, 1, 1 + reworded, 1 + 2} {
			if number := strconv.Itoa(i + 1); changes[number] > most {
				t.Errorf("request %s was changed %d times, want %d at the most", number, changes[number], most)
			}
		}
	})
}

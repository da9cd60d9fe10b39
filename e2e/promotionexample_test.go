package e2e

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionExample: examples/05-promotion, as its README tells it.
func TestPromotionExample(t *testing.T) {
	s := begin(t, "promotion-example")
	p := s.AtForge(t)
	s.Repo.Copy(t, filepath.Join(s.Root, "examples/05-promotion"), ".")
	for _, edit := range [][2]string{
		{"namespace: shop-staging\n", "namespace: " + s.Staging + "\n"},
		{"namespace: shop\n", "namespace: " + s.Production + "\n"},
		{"healthyFor: 30m", "healthyFor: 1s"},
		{"hold: 5m", "hold: 1s"},
		{`deny: "0 18 * * 5", for: 62h`, `allow: "* * * * *", for: 1h`}, // the story is told at weekends, too
	} {
		s.Repo.Edit(t, "sluice.yaml", edit[0], edit[1])
	}
	// page pushes another page, and merges what the agent proposes for it when that may be.
	page := func(t *testing.T, old, now string) (revision, merge string) {
		t.Helper()
		if old != "" {
			s.Repo.Edit(t, "deploy/base/configmap.yaml", old, now)
		}
		revision = s.Repo.Commit(t, now)
		s.AwaitPhase(t, "staging", revision, "Healthy")
		request := p.AwaitMergeRequest(t, "a request to promote it", proposes(revision))
		if request.Title != "Promote shop to production: "+revision[:7] {
			t.Errorf("the request is called %q", request.Title)
		}
		p.AwaitStatus(t, request.Head.SHA, "sluice/promotable/shop/production", "success")
		merge = p.Merge(t, request.Number, world.Merge)
		s.AwaitPhase(t, "production", revision, "Healthy")
		s.Repo.Run(t, "pull", "-q", "origin", "main")
		return revision, merge
	}
	s.Agent.Start(t)
	first, _ := page(t, "", "Welcome to the shop")
	sets := replicaSets(t, s, s.Production)
	pods := s.Cluster.WatchPods(t, s.Production)
	var second, merge string
	t.Run("AMergeReleasesInStages", func(t *testing.T) {
		second, merge = page(t, "Welcome to the shop", "Welcome back")
		for _, stage := range []string{"stage 1 of 2: 1 instance", "stage 2 of 2: 50%"} {
			if !slices.ContainsFunc(s.Repo.MustNotes(t, "production"), func(n world.Note) bool { return n.On == second && n.Says(stage) }) {
				t.Errorf("nothing says %q", stage)
			}
		}
		s.AwaitGit(t, "production")
		p.AwaitStatus(t, second, "sluice/shop/production", "success")
	})
	wentBack := func(t *testing.T, from string) {
		t.Helper()
		s.AwaitPhase(t, "production", from, "RolledBack")
		s.Repo.AwaitNote(t, world.Patience, "rolled back", "production", func(n world.Note) bool {
			return n.On == first && n.Phase == "Healthy" && n.Says("rolled back from "+from[:7]+" to "+first[:7])
		})
		if now := replicaSets(t, s, s.Production); !slices.Equal(now, sets) {
			t.Errorf("the pods are of ReplicaSets %v, want %v", now, sets)
		}
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("a request is open: %v", open)
		}
	}
	t.Run("ARevertOfTheMergeGoesBack", func(t *testing.T) {
		s.Repo.Revert(t, merge, "-m", "1")
		wentBack(t, second)
	})
	t.Run("SoDoesRollback", func(t *testing.T) {
		third, _ := page(t, "Welcome back", "Nice to see you")
		if out, said, code := s.CLI(t, s.Repo.Dir, "rollback", "shop", "production", "--push"); code != 0 || !strings.Contains(out, "+revision: "+first) {
			t.Fatalf("rollback ended with %d: %s%s", code, out, said)
		}
		wentBack(t, third)
		out, said, code := s.CLI(t, s.Repo.Dir, "history", "shop", "production")
		if code != 0 || !regexp.MustCompile("(?s)"+first[:7]+" .*"+third[:7]+" .*RolledBack.*"+second[:7]+" .*RolledBack.*"+first[:7]+" ").MatchString(out) {
			t.Errorf("history ended with %d: %s%s", code, out, said)
		}
	})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
}

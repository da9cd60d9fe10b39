package e2e

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

const wayBack = "sluice/revert/shop/staging"

// crashes has the pods of a Deployment of the shop crash.
const (
	sound   = "    metadata:\n      labels: {app.kubernetes.io/name: shop}"
	crashes = "    metadata:\n      annotations: {dev.sluice/fail: crash-loop}\n      labels: {app.kubernetes.io/name: shop}"
)

// goesBack is an open request to go back from a release.
func goesBack(failed string) func(world.MergeRequest) bool {
	return func(m world.MergeRequest) bool {
		return m.State == "open" && m.Head.Ref == wayBack && strings.Contains(m.Body, failed[:7]+" failed in **staging**")
	}
}

// tipAtForge begins a story whose shop lies at the forge and follows the tip, in one stage in staging.
func tipAtForge(t *testing.T, name string) (s *world.Story, p *world.Project) {
	t.Helper()
	s = begin(t, name)
	p = s.AtForge(t)
	s.Shop(t)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", oneStage)
	s.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 4")
	return s, p
}

// TestRollbackOfTheTipIsAskedFor: a release of what follows the tip fails and is taken back, and a request waits that has Git say
// so: one commit, of just what the release was rendered from. Merged, the tip is what was proven, and nothing moves.
func TestRollbackOfTheTipIsAskedFor(t *testing.T) {
	s, p := tipAtForge(t, "revert-tip")
	first := s.Repo.Commit(t, "The shop")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	pods := s.Cluster.WatchPods(t, s.Staging)
	before, sets := pods.Live(), replicaSets(t, s, s.Staging)
	s.Repo.Edit(t, stagingDeployment, sound, crashes)
	s.Repo.Write(t, "deploy/staging/more.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n")
	s.Repo.Write(t, "README", "Of the bad release\n")
	bad := s.Repo.Commit(t, "A release that crashes")
	unrelated := func(text string) {
		t.Helper()
		s.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
		s.Repo.Write(t, "README", text+"\n")
		s.Repo.Commit(t, text)
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
	}
	stay := func(t *testing.T) {
		t.Helper()
		for uid := range before {
			if !pods.Live()[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
		if now := replicaSets(t, s, s.Staging); !slices.Equal(now, sets) {
			t.Errorf("the pods are of ReplicaSets %v, want %v", now, sets)
		}
	}
	var request world.MergeRequest
	t.Run("ARequestWaits", func(t *testing.T) {
		s.AwaitPhase(t, "staging", bad, "RolledBack")
		request = p.AwaitMergeRequest(t, "the way back", goesBack(bad))
		for _, words := range []string{
			"ends with exit code", first, "deploy/staging/deployment.yaml", "deploy/staging/more.yaml", "One commit:", "A release that crashes (",
			"No other environment",
		} {
			if !strings.Contains(request.Body, words) {
				t.Errorf("the request does not say %q: %s", words, request.Body)
			}
		}
	})
	t.Run("AnUnrelatedCommitDoesNotMoveIt", func(t *testing.T) {
		unrelated("Nothing of the shop")
		if now := p.MergeRequest(t, request.Number); now.State != "open" || now.Head.SHA != request.Head.SHA {
			t.Errorf("it is %s at %s, and was at %s", now.State, now.Head.SHA, request.Head.SHA)
		}
	})
	var merged string
	t.Run("MergedTheTipIsWhatWasProvenAndNothingMoves", func(t *testing.T) {
		merged = p.Merge(t, request.Number, world.Merge)
		s.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
		if differs := s.Repo.Run(t, "diff", "--name-only", first, merged); differs != "README" {
			t.Errorf("what differs from %s is %q, want the README alone", first, differs)
		}
		s.AwaitPhase(t, "staging", merged, "Healthy")
		if wasStaged(t, s, "staging", merged) {
			t.Error("what is proven went through the stages")
		}
		stay(t)
		s.AwaitGit(t, "staging")
	})
	gone := func(t *testing.T) {
		t.Helper()
		world.Await(t, world.Patience, "the branch is gone", func() error {
			at, err := s.Repo.Ref("refs/heads/" + wayBack)
			if err == nil && at != "" {
				err = errors.New("it is at " + at)
			}
			return err
		})
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("a request is open: %v", open)
		}
	}
	t.Run("TheRequestIsGoneAndDoesNotComeBack", func(t *testing.T) {
		gone(t)
		unrelated("A word to the reader")
		gone(t)
	})
	var again string
	t.Run("Lesson41_ARevertOfTheRevertIsTriedAnew", func(t *testing.T) {
		again = s.Repo.Revert(t, merged, "-m", "1")
		s.AwaitPhase(t, "staging", again, "RolledBack")
		request = p.AwaitMergeRequest(t, "the way back", goesBack(again))
		stay(t)
	})
	t.Run("Lesson25_AClosedOneIsNotAskedForAgain", func(t *testing.T) {
		p.Reword(t, request.Number, "Not this one", "Really not")
		p.CloseMergeRequest(t, request.Number)
		unrelated("Another word to the reader")
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("a request is open again: %v", open)
		}
	})
	t.Run("Lesson09_AFixEndsIt", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, "annotations: {dev.sluice/fail: crash-loop}", "annotations: {fixed: yes-it-is}")
		fix := s.Repo.Commit(t, "The fix")
		s.AwaitPhase(t, "staging", fix, "Healthy")
		gone(t)
	})
	if least := pods.LeastReady(); least < 4 {
		t.Errorf("%d pods were Ready at one moment, want 4 throughout", least)
	}
}

// TestRollbackOfTheTipConcernsOthers: who shares what goes back is named, and a person decides. A fix that comes first ends it.
func TestRollbackOfTheTipConcernsOthers(t *testing.T) {
	s, p := tipAtForge(t, "revert-others")
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/production}", "directory: {path: deploy/staging}")
	first := s.Repo.Commit(t, "The shop, with one folder for both")
	s.Agent.Config.Environments = []map[string]any{{"name": "staging"}} // production is another agent's
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	s.Repo.Edit(t, stagingDeployment, sound, crashes)
	bad := s.Repo.Commit(t, "A release that crashes")
	request := p.AwaitMergeRequest(t, "the way back", goesBack(bad))
	if !strings.Contains(request.Body, "these render to as well:** shop/production") {
		t.Errorf("the request does not say whom it concerns: %s", request.Body)
	}
	s.Repo.Edit(t, stagingDeployment, "annotations: {dev.sluice/fail: crash-loop}", "annotations: {fixed: yes-it-is}")
	fix := s.Repo.Commit(t, "The fix")
	p.AwaitMergeRequest(t, "it is withdrawn", func(m world.MergeRequest) bool {
		return m.Number == request.Number && m.State == "closed" && !m.Merged && strings.Contains(m.Body, "Withdrawn: ")
	})
	s.AwaitPhase(t, "staging", fix, "Healthy")
}

// TestPromotionGoesBackByCommit: where no person is asked for what goes forward, none is for what failed; and a person's word
// that it is to be tried again counts.
func TestPromotionGoesBackByCommit(t *testing.T) {
	s, first := atServer(t, "promotion-back", byCommit+"    rollout: {canary: {steps: [{instances: 1, hold: 1s}]}}\n")
	s.Agent.Config.Repositories[0].WriteBack["commit"] = true
	s.Agent.Start(t)
	s.AwaitPhase(t, "production", first, "Healthy")
	pods := s.Cluster.WatchPods(t, s.Production)
	before := pods.Live()
	s.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
	s.Repo.Edit(t, productionDeployment, sound, crashes)
	bad := s.Repo.Commit(t, "A release that crashes in production")
	pins := func(t *testing.T, revision string) {
		t.Helper()
		world.Await(t, world.Patience, "the pin is "+revision, func() error {
			if file := s.Repo.OnServer(t, "show", "main:releases/production.yaml"); !strings.Contains(file, "revision: "+revision) {
				return errors.New(file)
			}
			return nil
		})
		s.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
	}
	t.Run("ThePinGoesBack", func(t *testing.T) {
		s.AwaitPhase(t, "production", bad, "RolledBack")
		pins(t, first)
		if message := s.Repo.Run(t, "log", "-1", "--format=%B"); !strings.HasPrefix(message, "Revert shop in production to "+first[:7]) {
			t.Errorf("the commit says %q", message)
		}
		s.Repo.AwaitNote(t, world.Patience, "what serves is asked for", "production", func(n world.Note) bool {
			return n.On == first && n.Phase == "Healthy" && n.Trigger == s.Repo.Head(t)
		})
	})
	t.Run("Lesson40_NothingGoesRound", func(t *testing.T) {
		head := s.Repo.Head(t)
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if at, err := s.Repo.Ref("refs/heads/main"); err != nil || at != head {
			t.Errorf("main is at %s, want %s: %v", at, head, err)
		}
		if branches := s.Repo.OnServer(t, "for-each-ref", "refs/heads/sluice"); branches != "" {
			t.Errorf("there are branches: %s", branches)
		}
	})
	t.Run("APersonHasItTriedAgain", func(t *testing.T) {
		again := s.Repo.Revert(t, s.Repo.Head(t))
		s.Repo.AwaitNote(t, world.Patience, "it failed again", "production", func(n world.Note) bool {
			return n.On == bad && n.Phase == "RolledBack" && n.Trigger == again
		})
		pins(t, first)
	})
	for uid := range before {
		if !pods.Live()[uid] {
			t.Errorf("proven pod %s is gone", uid)
		}
	}
}

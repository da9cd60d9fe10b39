package e2e

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

// promoted is how releases of the shop come to production, in one stage.
const promoted = `directory: {path: deploy/production}}
    follow: pin
    promotion: {from: staging, when: {healthyFor: 1s}}
    rollout: {canary: {steps: [{instances: 1, hold: 1s}]}}
`

// proposes is what an open request of the shop's production asks for.
func proposes(revision string) func(world.MergeRequest) bool {
	return func(m world.MergeRequest) bool {
		return m.State == "open" && m.Head.Ref == "sluice/promote/shop/production" && strings.Contains(m.Body, "to "+revision)
	}
}

// atForge begins a story whose shop lies at the forge, with staging at the tip and production behind it by promotion. Two
// agents share nothing but the repository: each serves one environment.
func atForge(t *testing.T, name string) (s *world.Story, p *world.Project, first string) {
	t.Helper()
	s = begin(t, name)
	p = s.AtForge(t)
	s.Shop(t)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/production}}\n", promoted)
	first = s.Repo.Commit(t, "The shop")
	staging := s.NewRival(t, "other")
	s.KnowsForge(t, staging)
	staging.Config.Environments = []map[string]any{{"name": "staging"}}
	staging.Start(t)
	s.Agent.Config.Environments = []map[string]any{{"name": "production"}}
	s.Agent.Config.Keys = []map[string]any{{"environments": []string{"staging"}, "key": s.PublicKey(t, staging)}}
	s.Agent.Config.Links = map[string]string{"status": "https://dash.example.org/{{.App}}/{{.Env}}?at={{.Revision}}"}
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	return s, p, first
}

// TestPromotionGoesThroughTheForge: a release that is proven in staging is asked for by a merge request; merged, it goes through
// the stages of production.
func TestPromotionGoesThroughTheForge(t *testing.T) {
	s, p, first := atForge(t, "promotion")
	var request world.MergeRequest
	t.Run("ItIsProposedWithItsEvidence", func(t *testing.T) {
		request = p.AwaitMergeRequest(t, "the first release, well for its time", func(m world.MergeRequest) bool {
			return proposes(first)(m) && strings.Contains(m.Body, "stayed so for 1s")
		})
		for _, words := range []string{"Healthy in staging since", "commits:", "The shop", "may be promoted"} {
			if !strings.Contains(request.Body, words) {
				t.Errorf("the request does not say %q: %s", words, request.Body)
			}
		}
		status := p.AwaitStatus(t, request.Head.SHA, "sluice/promotable/shop/production", "success")
		if !strings.HasPrefix(status.URL, "https://dash.example.org/shop/production?at=") {
			t.Errorf("the status of the request leads to %q", status.URL)
		}
	})
	t.Run("MergedItIsReleased", func(t *testing.T) {
		p.Merge(t, request.Number, world.Merge)
		s.AwaitPhase(t, "production", first, "Healthy")
		status := p.AwaitStatus(t, first, "sluice/shop/production", "success")
		if want := "https://dash.example.org/shop/production?at=" + first; status.URL != want {
			t.Errorf("the status leads to %q, want %q", status.URL, want)
		}
		p.AwaitStatus(t, first, "sluice/shop/staging", "success")
	})
	s.Repo.Run(t, "pull", "-q", "origin", "main")
	t.Run("Lesson39_AChangeOfStagingAloneOpensNothing", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Another image in staging"), "Healthy")
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("a request is open: %v", open)
		}
	})
	var second string
	t.Run("Lesson39_AChangeOfProductionAloneIsPromoted", func(t *testing.T) {
		s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
		second = s.Repo.Commit(t, "Another image in production")
		request = p.AwaitMergeRequest(t, "the second release", proposes(second))
		for _, words := range []string{"Another image in production", "Deployment/" + s.Production + "/shop", firstImage, nextImage, "it goes through stages: 1 pod for 1s, all"} {
			if !strings.Contains(request.Body, words) {
				t.Errorf("the request does not say %q: %s", words, request.Body)
			}
		}
		p.Merge(t, request.Number, world.Squash)
		s.AwaitPhase(t, "production", second, "Healthy")
		s.Cluster.AwaitObject(t, world.Patience, "the image", s.Object("Deployment", "production"), world.Has(nextImage, imagePath()...))
	})
	s.Repo.Run(t, "pull", "-q", "origin", "main")
	t.Run("Lesson40_ARequestThatAPersonClosesStaysClosed", func(t *testing.T) {
		s.Repo.Edit(t, productionDeployment, nextImage, imageName+"1.31.0")
		third := s.Repo.Commit(t, "A third image")
		request = p.AwaitMergeRequest(t, "the third release", proposes(third))
		p.CloseMergeRequest(t, request.Number)
		s.Repo.Write(t, "README", "Nothing of the shop\n")
		s.Repo.Commit(t, "An unrelated commit")
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("a request is open again: %v", open)
		}
		s.Repo.Edit(t, productionDeployment, imageName+"1.31.0", imageName+"1.31.1")
		request = p.AwaitMergeRequest(t, "a newer release", proposes(s.Repo.Commit(t, "A fourth image")))
	})
	t.Run("OneThatIsHeldSaysWhatItHas", func(t *testing.T) {
		p.Label(t, request.Number, "sluice/hold")
		s.Repo.Edit(t, productionDeployment, imageName+"1.31.1", imageName+"1.31.2")
		newer := s.Repo.Commit(t, "A fifth image")
		told := p.AwaitMergeRequest(t, "what is newer", func(m world.MergeRequest) bool {
			return m.Number == request.Number && strings.Contains(m.Body, newer[:7]+" is newer")
		})
		if told.Head.SHA != request.Head.SHA || told.Title != request.Title || strings.Contains(told.Body, "to "+newer) {
			t.Errorf("it says of the newer one that it is to be merged: %s\n%s", told.Title, told.Body)
		}
	})
}

// TestPromotionIsRevertedAfterAFailure: a release that fails in production is taken back at once, its commit says so, and a
// request waits that has Git say the same. Merged, nothing moves in the cluster, and the agent does not ask for it again.
func TestPromotionIsRevertedAfterAFailure(t *testing.T) {
	s, p, first := atForge(t, "promotion-fails")
	request := p.AwaitMergeRequest(t, "the first release", proposes(first))
	p.Merge(t, request.Number, world.Merge)
	s.AwaitPhase(t, "production", first, "Healthy")
	s.Repo.Run(t, "pull", "-q", "origin", "main")
	pods := s.Cluster.WatchPods(t, s.Production)
	before := pods.Live()
	s.Repo.Edit(t, productionDeployment, "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
		"    metadata:\n      annotations: {dev.sluice/fail: crash-loop}\n      labels: {app.kubernetes.io/name: shop}")
	bad := s.Repo.Commit(t, "A release that crashes in production")
	request = p.AwaitMergeRequest(t, "the bad release", proposes(bad))
	p.Merge(t, request.Number, world.Merge)
	var revert world.MergeRequest
	t.Run("TheCommitSaysIt", func(t *testing.T) {
		s.AwaitPhase(t, "production", bad, "RolledBack")
		p.AwaitStatus(t, bad, "sluice/shop/production", "failure")
	})
	t.Run("Lesson23_SuccessWasNeverSaid", func(t *testing.T) {
		for _, status := range p.StatusLog(t, bad) {
			if status.Context == "sluice/shop/production" && status.State == "success" {
				t.Errorf("it was said of a release that never was well: %s", status.Description)
			}
		}
	})
	t.Run("ARequestToGoBackWaits", func(t *testing.T) {
		revert = p.AwaitMergeRequest(t, "the way back", func(m world.MergeRequest) bool {
			return m.State == "open" && m.Head.Ref == "sluice/revert/shop/production"
		})
		for _, words := range []string{bad[:7] + " failed in", "ends with exit code", first} {
			if !strings.Contains(revert.Body, words) {
				t.Errorf("the request does not say %q: %s", words, revert.Body)
			}
		}
	})
	t.Run("MergedGitSaysWhatRuns", func(t *testing.T) {
		p.Merge(t, revert.Number, world.Merge)
		s.Repo.Run(t, "pull", "-q", "origin", "main")
		if pin := s.Repo.Read(t, "releases/production.yaml"); !strings.Contains(pin, first) {
			t.Errorf("the pin is %q, want %s", pin, first)
		}
		s.Agent.AwaitPolls(t)
		s.Cluster.AwaitObject(t, world.Patience, "the proven release as it was", s.Object("Deployment", "production"), func(o *unstructured.Unstructured) error {
			if fails, found, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "annotations"); found {
				return fmt.Errorf("its template has the annotations %v", fails)
			}
			return nil
		})
		for uid := range before {
			if !pods.Live()[uid] {
				t.Errorf("proven pod %s is gone", uid)
			}
		}
	})
	t.Run("Lesson40_ItIsNotAskedForAgain", func(t *testing.T) {
		s.Agent.AwaitPolls(t)
		s.Agent.AwaitPolls(t)
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("a request is open: %v", open)
		}
	})
	t.Run("AFixIsProposed", func(t *testing.T) {
		s.Repo.Edit(t, productionDeployment, "annotations: {dev.sluice/fail: crash-loop}", "annotations: {fixed: yes-it-is}")
		fix := s.Repo.Commit(t, "The fix")
		request = p.AwaitMergeRequest(t, "the fix", proposes(fix))
		p.Merge(t, request.Number, world.Merge)
		s.AwaitPhase(t, "production", fix, "Healthy")
	})
}

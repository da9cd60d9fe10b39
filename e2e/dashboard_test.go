package e2e

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/browser"
)

// judged stages the releases of staging, the second stage by a person's word.
const judged = `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 1s}, {weight: 50%, approve: true}]}}
`

// Where the home page has the shop's environments.
const (
	stagingCell    = `td[data-env="staging"]`
	productionCell = `td[data-env="production"]`
)

// TestDashboardIsLive: a person who keeps the page open sees a canary, a failure, a promotion and a roll-back as they happen,
// and never has to ask for the page again.
func TestDashboardIsLive(t *testing.T) {
	s := begin(t, "dashboard-live")
	s.Shop(t)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", judged)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/production}}\n", promoted)
	first := s.Repo.Commit(t, "The shop")
	s.Agent.Start(t)
	at := "http://" + s.Agent.Config.Dashboard["listen"].(string)
	chromium := browser.Open(t, s.Root)
	page := chromium.Window(t, browser.Look{Width: 1280})
	page.Go(t, at+"/")
	page.Await(t, "#live", "Live")
	page.Await(t, stagingCell, "Healthy")
	page.Await(t, stagingCell, first[:7])
	browser.Value[bool](t, page, `window.kept = true`)
	// seen looks at a page as it is now, with JavaScript and without.
	seen := func(t *testing.T, name, path string, words ...string) {
		t.Helper()
		for kind, look := range map[string]browser.Look{"": {Width: 1280}, "-noscript": {Width: 1280, NoScript: true}} {
			other := chromium.Window(t, look)
			other.Go(t, at+path)
			text := other.Text(t, "main")
			for _, word := range words {
				if !strings.Contains(text, word) {
					t.Errorf("%s%s does not say %q: %s", name, kind, word, text)
				}
			}
			other.Picture(t, "live/"+name+kind)
		}
	}
	t.Run("APromotionWaitsAndIsMerged", func(t *testing.T) {
		page.Await(t, productionCell, "promotion")
		s.Repo.Run(t, "fetch", "-q", "origin")
		s.Repo.Run(t, "merge", "-q", "--no-edit", "origin/"+proposal)
		s.Repo.Push(t)
		page.Await(t, productionCell, "Healthy")
		page.Await(t, productionCell, first[:7])
	})
	t.Run("ACanaryWaitsForAPerson", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		second := s.Repo.Commit(t, "Another image")
		page.Await(t, stagingCell, "Stage 1 of 2")
		page.Await(t, stagingCell, "waits for approval of stage 2")
		page.Await(t, stagingCell, second[:7])
		seen(t, "canary", "/a/shop/staging", "Stage 1", "Stage 2", "1 of 1 Ready", "sluice approve shop staging", first[:7])
		seen(t, "canary-objects", "/a/shop/staging/objects", "new", "proven", "node")
		if out, said, code := s.CLI(t, s.Repo.Dir, "approve", "shop", "staging"); code != 0 {
			t.Fatalf("approve ended with %d: %s%s", code, out, said)
		}
		s.Repo.Push(t)
		page.Await(t, stagingCell, "Healthy")
	})
	var bad string
	t.Run("AFailureSaysWhy", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
			"    metadata:\n      annotations: {dev.sluice/fail: crash-loop}\n      labels: {app.kubernetes.io/name: shop}")
		bad = s.Repo.Commit(t, "A release that crashes")
		page.Await(t, stagingCell, "Rolled back")
		page.Await(t, stagingCell, "ends with exit code 1")
		seen(t, "failed", "/a/shop/staging/r/"+bad, "ends with exit code 1", "Ada")
		seen(t, "failed-application", "/a/shop", "Rolled back", "A release that crashes", "Another image", "The shop")
	})
	t.Run("ARollBackIsSeen", func(t *testing.T) {
		revert := s.Repo.Revert(t, bad)
		page.Await(t, stagingCell, "Healthy")
		page.Await(t, stagingCell, revert[:7])
		s.Repo.Edit(t, stagingDeployment, nextImage, imageName+"1.31.0")
		s.Repo.Commit(t, "A third image")
		page.Await(t, stagingCell, "waits for approval of stage 2")
		back := s.Repo.Revert(t, "HEAD")
		page.Await(t, stagingCell, back[:7])
		page.Await(t, stagingCell, "Healthy")
	})
	if !browser.Value[bool](t, page, `window.kept === true`) {
		t.Error("the page was loaded anew")
	}
	page.Picture(t, "live/home")
	for _, fault := range page.Faults(t) {
		t.Errorf("the home page: %s", fault)
	}
}

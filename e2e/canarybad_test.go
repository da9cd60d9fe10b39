package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// badCase is a kind under one onFailure, in an environment of its own.
type badCase struct {
	badRelease
	*world.Story
	kind, onFailure, environment string

	first, bad string
	before     map[string]bool
	pods       *world.Pods
	serving    *world.Serving
	traffic    *world.Traffic
}

// TestCanaryTakesBackEachKindOfBadRelease: whatever is wrong with it, and with what is kept of it, the proven pods serve all
// the while, nobody else does in the end, and the commit says why. All go out at once. How long each took is printed.
func TestCanaryTakesBackEachKindOfBadRelease(t *testing.T) {
	s := begin(t, "canary-bad")
	cases := beginBad(t, s)
	for _, c := range cases {
		c.spoil(t)
	}
	bad := s.Repo.Commit(t, "A bad release of each kind")
	var table strings.Builder
	for _, c := range cases {
		c.bad = bad
		t.Run(c.environment, func(t *testing.T) { fmt.Fprintln(&table, c.isTakenBack(t)) })
	}
	t.Logf("Until only proven pods served:\n%-16s%-10s%12s%15s\n%s", "kind", "onFailure", "since fault", "since decision", table.String())
	t.Run("Lesson16_NoDataIsNoPass", func(t *testing.T) {
		for _, c := range cases {
			for _, n := range s.Repo.MustNotes(t, c.environment) {
				if n.On == bad && n.Says("stage 2 of 2") {
					t.Errorf("%s: its first stage passed: %s", c.environment, n.Text)
				}
			}
		}
	})
	t.Run("Lesson18_NoneIsTriedForEver", func(t *testing.T) {
		s.Agent.AwaitPolls(t)
		for _, c := range cases {
			ended := false
			for _, n := range s.Repo.MustNotes(t, c.environment) {
				if ended && n.On == bad {
					t.Errorf("%s: something became of it again: %s", c.environment, n.Text)
				}
				ended = ended || n.On == bad && n.Phase == "RolledBack"
			}
		}
	})
	t.Run("Lesson09_TheFixIsReleased", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "hold: 7d", "hold: 1s")
		for _, c := range cases {
			if c.kind == "image-missing" {
				s.Repo.Edit(t, c.manifest(), imageName+"missing", nextImage)
			}
		}
		fix := s.Repo.Commit(t, "An image that is there")
		for _, c := range cases {
			if c.kind == "image-missing" {
				s.AwaitPhase(t, c.environment, fix, "Healthy")
				s.AwaitGit(t, c.environment)
			}
		}
	})
}

// beginBad deploys the shop to an environment for each case.
func beginBad(t *testing.T, s *world.Story) []*badCase {
	t.Helper()
	var cases []*badCase
	var all []*world.Pods
	s.Shop(t, "staging")
	kinds := badReleases()
	for _, kind := range sorted(kinds) {
		for _, onFailure := range []string{"rollback", "hold"} {
			c := &badCase{badRelease: kinds[kind], Story: s, kind: kind, onFailure: onFailure, environment: kind + "-" + onFailure}
			c.deploy(t)
			cases, all = append(cases, c), append(all, s.Cluster.WatchPods(t, s.Namespace(c.environment)))
		}
	}
	traffic := world.StartTraffic(t, all...)
	traffic.Serve(firstImage, world.Service{Latency: 0.25})
	s.Agent.Config.Providers = []map[string]any{{
		"name": "prometheus", "prometheus": map[string]any{"url": s.StartPrometheus(t, traffic).URL}, "timeout": "2s",
	}}
	first := s.Repo.Commit(t, "The first release")
	s.Agent.Start(t)
	for _, c := range cases {
		s.AwaitPhase(t, c.environment, first, "Healthy")
		c.first, c.traffic, c.pods = first, traffic, s.Cluster.WatchPods(t, s.Namespace(c.environment))
		c.serving, c.before = s.Cluster.WatchServing(t, s.Object("Service", c.environment)), c.pods.Live()
		if len(c.before) != 4 {
			t.Fatalf("%s has %d pods, want 4", c.environment, len(c.before))
		}
		world.Await(t, world.Patience, "all pods serve in "+c.environment, c.onlyProvenServe)
	}
	return cases
}

func (c *badCase) manifest() string { return "deploy/" + c.environment + "/deployment.yaml" }

func (c *badCase) image() string {
	if c.tag != "" {
		return imageName + c.tag
	}
	return imageName + c.environment
}

// deploy writes the environment and what it has at first.
func (c *badCase) deploy(t *testing.T) {
	t.Helper()
	folder, hold := "deploy/"+c.environment, "7d"
	if c.analysis != "" {
		hold = "2s" // only what is measured keeps it
	}
	c.NewEnvironment(t, c.environment)
	c.Repo.Copy(t, c.Repo.Dir+"/deploy/staging", folder)
	c.Repo.Edit(t, c.manifest(), "replicas: 2", "replicas: 4")
	c.Repo.Write(t, folder+"/secret.yaml", secretWord)
	rollout := fmt.Sprintf("    rollout:\n      canary: {steps: [{instances: 1, hold: %s}, {weight: 50%%}], onFailure: %s}\n      analysis: [%s]\n",
		hold, c.onFailure, c.analysis)
	c.Repo.Write(t, "sluice.yaml", c.Repo.Read(t, "sluice.yaml")+c.Block(c.environment, "directory: {path: "+folder+"}")+rollout)
}

// spoil writes the bad release.
func (c *badCase) spoil(t *testing.T) {
	t.Helper()
	c.traffic.Serve(c.image(), c.serves)
	c.Repo.Edit(t, c.manifest(), firstImage, c.image())
	c.Repo.Edit(t, c.manifest(), "replicas: 4", "replicas: 4"+c.spec)
	c.Repo.Edit(t, c.manifest(), "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
		"    metadata:\n      annotations: {"+c.annotations+"}\n      labels: {app.kubernetes.io/name: shop}")
}

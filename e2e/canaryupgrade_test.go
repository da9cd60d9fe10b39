package e2e

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryOutlivesUpgrades/Lesson45: the cluster serves more than before and another process of the agent looks at it, as
// after upgrades of both. Nothing that was decided is decided anew: no pod is restarted, a proof stays one, and a release that
// failed stays where it is.
func TestCanaryOutlivesUpgrades(t *testing.T) {
	s, first := canary(t, "canary-upgrade", staged)
	s.Repo.Edit(t, stagingDeployment, firstImage, imageName+"missing")
	bad := s.Repo.Commit(t, "An image that nobody has")
	last := s.AwaitPhase(t, "staging", bad, "RolledBack")
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Agent.Stop(t)
	definition := world.ParseObjects(t, []byte(strings.ReplaceAll(newKind, "GROUP", s.Name+".example.com")))[0]
	s.Apply(t, definition)
	s.Agent.Start(t)
	s.Agent.AwaitPolls(t)
	if _, stderr, code := s.CLI(t, s.Dir, "reconcile", "shop", "staging", "--verify", "-n", s.System,
		"--kubeconfig", filepath.Join(s.Agent.Dir, "kubeconfig")); code != 0 {
		t.Fatalf("ask for a pass: %s", stderr)
	}
	s.Agent.AwaitPolls(t)
	t.Run("Lesson45_NothingIsDecidedAnew", func(t *testing.T) {
		if live := pods.Live(); !maps.Equal(live, before) {
			t.Errorf("the pods were %v and are %v", before, live)
		}
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.Seq > last.Seq {
				t.Errorf("something was told: %s", n.Text)
			}
		}
	})
	t.Run("TheProofIsWorthWhatItWas", func(t *testing.T) {
		s.Repo.Run(t, "revert", "--no-edit", "HEAD")
		s.Repo.Push(t)
		back := s.Repo.Head(t)
		s.AwaitPhase(t, "staging", back, "Healthy")
		if live := pods.Live(); !maps.Equal(live, before) {
			t.Errorf("to go back to %s touched its pods: %v, then %v", first[:7], before, live)
		}
	})
}

const newKind = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
`

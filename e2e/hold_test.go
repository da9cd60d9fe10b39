package e2e

import (
	"fmt"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentHoldsALargePrune: twelve objects become two by a commit that nobody meant; they stay until a person confirms.
func TestAgentHoldsALargePrune(t *testing.T) {
	s := begin(t, "hold")
	s.Repo.Write(t, "sluice.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n"+
		s.Block("staging", "directory: {path: deploy}"))
	twelve := func(i int) world.Ref {
		return world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: fmt.Sprintf("part-%d", i)}
	}
	for i := range 12 {
		s.Repo.Write(t, fmt.Sprintf("deploy/part-%d.yaml", i),
			fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: part-%d}\ndata: {of: one}\n", i))
	}
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Twelve parts"), "Healthy")
	gone := func() (n int) {
		for i := range 12 {
			if s.Cluster.Get(t, twelve(i)) == nil {
				n++
			}
		}
		return n
	}
	var revision string
	t.Run("Lesson08_TenOfTwelveVanishAndStay", func(t *testing.T) {
		for i := range 10 {
			s.Repo.Remove(t, fmt.Sprintf("deploy/part-%d.yaml", i))
		}
		s.Repo.Edit(t, "deploy/part-11.yaml", "of: one", "of: two")
		revision = s.Repo.Commit(t, "Two parts")
		note := s.Repo.AwaitNote(t, world.Patience, "a word about the prune", "staging", func(n world.Note) bool {
			return n.On == revision && n.Says("prune")
		})
		if !note.Says("10") {
			t.Errorf("the note does not say how many: %s", note.Text)
		}
		s.Cluster.AwaitObject(t, world.Patience, "the rest is applied", twelve(11), world.Has("two", "data", "of"))
		s.Agent.AwaitPolls(t)
		if n := gone(); n != 0 {
			t.Errorf("%d objects were deleted", n)
		}
	})
	t.Run("AnUnrelatedPermissionDoesNotCount", func(t *testing.T) {
		s.Repo.Write(t, "releases/staging.yaml", "prune: {revision: "+s.Repo.Run(t, "rev-parse", "HEAD~1")+"}\n")
		s.Repo.Commit(t, "For the wrong revision")
		s.Agent.AwaitPolls(t)
		if n := gone(); n != 0 {
			t.Errorf("%d objects were deleted", n)
		}
	})
	t.Run("APersonConfirmsInGit", func(t *testing.T) {
		s.Repo.Write(t, "releases/staging.yaml", "prune: {revision: "+revision+"}\n")
		s.Repo.Commit(t, "Yes, they may go")
		for i := range 10 {
			s.Cluster.AwaitObject(t, world.Patience, "pruned", twelve(i), world.Gone)
		}
		if n := gone(); n != 10 {
			t.Errorf("%d objects are gone, want 10", n)
		}
	})
	t.Run("ASinglePruneIsNeverHeld", func(t *testing.T) {
		s.Repo.Remove(t, "deploy/part-10.yaml")
		s.Repo.Commit(t, "One of two")
		s.Cluster.AwaitObject(t, world.Patience, "pruned", twelve(10), world.Gone)
	})
}

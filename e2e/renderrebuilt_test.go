package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestRenderGeneratedAfterARebuild: the cluster is lost, and the agent's state with it. What charts make by chance is made anew
// there, once, and then stays.
func TestRenderGeneratedAfterARebuild(t *testing.T) {
	s := begin(t, "render-rebuilt")
	generating(t, s)
	first := s.Repo.Commit(t, "Charts that make a password")
	s.Agent.Start(t)
	lost := map[string]generated{}
	for _, env := range bothEnvironments {
		s.AwaitPhase(t, env, first, "Healthy")
		lost[env] = generatedIn(t, s, env)
	}
	key := s.PublicKey(t, s.Agent)
	s.Agent.Stop(t)
	lose(t, s)
	s.Agent.Config.Keys = []map[string]any{{"environments": bothEnvironments, "key": key}}
	passwords := map[string]func() []string{}
	for _, env := range bothEnvironments {
		pods := s.Cluster.WatchPods(t, s.Namespace(env))
		world.AwaitPods(t, "nothing runs", pods, func(images map[string]int) bool { return len(images) == 0 })
		passwords[env] = s.Cluster.Values(t, world.Ref{Kind: "Secret", Namespace: s.Namespace(env), Name: "login"}, "data", "password")
	}
	s.Agent.Start(t)
	again := map[string]generated{}
	t.Run("Lesson46_ItIsMadeOnceAgain", func(t *testing.T) {
		for _, env := range bothEnvironments {
			s.Cluster.AwaitObject(t, world.Patience, "two pods", s.Object("Deployment", env), world.Has(2, "status", "readyReplicas"))
			again[env] = generatedIn(t, s, env)
			if g, was := again[env], lost[env]; g.password == was.password || g.token == was.token || g.seed == was.seed || g.checksum == was.checksum {
				t.Errorf("%s: something is as it was before, although nobody could know it", env)
			}
		}
	})
	t.Run("Lesson46_AndThenStays", func(t *testing.T) {
		for _, env := range bothEnvironments {
			s.Repo.Edit(t, "deploy/"+env+"/values.yaml", "replicas: 2", "replicas: 3")
		}
		more := s.Repo.Commit(t, "One pod more")
		for _, env := range bothEnvironments {
			s.AwaitPhase(t, env, more, "Healthy")
			if generatedIn(t, s, env) != again[env] {
				t.Errorf("%s: what was made is other than before", env)
			}
			if got := sets(t, s, env); len(got) != 1 {
				t.Errorf("%s: the ReplicaSets are %v, want one", env, got)
			}
			onePassword(t, env, passwords[env]())
		}
	})
}

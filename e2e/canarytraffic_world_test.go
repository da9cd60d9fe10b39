package e2e

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryTrafficMeetsTheWorld: what others do to the route, its Services and its pods in the middle of a stage.
func TestCanaryTrafficMeetsTheWorld(t *testing.T) {
	s := begin(t, "traffic-world")
	g := routed(t, s, "HTTPRoute", "httpRoute", httpRoute)
	const staged, unstaged = "shop-canary:100 | shop-canary:10 shop-stable:90", "shop-stable:100"
	t.Run("ARouteThatIsNotInGitIsSaid", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "httpRoute: shop", "httpRoute: store")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		note := s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Another route"), "Failed")
		if !note.Says("there is no HTTPRoute store in the manifests") {
			t.Errorf("the note does not say why: %s", note.Text)
		}
		s.Repo.Run(t, "revert", "--no-edit", "HEAD")
		s.Repo.Push(t)
		s.AwaitPhase(t, "staging", s.Repo.Head(t), "Healthy")
	})
	s.Repo.Edit(t, "sluice.yaml", "hold: 1s", "hold: 7d")
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "Another image")
	g.await(t, staged)
	deployment, canary := s.Object("Deployment", "staging"), world.Ref{Kind: "Service", Namespace: s.Staging, Name: "shop-canary"}
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	t.Run("SomebodyMovesTheWeight", func(t *testing.T) {
		const all = `{"spec":{"rules":[{"backendRefs":[{"name":"shop-canary","port":80}]}]}}`
		_, err := s.Cluster.Resource(g.kind, s.Staging).Patch(t.Context(), "shop", types.MergePatchType, []byte(all),
			metav1.PatchOptions{FieldManager: "kubectl-edit"})
		if err != nil {
			t.Fatal(err)
		}
		g.await(t, staged)
	})
	t.Run("SomebodyDeletesTheServiceOfTheNewPods", func(t *testing.T) {
		old := s.Cluster.Must(t, canary).GetUID()
		if err := s.Cluster.Resource("Service", s.Staging).Delete(t.Context(), canary.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		world.Await(t, world.Patience, "it is made anew", func() error {
			if o := s.Cluster.Get(t, canary); o == nil || o.GetUID() == old {
				return fmt.Errorf("it is %v", o)
			}
			return nil
		})
	})
	t.Run("TheAgentIsKilled", func(t *testing.T) {
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.Agent.AwaitPolls(t)
		g.await(t, staged)
		for uid := range before {
			if !pods.Live()[uid] {
				t.Errorf("pod %s is gone", uid)
			}
		}
	})
	t.Run("Lesson43_ScaledToZeroAndBack", func(t *testing.T) {
		if err := s.Cluster.Scale(t.Context(), deployment, 0); err != nil {
			t.Fatal(err)
		}
		s.Repo.AwaitNote(t, world.Patience, "it waits", "staging", func(n world.Note) bool {
			return n.On == revision && n.Phase == "Holding" && n.Says("no replicas")
		})
		s.Cluster.AwaitObject(t, world.Patience, "the proven manifest", deployment, world.Has(firstImage, imagePath()...))
		g.await(t, "shop:")
		if err := s.Cluster.Scale(t.Context(), deployment, 4); err != nil {
			t.Fatal(err)
		}
		g.await(t, unstaged)
		g.await(t, staged)
		world.AwaitPods(t, "the stages begin anew", pods, func(images map[string]int) bool {
			return images[firstImage] == 4 && images[nextImage] == 1
		})
	})
	t.Run("SomebodyRestartsTheDeployment", func(t *testing.T) {
		record := s.Cluster.Record(t, s.Staging, g.kind, "Service", "EndpointSlice", "Pod")
		edit(t, s, deployment, `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
		s.Repo.Run(t, "revert", "--no-edit", "HEAD")
		s.Repo.Push(t)
		s.AwaitPhase(t, "staging", revision, "Superseded")
		s.AwaitPhase(t, "staging", s.Repo.Head(t), "Healthy")
		s.AwaitGit(t, "staging")
		judge(record(), g.kind, "").neverWithoutEndpointsAtFirst(t)
		if live := pods.Live(); len(live) != 4 {
			t.Errorf("there are %d pods, want 4", len(live))
		}
	})
}

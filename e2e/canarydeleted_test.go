package e2e

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryIsDeletedInAStage/Lesson43: somebody deletes what a stage stands on. What is proven comes back first, and then the
// stages begin anew.
func TestCanaryIsDeletedInAStage(t *testing.T) {
	s, _ := canary(t, "canary-deleted", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 7d}]}}
`)
	pods := s.Cluster.WatchPods(t, s.Staging)
	deployment := s.Object("Deployment", "staging")
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "Another image")
	inStage := func(t *testing.T) {
		t.Helper()
		world.AwaitPods(t, "one new pod beside the proven ones", pods, func(images map[string]int) bool {
			return images[firstImage] == 4 && images[nextImage] == 1
		})
	}
	inStage(t)
	t.Run("TheReplicaSetOfTheNewPods", func(t *testing.T) {
		proven, went := pods.Named(firstImage), pods.Named(nextImage)
		deleteSets(t, s, nextImage)
		world.AwaitPods(t, "another new pod", pods, func(images map[string]int) bool {
			live := pods.Live()
			for uid := range went {
				if live[uid] {
					return false
				}
			}
			return images[nextImage] == 1
		})
		inStage(t)
		for uid, name := range proven {
			if !pods.Live()[uid] {
				t.Errorf("proven pod %s is gone", name)
			}
		}
	})
	t.Run("Lesson43_TheReplicaSetOfTheProvenPods", func(t *testing.T) {
		images := s.Cluster.Values(t, deployment, imagePath()...)
		deleteSets(t, s, firstImage)
		s.Cluster.AwaitObject(t, world.Patience, "the proven manifest", deployment, world.Has(firstImage, imagePath()...))
		s.Cluster.AwaitObject(t, world.Patience, "the stages begin anew", deployment, world.Has(nextImage, imagePath()...))
		inStage(t)
		if got := images(); len(got) != 3 || got[1] != firstImage {
			t.Errorf("the Deployment's image was %v: the proven one was to come back between", got)
		}
	})
	t.Run("Lesson43_TheDeployment", func(t *testing.T) {
		images := s.Cluster.Values(t, deployment, imagePath()...)
		if err := s.Cluster.Core.AppsV1().Deployments(s.Staging).Delete(t.Context(), "shop", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.Cluster.AwaitObject(t, world.Patience, "another one, proven", deployment, func(o *unstructured.Unstructured) error {
			return world.Has(firstImage, imagePath()...)(o)
		})
		s.Cluster.AwaitObject(t, world.Patience, "the stages begin anew", deployment, world.Has(nextImage, imagePath()...))
		inStage(t)
		if got := images(); len(got) != 4 || got[1] != "" || got[2] != firstImage {
			t.Errorf("the Deployment's image was %v: it was to come back as the proven one", got)
		}
		if most := pods.Most(nextImage); most > 4 {
			t.Errorf("there were %d pods of the unproven release", most)
		}
	})
	t.Run("ItEndsAsEveryOther", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "hold: 7d", "hold: 1s")
		s.Repo.Commit(t, "Shorter stages")
		s.AwaitPhase(t, "staging", revision, "Healthy")
		s.AwaitGit(t, "staging")
	})
}

// deleteSets deletes the ReplicaSets of an image that are to have pods, and their pods with them.
func deleteSets(t *testing.T, s *world.Story, image string) {
	t.Helper()
	sets := s.Cluster.Core.AppsV1().ReplicaSets(s.Staging)
	list, err := sets.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	background := metav1.DeletePropagationBackground
	for _, set := range list.Items {
		if set.Spec.Template.Spec.Containers[0].Image == image && *set.Spec.Replicas > 0 {
			if err := sets.Delete(t.Context(), set.Name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

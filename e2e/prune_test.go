package e2e

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentPrunes: a file that is deleted takes its object with it, but only when the rest of the release is healthy.
func TestAgentPrunes(t *testing.T) {
	s := begin(t, "prune")
	s.Deploy(t, "staging")
	t.Run("ADeletedFileIsPrunedAfterHealth", func(t *testing.T) {
		s.Repo.Remove(t, "deploy/staging/ingress.yaml")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.Repo.Edit(t, stagingDeployment, "    spec:\n      serviceAccountName",
			"      annotations: {dev.sluice/fail: slow, dev.sluice/delay: 3s}\n    spec:\n      serviceAccountName")
		revision := s.Repo.Commit(t, "No Ingress, and a slow start")
		var atDeletion *unstructured.Unstructured
		s.Cluster.AwaitObject(t, world.Patience, "pruned", s.Object("Ingress", "staging"), func(o *unstructured.Unstructured) error {
			if err := world.Gone(o); err != nil {
				return err
			}
			atDeletion = s.Cluster.Get(t, s.Object("Deployment", "staging"))
			return nil
		})
		for path, want := range map[string]any{"updatedReplicas": 2, "availableReplicas": 2, "replicas": 2} {
			if err := world.Has(want, "status", path)(atDeletion); err != nil {
				t.Errorf("the Ingress went before the Deployment was healthy: %v", err)
			}
		}
		if err := world.Has(nextImage, imagePath()...)(atDeletion); err != nil {
			t.Error(err)
		}
		s.AwaitPhase(t, "staging", revision, "Healthy")
		s.AwaitGit(t, "staging")
	})
	t.Run("Lesson07_AnObjectThatSomebodyReownedIsLeft", func(t *testing.T) {
		service := s.Object("Service", "staging")
		patch := `{"metadata":{"labels":{"sluice.dev/agent":null,"sluice.dev/application":"somebody-elses"}}}`
		// In one commit with the change of owner, so that no repair comes in between.
		s.Repo.Remove(t, "deploy/staging/service.yaml")
		s.Repo.Write(t, "releases/staging.yaml", "paused: true\n")
		s.Repo.Commit(t, "A moment of quiet")
		s.Agent.AwaitPolls(t)
		if _, err := s.Cluster.Resource("Service", service.Namespace).Patch(t.Context(), service.Name,
			types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		s.Repo.Remove(t, "releases/staging.yaml")
		s.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 3")
		revision := s.Repo.Commit(t, "No Service")
		s.AwaitPhase(t, "staging", revision, "Healthy")
		s.Agent.AwaitPolls(t)
		if err := world.Exists(s.Cluster.Get(t, service)); err != nil {
			t.Error(errors.Join(errors.New("the Service that was somebody else's was deleted"), err))
		}
	})
}

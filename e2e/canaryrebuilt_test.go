package e2e

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryOnARebuiltCluster/Lesson21: the cluster is lost in the middle of a stage, with all that the agent had there, its key
// too. On the new one the proven release of the notes runs first, since agent.yaml says that the lost key counts; then what Git
// asks for begins its stages.
func TestCanaryOnARebuiltCluster(t *testing.T) {
	s, _ := canary(t, "rebuilt", strings.Replace(oneStage, "hold: 3s", "hold: 7d", 1))
	old := s.Cluster.WatchPods(t, s.Staging)
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "Another image")
	staged := func() (n int) {
		for _, note := range s.Repo.MustNotes(t, "staging") {
			if note.On == second && note.Says("stage 1 of 1") {
				n++
			}
		}
		return n
	}
	world.AwaitPods(t, "one new pod", old, func(images map[string]int) bool { return images[nextImage] == 1 })
	world.Await(t, world.Patience, "Git is told of the stage", func() error {
		if staged() == 0 {
			return errors.New("it is not")
		}
		return nil
	})
	key := s.PublicKey(t, s.Agent)
	s.Agent.Stop(t)
	lose(t, s)
	world.AwaitPods(t, "nothing runs", old, func(images map[string]int) bool { return len(images) == 0 })
	s.Agent.Config.Keys = []map[string]any{{"environments": []string{"staging"}, "key": key}}
	pods := s.Cluster.WatchPods(t, s.Staging)
	images := s.Cluster.Values(t, s.Object("Deployment", "staging"), imagePath()...)
	s.Agent.Start(t)
	t.Run("Lesson21_TheProvenReleaseRunsFirst", func(t *testing.T) {
		world.AwaitPods(t, "the proven pods, and one of the stage", pods, func(images map[string]int) bool {
			return images[firstImage] == 4 && images[nextImage] == 1
		})
		if got := images(); !slices.Equal(got, []string{"", firstImage, nextImage}) { // none at first
			t.Errorf("the Deployment's image was %v", got)
		}
		if most := pods.Most(nextImage); most > 1 {
			t.Errorf("%d pods of an unproven release at one moment", most)
		}
		world.Await(t, world.Patience, "Git is told that the stages begin anew", func() error {
			if staged() < 2 {
				return errors.New("it is not")
			}
			return nil
		})
	})
	if s.PublicKey(t, s.Agent) == key {
		t.Error("the key was not lost")
	}
}

// lose deletes all that the environments have in the cluster, and all that the agent has, but for the credentials that a person
// brings there.
func lose(t *testing.T, s *world.Story) {
	t.Helper()
	background := metav1.DeletePropagationBackground
	for _, env := range bothEnvironments {
		for _, o := range s.Cluster.Owned(t, s.Namespace(env), "shop", env) {
			err := s.Cluster.Resource(o.GetKind(), o.GetNamespace()).Delete(t.Context(), o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	secrets := s.Cluster.Core.CoreV1().Secrets(s.System)
	list, err := secrets.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range list.Items {
		if strings.HasPrefix(secret.Name, "sluice") {
			err = errors.Join(err, secrets.Delete(t.Context(), secret.Name, metav1.DeleteOptions{}))
		}
	}
	if err = errors.Join(err, os.RemoveAll(s.Agent.Config.DataDir)); err != nil {
		t.Fatal(err)
	}
}

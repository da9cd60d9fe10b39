package e2e

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentMeetsANewName: an application and an environment get other names and keep their workloads.
func TestAgentMeetsANewName(t *testing.T) {
	s := begin(t, "rename")
	s.Deploy(t, "staging")
	deployment := s.Object("Deployment", "staging")
	old := s.Cluster.Must(t, deployment)
	t.Run("Lesson03_ARenamedApplicationKeepsItsWorkloads", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "metadata: {name: shop}\n", "metadata: {name: store}\nwas: [shop]\n")
		s.Repo.Commit(t, "A store")
		live := s.Cluster.AwaitObject(t, world.Patience, "handed over", deployment, world.Has("store", "metadata", "labels", "sluice.dev/application"))
		if live.GetUID() != old.GetUID() || live.GetGeneration() != old.GetGeneration() {
			t.Error("the Deployment was replaced or rolled out")
		}
		awaitExactly(t, s, "store", "staging", "staging")
	})
	t.Run("Lesson03_ARenamedEnvironmentKeepsItsWorkloads", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "- name: staging\n", "- name: production\n    was: [staging]\n")
		s.Repo.Commit(t, "It was production all the time")
		live := s.Cluster.AwaitObject(t, world.Patience, "handed over", deployment, world.Has("production", "metadata", "labels", "sluice.dev/environment"))
		if live.GetUID() != old.GetUID() || live.GetGeneration() != old.GetGeneration() {
			t.Error("the Deployment was replaced or rolled out")
		}
		awaitExactly(t, s, "store", "production", "staging")
	})
	t.Run("Lesson03_AMovedFolderChangesNothing", func(t *testing.T) {
		s.Repo.Run(t, "mv", "deploy/staging", "deploy/elsewhere")
		s.Repo.Edit(t, "sluice.yaml", "deploy/staging", "deploy/elsewhere")
		s.Repo.Edit(t, "deploy/elsewhere/configmap.yaml", "Welcome to the shop", "Welcome to the store")
		s.AwaitPhase(t, "production", s.Repo.Commit(t, "Moved"), "Healthy")
		if live := s.Cluster.Must(t, deployment); live.GetUID() != old.GetUID() {
			t.Error("the Deployment was replaced")
		}
	})
}

// TestAgentRemovesAnEnvironment: taking an environment out of the file removes nothing; `state: absent` removes all of
// it, even when its account went first.
func TestAgentRemovesAnEnvironment(t *testing.T) {
	s := begin(t, "absent")
	s.Deploy(t)
	t.Run("TakenOutOfTheFileItStays", func(t *testing.T) {
		file := s.Repo.Read(t, "sluice.yaml")
		s.Shop(t, "staging")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Without production"), "Healthy")
		if err := world.Exists(s.Cluster.Get(t, s.Object("Deployment", "production"))); err != nil {
			t.Error(err)
		}
		s.Repo.Write(t, "sluice.yaml", file)
		s.Repo.Commit(t, "Production again")
		s.Agent.AwaitPolls(t)
	})
	t.Run("AbsentRemovesAllThatItOwns", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "{path: deploy/staging}}\n", "{path: deploy/staging}}\n    state: absent\n")
		s.Repo.Commit(t, "Staging is not needed")
		awaitNothing(t, s, "staging")
		if err := world.Exists(s.Cluster.Get(t, s.Object("Deployment", "production"))); err != nil {
			t.Error(err)
		}
		if err := world.Exists(s.Cluster.Get(t, world.Ref{Kind: "Namespace", Name: s.Staging})); err != nil {
			t.Error("the namespace is gone, which was not the application's")
		}
	})
	t.Run("Lesson06_ItDoesNotHangWhenTheAccountWentFirst", func(t *testing.T) {
		ctx := t.Context()
		if err := s.Cluster.Core.CoreV1().ServiceAccounts(s.Apps).Delete(ctx, "shop", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		err := s.Cluster.Core.RbacV1().RoleBindings(s.Production).Delete(ctx, "sluice-application-"+s.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		s.Repo.Edit(t, "sluice.yaml", "{path: deploy/production}}\n", "{path: deploy/production}}\n    state: absent\n")
		s.Repo.Commit(t, "Nor is production")
		s.Agent.AwaitLog(t, "production", "may not")
		s.Install(t, s.Names()) // the rights are back
		awaitNothing(t, s, "production")
	})
}

func awaitNothing(t *testing.T, s *world.Story, env string) {
	t.Helper()
	for _, kind := range []string{"Deployment", "Service", "ConfigMap", "Ingress", "ServiceAccount", "PodDisruptionBudget"} {
		s.Cluster.AwaitObject(t, world.Patience, "removed", s.Object(kind, env), world.Gone)
	}
}

// awaitExactly waits until the rendered objects of an environment are in the namespace that once was another's.
func awaitExactly(t *testing.T, s *world.Story, application, env, namespaceOf string) {
	t.Helper()
	want := s.Rendered(t, s.Repo.Dir, env)
	world.Await(t, world.Patience, env+" is what Git has", func() error {
		return s.Exactly(t, want, s.Namespace(namespaceOf), application, env)
	})
}

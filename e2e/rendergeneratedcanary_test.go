package e2e

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// passwordsOf are the passwords in all Secrets of the login, the plain one and its versions.
func passwordsOf(t *testing.T, s *world.Story) (all []string, secrets int) {
	t.Helper()
	list, err := s.Cluster.Core.CoreV1().Secrets(s.Staging).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range list.Items {
		if !strings.HasPrefix(secret.Name, "login") {
			continue
		}
		secrets++
		if password := string(secret.Data["password"]); !slices.Contains(all, password) {
			all = append(all, password)
		}
	}
	return all, secrets
}

// TestRenderGeneratedInACanary: where releases are staged, pods read a Secret under a name of its content. It has the same
// password under each.
func TestRenderGeneratedInACanary(t *testing.T) {
	s := begin(t, "render-generated-canary")
	generating(t, s)
	s.Repo.Edit(t, "sluice.yaml", "helm: {chart: deploy/staging}}\n", "helm: {chart: deploy/staging}}\n    rollout: {canary: {steps: [{instances: 1, hold: 3s}]}}\n")
	s.Repo.Edit(t, "deploy/staging/templates/web.yaml", "          env:", "          envFrom: [{secretRef: {name: login}}]\n          env:")
	first := s.Repo.Commit(t, "A chart that makes a password")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	made, _ := passwordsOf(t, s)
	if len(made) != 1 || len(made[0]) != 24 {
		t.Fatalf("there are %d passwords", len(made))
	}
	same := func(t *testing.T) {
		t.Helper()
		if now, _ := passwordsOf(t, s); !slices.Equal(now, made) {
			t.Errorf("there are %d passwords, and not the one that was made", len(now))
		}
	}
	t.Run("TheNextReleaseTakesTheStagesWithTheSamePassword", func(t *testing.T) {
		s.Repo.Edit(t, "deploy/staging/values.yaml", "user: shop", "user: merchant")
		second := s.Repo.Commit(t, "Another user")
		s.AwaitPhase(t, "staging", second, "Healthy")
		if !wasStaged(t, s, "staging", second) {
			t.Error("it was not staged")
		}
		same(t)
	})
	t.Run("ARevertGivesTheSamePods", func(t *testing.T) {
		back := s.Repo.Revert(t, s.Repo.Head(t))
		s.AwaitPhase(t, "staging", back, "Healthy")
		if wasStaged(t, s, "staging", back) {
			t.Error("a revert to what was proven took the stages: it is not the same release")
		}
		if all := sets(t, s, "staging"); len(all) != 2 {
			t.Errorf("the ReplicaSets are %v, want the first one again and the second", all)
		}
		same(t)
	})
	t.Run("WithoutTheStateTheVersionsSayIt", func(t *testing.T) {
		s.Agent.Stop(t)
		if err := s.Cluster.Core.CoreV1().Secrets(s.System).Delete(t.Context(), "sluice.shop.staging", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.Agent.Start(t)
		s.Repo.Edit(t, "deploy/staging/values.yaml", "replicas: 2", "replicas: 3")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "One pod more"), "Healthy")
		same(t)
		if all := sets(t, s, "staging"); len(all) != 2 {
			t.Errorf("the ReplicaSets are %v, want no other", all)
		}
	})
}

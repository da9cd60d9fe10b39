package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// plan runs `sluice plan` for staging with the rights of the application's account, and wants an exit status and words.
func plan(t *testing.T, s *world.Story, kubeconfig string, status int, words ...string) {
	t.Helper()
	out, said, code := s.CLI(t, s.Repo.Dir, "plan", "shop", "staging", "--kubeconfig", kubeconfig, "-n", s.System, "--exit-code")
	if code != status || said != "" {
		t.Errorf("plan ended with %d, want %d: %s%s", code, status, out, said)
	}
	for _, word := range words {
		if !strings.Contains(out, word) {
			t.Errorf("the plan does not say %q:\n%s", word, out)
		}
	}
}

// kubeconfigOf is a kubeconfig for the application's account.
func kubeconfigOf(t *testing.T, s *world.Story) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, s.Kubeconfig(t, s.Apps, "shop"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// mayReadState gives the application's account the right to read the agent's state.
func mayReadState(t *testing.T, s *world.Story) {
	t.Helper()
	s.Apply(t, world.ParseObjects(t, []byte("apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: shop, namespace: "+s.System+"}\n"+
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: sluice-state-"+s.Name+"}\nsubjects: [{kind: ServiceAccount, name: shop, namespace: "+s.Apps+"}]\n"))[0])
}

// TestCanaryIsPlanned: what a release would do is known before it does, and nothing is written for that.
func TestCanaryIsPlanned(t *testing.T) {
	s, _ := canary(t, "canary-plan", staged)
	kubeconfig := kubeconfigOf(t, s)
	deployment := s.Object("Deployment", "staging")
	before := s.Cluster.Get(t, deployment).GetResourceVersion()
	t.Run("NothingToDo", func(t *testing.T) {
		plan(t, s, kubeconfig, 0, "shop/staging in namespace "+s.Staging+": nothing would change")
	})
	t.Run("AnotherImageIsStaged", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		plan(t, s, kubeconfig, 3, "2 stages, capacity surge", "In stages\n  Deployment/"+s.Staging+"/shop  configured  spec.template.spec.containers[web].image\n",
			"stage 1: 1 instance for 2s\n", "1 new beside 4 proven: 5 pods\n", "stage 2: 50%\n", "4 new beside 4 proven: 8 pods, at least double capacity\n")
		s.Repo.Edit(t, stagingDeployment, nextImage, firstImage)
	})
	t.Run("ANewPageIsReadByNewPodsAlone", func(t *testing.T) {
		s.Repo.Edit(t, "deploy/staging/configmap.yaml", "Welcome to the shop", "Welcome back")
		plan(t, s, kubeconfig, 3, "Before the first stage\n  ConfigMap/"+s.Staging+"/shop-", "created", "spec.template.spec.volumes", "After the last stage\n  ConfigMap/"+s.Staging+"/shop ")
		s.Repo.Edit(t, "deploy/staging/configmap.yaml", "Welcome back", "Welcome to the shop")
	})
	t.Run("MorePodsAreNotStaged", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, "replicas: 4", "replicas: 5")
		plan(t, s, kubeconfig, 3, "no stages", "not staged: only the number of replicas changes")
		s.Repo.Edit(t, stagingDeployment, "replicas: 5", "replicas: 4")
	})
	t.Run("AServiceChangesAfterTheStages", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, "periodSeconds: 20", "periodSeconds: 5")
		s.Repo.Edit(t, "deploy/staging/service.yaml", "port: 80,", "port: 8000,")
		plan(t, s, kubeconfig, 3, "After the last stage\n  Service/"+s.Staging+"/shop ", "Warnings\n  Deployment/"+s.Staging+"/shop: container \"web\": livenessProbe")
		s.Repo.Run(t, "checkout", "-q", ".")
	})
	t.Run("WhatGitNoLongerHasGoesLast", func(t *testing.T) {
		s.Repo.Remove(t, "deploy/staging/poddisruptionbudget.yaml")
		out, said, code := s.CLI(t, s.Repo.Dir, "plan", "shop", "staging", "--kubeconfig", kubeconfig, "-n", s.System)
		if strings.Contains(out, "PodDisruptionBudget") {
			t.Errorf("the state was read without the right to it: %d %s%s", code, out, said)
		}
		mayReadState(t, s)
		plan(t, s, kubeconfig, 3, "no stages", "Last of all, what Git no longer has\n  PodDisruptionBudget/"+s.Staging+"/shop  deleted\n")
		s.Repo.Run(t, "checkout", "-q", ".")
	})
	t.Run("WhatTheAPIRefusesIsSaid", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, "replicas: 4", "replicas: -4")
		_, said, code := s.CLI(t, s.Repo.Dir, "plan", "shop", "staging", "--kubeconfig", kubeconfig)
		if code != 1 || !strings.Contains(said, "Error: the cluster refuses the release:\nDeployment/"+s.Staging+"/shop: ") {
			t.Errorf("plan ended with %d: %s", code, said)
		}
		s.Repo.Run(t, "checkout", "-q", ".")
	})
	if after := s.Cluster.Get(t, deployment).GetResourceVersion(); after != before {
		t.Errorf("the Deployment was written: version %s, was %s", after, before)
	}
}

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentLetsNobodyIn: what an application's repository must not be able to do is refused, with a word about what.
func TestAgentLetsNobodyIn(t *testing.T) {
	s := begin(t, "guard")
	s.Deploy(t, "staging")
	good := s.Repo.Head(t)
	attempts := map[string]struct {
		reason string
		try    func(t *testing.T)
		words  []string
	}{
		"Lesson05_ANamespaceThatIsReserved": {
			"kube-system is never an application's",
			func(t *testing.T) { file(t, s, "namespace: kube-system, ") }, []string{"kube-system"},
		},
		"Lesson05_TheAgentsOwnNamespace": {
			"state and keys lie there",
			func(t *testing.T) { file(t, s, "namespace: "+s.System+", ") }, []string{s.System},
		},
		"Lesson05_ANamespaceThatWasNotGiven": {
			"agent.yaml does not name it",
			func(t *testing.T) { file(t, s, "namespace: default, ") }, []string{"default"},
		},
		"AClusterWideKind": {
			"agent.yaml does not name it",
			func(t *testing.T) {
				s.Repo.Write(t, "deploy/staging/extra.yaml", "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: everything}\n")
			}, []string{"ClusterRole"},
		},
		"Lesson31_ASymlinkThatLeavesTheTree": {
			"the agent's own files are not manifests",
			func(t *testing.T) {
				if err := os.Symlink("../../../../etc/passwd", filepath.Join(s.Repo.Dir, "deploy/staging/extra.yaml")); err != nil {
					t.Fatal(err)
				}
			}, []string{"deploy/staging/extra.yaml"},
		},
		"Lesson31_APathThatLeavesTheTree": {
			"the jail is the repository's root",
			func(t *testing.T) { s.Repo.Edit(t, "sluice.yaml", "{path: deploy/staging}", "{path: ../../etc}") }, []string{".."},
		},
		"Lesson32_AnotherServiceAccount": {
			"that is the platform team's word",
			func(t *testing.T) {
				s.Repo.Edit(t, "sluice.yaml", "    namespace:", "    serviceAccount: cluster-admin\n    namespace:")
			},
			[]string{"serviceAccount"},
		},
		"Lesson33_ARemoteBase": {
			"nothing is fetched while rendering",
			func(t *testing.T) {
				s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}", "kustomize: {path: deploy/staging}")
				s.Repo.Write(t, "deploy/staging/kustomization.yaml", "resources: ['https://example.com/base?ref=main']\n")
			}, []string{"example.com"},
		},
		"Lesson33_AGenerator": {
			"no program is run while rendering",
			func(t *testing.T) {
				s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}", "kustomize: {path: deploy/staging}")
				s.Repo.Write(t, "deploy/staging/kustomization.yaml", "helmCharts: [{name: redis, repo: 'https://charts.example.com', version: 1.0.0}]\n")
			}, []string{"helmCharts"},
		},
	}
	for _, name := range sorted(attempts) {
		attempt := attempts[name]
		t.Run(name, func(t *testing.T) {
			s.Repo.Run(t, "checkout", "-q", good, "--", ".")
			s.Repo.Remove(t, "deploy/staging/extra.yaml")
			s.Repo.Remove(t, "deploy/staging/kustomization.yaml")
			attempt.try(t)
			s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
			revision := s.Repo.Commit(t, name)
			note := s.AwaitPhase(t, "staging", revision, "Blocked")
			if !note.Says(attempt.words...) {
				t.Errorf("%s: the note does not say %q: %s", attempt.reason, attempt.words, note.Text)
			}
			if err := world.Has(firstImage, imagePath()...)(s.Cluster.Get(t, s.Object("Deployment", "staging"))); err != nil {
				t.Errorf("%s: the rest of the release was applied: %v", attempt.reason, err)
			}
		})
	}
	t.Run("WhatRunsIsStillRepaired", func(t *testing.T) {
		edit(t, s, s.Object("Deployment", "staging"), otherImage)
		s.Cluster.AwaitObject(t, world.Patience, "repaired", s.Object("Deployment", "staging"), world.Has(firstImage, imagePath()...))
	})
}

// TestAgentRefusesAKubeconfigThatRunsPrograms: whoever may write a kubeconfig must not be able to run a program.
func TestAgentRefusesAKubeconfigThatRunsPrograms(t *testing.T) {
	s := begin(t, "kubeconfig")
	path := filepath.Join(s.Agent.Dir, "kubeconfig")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	faults := map[string]struct{ with, word string }{
		"Lesson34_Exec":           {"exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [" + s.Dir + "/ran], interactiveMode: Never}", "exec"},
		"Lesson34_AFileReference": {"tokenFile: /etc/passwd", "tokenFile"},
	}
	for _, name := range sorted(faults) {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(string(text), "\n")
			for i, line := range lines {
				if at := strings.Index(line, "token:"); at >= 0 {
					lines[i] = line[:at] + faults[name].with
				}
			}
			if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			s.Agent.Launch(t)
			s.Agent.AwaitLog(t, "kubeconfig", faults[name].word, "refused")
			s.Agent.Kill9(t)
			if _, err := os.Stat(filepath.Join(s.Dir, "ran")); err == nil {
				t.Error("the program was run")
			}
		})
	}
}

// file writes a manifest whose metadata has more than a name.
func file(t *testing.T, s *world.Story, metadata string) {
	t.Helper()
	s.Repo.Write(t, "deploy/staging/extra.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {"+metadata+"name: extra}\n")
}

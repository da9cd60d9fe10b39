package e2e

import (
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestRenderOfTheProgramsShowsNoDrift: what the helm and kustomize programs have deployed is taken over, and nothing of it
// changes: no field, no pod, no generated value.
func TestRenderOfTheProgramsShowsNoDrift(t *testing.T) {
	s := begin(t, "render-programs")
	generating(t, s)
	s.Repo.Copy(t, filepath.Join(s.Root, "examples/02-kustomize/base"), "base")
	s.Repo.Copy(t, filepath.Join(s.Root, "examples/02-kustomize/overlays/staging"), "overlays/production")
	const adopt = "    adopt: true\n"
	s.Repo.Write(t, "sluice.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n"+
		s.Block("staging", "helm: {chart: deploy/production}")+adopt+s.Block("production", "kustomize: {path: overlays/production}")+adopt)
	revision := s.Repo.Commit(t, "What the programs deployed")

	kubeconfig := kubeconfigOf(t, s)
	runProgram(t, s, "helm", "install", "shop", filepath.Join(s.Repo.Dir, "deploy/production"), "--namespace", s.Staging, "--kubeconfig", kubeconfig)
	deployed := map[string][]*unstructured.Unstructured{
		"staging":    world.ParseObjects(t, runProgram(t, s, "helm", "get", "manifest", "shop", "--namespace", s.Staging, "--kubeconfig", kubeconfig)),
		"production": world.ParseObjects(t, runProgram(t, s, "kustomize", "build", filepath.Join(s.Repo.Dir, "overlays/production"))),
	}
	pods := map[string]*world.Pods{}
	for env, workload := range map[string]string{"staging": "shop", "production": "orders"} {
		for _, o := range deployed[env] {
			o.SetNamespace(s.Namespace(env))
			if env == "production" {
				s.ApplyAs(t, "kubectl", o)
			}
		}
		pods[env] = s.Cluster.WatchPods(t, s.Namespace(env))
		ref := world.Ref{Kind: "Deployment", Namespace: s.Namespace(env), Name: workload}
		s.Cluster.AwaitObject(t, world.Patience, "available", ref, func(o *unstructured.Unstructured) error {
			return world.Has(world.Field(o, "spec", "replicas"), "status", "availableReplicas")(o)
		})
	}
	before, live := map[string]string{}, map[string]map[string]bool{}
	for env, objects := range deployed {
		live[env] = pods[env].Live()
		for _, o := range objects {
			before[refOf(o).String()] = content(t, s.Cluster.Must(t, refOf(o)))
		}
	}
	made := generatedIn(t, s, "staging")

	s.Agent.Start(t)
	for _, env := range bothEnvironments {
		s.AwaitPhase(t, env, revision, "Healthy")
	}
	s.Agent.AwaitPolls(t)
	for env, objects := range deployed {
		t.Run("Lesson46_"+env, func(t *testing.T) {
			for _, o := range objects {
				now := s.Cluster.Must(t, refOf(o))
				if got := content(t, now); got != before[refOf(o).String()] {
					t.Errorf("%s is\n%s\nwas\n%s", refOf(o), got, before[refOf(o).String()])
				}
				if now.GetLabels()["sluice.dev/agent"] != s.Name {
					t.Errorf("%s was not taken over", refOf(o))
				}
			}
			if now := pods[env].Live(); len(now) == 0 || !maps.Equal(now, live[env]) {
				t.Errorf("the pods are %v, were %v", now, live[env])
			}
			if got := sets(t, s, env); len(got) != 1 {
				t.Errorf("the ReplicaSets are %v, want one", got)
			}
			out, said, code := s.CLI(t, s.Repo.Dir, "diff", env, "--kubeconfig", kubeconfig, "-n", s.System)
			if code != 0 || !strings.Contains(out, "No object differs") {
				t.Errorf("sluice diff ended with %d: %s%s", code, out, said)
			}
		})
	}
	if now := generatedIn(t, s, "staging"); now != made {
		t.Error("what the helm program made by chance is other than before")
	}
	if log := s.Agent.Log(t); strings.Contains(log, "Drift was") {
		t.Errorf("there was drift:\n%s", world.Tail(log, 30))
	}
	t.Run("AnUpgradeKeepsWhatTheHelmProgramMade", func(t *testing.T) {
		s.Repo.Edit(t, "deploy/production/values.yaml", "replicas: 2", "replicas: 3")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "One pod more"), "Healthy")
		if now := generatedIn(t, s, "staging"); now != made {
			t.Error("what the helm program made by chance is other than before")
		}
		if got := sets(t, s, "staging"); len(got) != 1 {
			t.Errorf("the ReplicaSets are %v, want one", got)
		}
	})
}

func refOf(o *unstructured.Unstructured) world.Ref {
	return world.Ref{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
}

// content is an object without its metadata and status: what it is for.
func content(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	o = o.DeepCopy()
	delete(o.Object, "metadata")
	delete(o.Object, "status")
	return world.Text(t, o.Object)
}

// runProgram runs the helm or the kustomize program.
func runProgram(t *testing.T, s *world.Story, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(filepath.Join(s.Root, "e2e/bin", name), args...)
	cmd.Env = []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, args[0], err, talk.String())
	}
	return out.Bytes()
}

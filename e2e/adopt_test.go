package e2e

import (
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentAdoptsObjectsOfAnotherTool: the guides of examples/migrate, as they are written.
func TestAgentAdoptsObjectsOfAnotherTool(t *testing.T) {
	tools := map[string]struct {
		manager string
		mark    func(o *unstructured.Unstructured)
	}{
		"flux": {"kustomize-controller", func(o *unstructured.Unstructured) {
			label(o, "kustomize.toolkit.fluxcd.io/name", "greeter")
		}},
		"argocd": {"argocd-controller", func(o *unstructured.Unstructured) {
			annotate(o, "argocd.argoproj.io/tracking-id", "greeter:"+o.GetKind()+"/greeter")
		}},
		"helm": {"helm", func(o *unstructured.Unstructured) {
			label(o, "app.kubernetes.io/managed-by", "Helm")
			annotate(o, "meta.helm.sh/release-name", "greeter")
		}},
	}
	for tool, how := range tools {
		t.Run("From_"+tool, func(t *testing.T) {
			s := begin(t, "adopt-"+tool)
			s.Repo.Copy(t, filepath.Join(s.Root, "examples/migrate", tool), ".")
			s.Repo.Edit(t, "sluice.yaml", "namespace: greeter", "namespace: "+s.Production)
			for _, o := range s.Rendered(t, s.Repo.Dir, "production") {
				o.SetNamespace(s.Production)
				o.SetLabels(without(o.GetLabels()))
				o.SetAnnotations(without(o.GetAnnotations()))
				how.mark(o)
				s.ApplyAs(t, how.manager, o)
			}
			adopts(t, s, how.manager)
		})
	}
}

func adopts(t *testing.T, s *world.Story, manager string) {
	t.Helper()
	deployment := world.Ref{Kind: "Deployment", Namespace: s.Production, Name: "greeter"}
	old := s.Cluster.AwaitObject(t, world.Patience, "available", deployment, world.Has(2, "status", "availableReplicas"))
	var revision string
	t.Run("WithoutAdoptNothingIsTouched", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "adopt: true", "adopt: false")
		revision = s.Repo.Commit(t, "Not yet")
		s.Agent.Start(t)
		note := s.Repo.AwaitNote(t, world.Patience, "a refusal", "production", func(n world.Note) bool {
			return n.On == revision && (n.Phase == "Blocked" || n.Phase == "Failed")
		})
		if !note.Says("greeter", "adopt") {
			t.Errorf("the note does not say what to do: %s", note.Text)
		}
		if live := s.Cluster.Must(t, deployment); live.GetLabels()["sluice.dev/agent"] != "" {
			t.Error("the Deployment was taken")
		}
	})
	t.Run("WithAdoptItIsOursAndNoPodIsRestarted", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "adopt: false", "adopt: true")
		s.Repo.Commit(t, "Taken over")
		s.AwaitPhase(t, "production", revision, "Healthy") // the release is the same, and may happen now
		live := s.Cluster.Must(t, deployment)
		if live.GetUID() != old.GetUID() || live.GetLabels()["sluice.dev/agent"] != s.Name {
			t.Errorf("the Deployment was not adopted: labels %v", live.GetLabels())
		}
		if before, now := world.Text(t, old.Object["spec"]), world.Text(t, live.Object["spec"]); before != now {
			t.Errorf("the Deployment's spec was changed: %s, before %s", now, before)
		}
	})
	t.Run("AFieldThatLeavesGitGoesAlthoughTheOtherToolMadeIt", func(t *testing.T) {
		config := world.Ref{Kind: "ConfigMap", Namespace: s.Production, Name: "greeter"}
		file := "deploy/configmap.yaml"
		if _, err := s.Repo.Try("ls-files", "--error-unmatch", file); err != nil {
			file = "chart/templates/configmap.yaml"
		}
		s.Repo.Edit(t, file, "  greeting:", "  salute:")
		s.Repo.Edit(t, deploymentFile(file), "key: greeting", "key: salute")
		s.AwaitPhase(t, "production", s.Repo.Commit(t, "Another word"), "Healthy")
		data, _, _ := unstructured.NestedMap(s.Cluster.Must(t, config).Object, "data")
		if data["greeting"] != nil || data["salute"] == nil {
			t.Errorf("the ConfigMap has %v, of which %s kept a field", data, manager)
		}
	})
}

func deploymentFile(configmap string) string {
	return filepath.Join(filepath.Dir(configmap), "deployment.yaml")
}

func label(o *unstructured.Unstructured, key, value string) {
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[key] = value
	o.SetLabels(labels)
}

func annotate(o *unstructured.Unstructured, key, value string) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	o.SetAnnotations(annotations)
}

// without drops what Sluice puts on objects: the other tool knows nothing of it.
func without(m map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range m {
		if len(key) < len("sluice.dev/") || key[:len("sluice.dev/")] != "sluice.dev/" {
			out[key] = value
		}
	}
	return out
}

package e2e

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestCanaryOutlivesUpgrades/Lesson45: the cluster serves more than before and another process of the agent looks at it, as
// after upgrades of both. Nothing that was decided is decided anew: no pod is restarted, a proof stays one, and a release that
// failed stays where it is.
func TestCanaryOutlivesUpgrades(t *testing.T) {
	s, first := canary(t, "canary-upgrade", staged)
	s.Repo.Edit(t, stagingDeployment, firstImage, imageName+"missing")
	bad := s.Repo.Commit(t, "An image that nobody has")
	last := s.AwaitPhase(t, "staging", bad, "RolledBack")
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Agent.Stop(t)
	definition := world.ParseObjects(t, []byte(strings.ReplaceAll(newKind, "GROUP", s.Name+".example.com")))[0]
	s.Apply(t, definition)
	s.Agent.Start(t)
	s.Agent.AwaitPolls(t)
	if _, stderr, code := s.CLI(t, s.Dir, "reconcile", "shop", "staging", "--verify", "-n", s.System,
		"--kubeconfig", filepath.Join(s.Agent.Dir, "kubeconfig")); code != 0 {
		t.Fatalf("ask for a pass: %s", stderr)
	}
	s.Agent.AwaitPolls(t)
	t.Run("Lesson45_NothingIsDecidedAnew", func(t *testing.T) {
		if live := pods.Live(); !maps.Equal(live, before) {
			t.Errorf("the pods were %v and are %v", before, live)
		}
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.Seq > last.Seq {
				t.Errorf("something was told: %s", n.Text)
			}
		}
	})
	t.Run("TheProofIsWorthWhatItWas", func(t *testing.T) {
		s.Repo.Run(t, "revert", "--no-edit", "HEAD")
		s.Repo.Push(t)
		back := s.Repo.Head(t)
		s.AwaitPhase(t, "staging", back, "Healthy")
		if live := pods.Live(); !maps.Equal(live, before) {
			t.Errorf("to go back to %s touched its pods: %v, then %v", first[:7], before, live)
		}
	})
}

const newKind = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
    - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}
`

// asking is what a chart makes of the kinds that a cluster serves.
const asking = `{{- if .Capabilities.APIVersions.Has "GROUP/v1" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: with-widgets}
{{- else }}
apiVersion: v1
kind: ConfigMap
metadata: {name: without-widgets}
{{- end }}
`

// TestCanaryOfAChartOutlivesUpgrades/Lesson45: a chart would render to something else since the cluster was upgraded. No release
// has begun for that: what runs stays what it was, also when drift is repaired, and the next release takes it along in its stages.
func TestCanaryOfAChartOutlivesUpgrades(t *testing.T) {
	s := begin(t, "chart-upgrade")
	s.Shop(t, "staging")
	group := s.Name + ".example.com"
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", strings.Replace(staged, "directory: {path: deploy/staging}", "helm: {chart: deploy}", 1))
	s.Repo.Copy(t, s.Repo.Dir+"/deploy/staging", "deploy/templates")
	s.Repo.Remove(t, "deploy/staging")
	s.Repo.Write(t, "deploy/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
	s.Repo.Write(t, "deploy/templates/asking.yaml", strings.ReplaceAll(asking, "GROUP", group))
	deployment := "deploy/templates/deployment.yaml"
	s.Repo.Edit(t, deployment, "    metadata:\n      labels: {app.kubernetes.io/name: shop}",
		"    metadata:\n      annotations: {widgets: {{ .Capabilities.APIVersions.Has \""+group+"/v1\" | quote }}}\n      labels: {app.kubernetes.io/name: shop}")
	first := s.Repo.Commit(t, "A chart that asks the cluster")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	pods := s.Cluster.WatchPods(t, s.Staging)
	before := pods.Live()
	s.Agent.Stop(t)
	definition := world.ParseObjects(t, []byte(strings.ReplaceAll(newKind, "GROUP", group)))[0]
	s.Apply(t, definition)
	s.Cluster.AwaitServed(t, group, true)
	s.Agent.Start(t)
	t.Run("Lesson45_WhatRunsStays", func(t *testing.T) {
		s.Agent.AwaitPolls(t)
		if _, stderr, code := s.CLI(t, s.Dir, "reconcile", "shop", "staging", "--verify", "-n", s.System,
			"--kubeconfig", filepath.Join(s.Agent.Dir, "kubeconfig")); code != 0 {
			t.Fatalf("ask for a pass: %s", stderr)
		}
		edit(t, s, s.Object("Service", "staging"), `{"metadata":{"labels":{"app.kubernetes.io/name":"other"}}}`)
		s.Cluster.AwaitObject(t, world.Patience, "repaired", s.Object("Service", "staging"),
			world.Has("shop", "metadata", "labels", "app.kubernetes.io/name"))
		if err := world.Has("false", "spec", "template", "metadata", "annotations", "widgets")(s.Cluster.Get(t, s.Object("Deployment", "staging"))); err != nil {
			t.Error(err)
		}
		s.Cluster.AwaitObject(t, world.Patience, "what it was made with", world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: "without-widgets"},
			world.Has("without-widgets", "metadata", "name"))
		if o := s.Cluster.Get(t, world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: "with-widgets"}); o != nil {
			t.Error("what nobody released is there")
		}
		if live := pods.Live(); !maps.Equal(live, before) {
			t.Errorf("the pods were %v and are %v", before, live)
		}
	})
	t.Run("TheNextReleaseTakesItAlong", func(t *testing.T) {
		s.Repo.Edit(t, deployment, firstImage, nextImage)
		next := s.Repo.Commit(t, "Another image")
		s.AwaitPhase(t, "staging", next, "Healthy")
		s.Cluster.AwaitObject(t, world.Patience, "what it asks for now", world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: "with-widgets"},
			world.Has("with-widgets", "metadata", "name"))
		if !slices.ContainsFunc(s.Repo.MustNotes(t, "staging"), func(n world.Note) bool { return n.On == next && n.Says("stage 1 of 2") }) {
			t.Error("it went without stages")
		}
	})
	t.Run("AnAgentThatRunsOnSeesIt", func(t *testing.T) {
		if err := s.Cluster.Resource("CustomResourceDefinition", "").Delete(t.Context(), definition.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		s.Cluster.AwaitServed(t, group, false)
		s.Repo.Edit(t, deployment, nextImage, firstImage)
		last := s.Repo.Commit(t, "The image before, where there are no widgets")
		s.AwaitPhase(t, "staging", last, "Healthy")
		s.Cluster.AwaitObject(t, world.Patience, "what it asks for now", world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: "without-widgets"},
			world.Has("without-widgets", "metadata", "name"))
	})
}

package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

const overlayFile = "overlay/kustomization.yaml"

// TestRenderChartThroughKustomize: a chart that is patched by a kustomization is a release like any other, and so are
// several sources in one environment.
func TestRenderChartThroughKustomize(t *testing.T) {
	s := begin(t, "render-overlay")
	s.Repo.Copy(t, s.Root+"/examples/03-helm/chart", "chart")
	s.Repo.Copy(t, s.Root+"/examples/03-helm/values-staging.yaml", "values-staging.yaml")
	const through = "helm: {chart: chart, values: [values-staging.yaml]}, kustomize: {path: overlay}"
	file := "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n"
	s.Repo.Write(t, "sluice.yaml", file+s.Block("staging", through))
	s.Repo.Write(t, overlayFile, `images: [{name: stefanprodan/podinfo, newTag: 6.9.3}]
labels: [{pairs: {team: core}}]
configMapGenerator: [{name: extra, literals: [greeting=hello]}]
patches:
  - target: {kind: Deployment}
    patch: |-
      - {op: add, path: /spec/template/spec/containers/0/envFrom, value: [{configMapRef: {name: extra}}]}
`)
	revision := s.Repo.Commit(t, "The chart, patched")
	s.Agent.Start(t)
	t.Run("ItIsDeployedAsPatched", func(t *testing.T) {
		s.AwaitPhase(t, "staging", revision, "Healthy")
		s.AwaitGit(t, "staging")
		deployment := s.Cluster.Must(t, s.Object("Deployment", "staging"))
		if err := world.Has("stefanprodan/podinfo:6.9.3", imagePath()...)(deployment); err != nil {
			t.Error(err)
		}
		if deployment.GetLabels()["team"] != "core" {
			t.Errorf("labels are %v", deployment.GetLabels())
		}
	})
	t.Run("AnotherPatchIsARelease", func(t *testing.T) {
		s.Repo.Edit(t, overlayFile, "greeting=hello", "greeting=good day")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Another greeting"), "Healthy")
		s.AwaitGit(t, "staging")
	})
	t.Run("APatchThatFitsNothingIsRefusedByItsFile", func(t *testing.T) {
		s.Repo.Edit(t, overlayFile, "containers/0/", "containers/7/")
		revision := s.Repo.Commit(t, "A patch of a container that is not there")
		if note := s.AwaitPhase(t, "staging", revision, "Blocked"); !note.Says(overlayFile) {
			t.Errorf("the note does not name the file: %s", note.Text)
		}
		if err := world.Exists(s.Cluster.Get(t, s.Object("Deployment", "staging"))); err != nil {
			t.Error(err)
		}
		s.Repo.Edit(t, overlayFile, "containers/7/", "containers/0/")
	})
	t.Run("SeveralSourcesWithValuesFilledIn", func(t *testing.T) {
		s.Repo.Write(t, "region.env", "REGION=eu\n")
		s.Repo.Write(t, "plain/note.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, annotations: {region: \"${REGION}\"}}\ndata: {script: 'echo ${HOME}'}\n")
		block := s.Block("staging", through)
		block = block[:len(block)-len("    source: {"+through+"}\n")] + "    source:\n      - {" + through +
			"}\n      - {directory: {path: plain}, substitute: {from: [region.env]}}\n"
		s.Repo.Write(t, "sluice.yaml", file+block)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "A note besides"), "Healthy")
		s.AwaitGit(t, "staging")
		note := s.Cluster.Must(t, world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: "note"})
		if note.GetAnnotations()["region"] != "eu" {
			t.Errorf("annotations are %v", note.GetAnnotations())
		}
		if err := world.Has("echo ${HOME}", "data", "script")(note); err != nil {
			t.Error(err)
		}
	})
	t.Run("AnObjectOfTwoSourcesNamesBothFiles", func(t *testing.T) {
		s.Repo.Write(t, "plain/service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n")
		revision := s.Repo.Commit(t, "A second Service")
		if note := s.AwaitPhase(t, "staging", revision, "Blocked"); !note.Says("plain/service.yaml", "chart/templates/service.yaml") {
			t.Errorf("the note does not name both files: %s", note.Text)
		}
	})
}

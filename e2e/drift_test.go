package e2e

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentRepairsDrift: somebody edits or deletes a live object, and it is as Git has it again.
func TestAgentRepairsDrift(t *testing.T) {
	s := begin(t, "drift")
	s.Deploy(t)
	deployment, service := s.Object("Deployment", "staging"), s.Object("Service", "staging")
	t.Run("AnEditedFieldIsRepaired", func(t *testing.T) {
		began := edit(t, s, deployment, otherImage)
		s.Cluster.AwaitObject(t, world.Patience, "repaired", deployment, world.Has(firstImage, imagePath()...))
		tell(t, "an edited field", began)
	})
	t.Run("ADeletedObjectIsBack", func(t *testing.T) {
		old := s.Cluster.Must(t, service).GetUID()
		began := time.Now()
		if err := s.Cluster.Resource("Service", service.Namespace).Delete(t.Context(), service.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		back := s.Cluster.AwaitObject(t, world.Patience, "back", service, world.Exists)
		tell(t, "a deleted object", began)
		if back.GetUID() == old {
			t.Error("it was never away")
		}
	})
	t.Run("ALabelOfOursThatIsRemovedIsBack", func(t *testing.T) {
		began := edit(t, s, service, `{"metadata":{"labels":{"sluice.dev/agent":null}}}`)
		s.Cluster.AwaitObject(t, world.Patience, "repaired", service, world.Has(s.Name, "metadata", "labels", "sluice.dev/agent"))
		tell(t, "a removed label", began)
	})
	t.Run("APortWithAnotherNumberIsRepaired", func(t *testing.T) { // the number is the item's key: theirs replaces ours
		began := edit(t, s, service, `{"spec":{"ports":[{"$patch":"delete","port":80},{"name":"http","port":81,"targetPort":"http"}]}}`)
		s.Cluster.AwaitObject(t, world.Patience, "repaired", service, func(o *unstructured.Unstructured) error {
			ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
			if len(ports) != 1 || ports[0].(map[string]any)["port"] != int64(80) {
				return fmt.Errorf("the ports are %v", ports)
			}
			return nil
		})
		tell(t, "a port", began)
	})
	t.Run("Lesson28_WhatOthersAddIsNoDrift", func(t *testing.T) {
		edit(t, s, service, `{"metadata":{"annotations":{"example.com/seen":"yes"}}}`)
		edit(t, s, deployment, `{"metadata":{"labels":{"example.com/team":"web"}}}`)
		generation := s.Cluster.Must(t, deployment).GetGeneration()
		// A drift that is repaired afterwards shows that the earlier edits were looked at.
		edit(t, s, s.Object("ConfigMap", "staging"), `{"data":{"index.html":"broken"}}`)
		s.Cluster.AwaitObject(t, world.Patience, "repaired", s.Object("ConfigMap", "staging"), func(o *unstructured.Unstructured) error {
			if world.Field(o, "data", "index.html") == "broken" {
				return fmt.Errorf("it is still broken")
			}
			return nil
		})
		if err := world.Has("yes", "metadata", "annotations", "example.com/seen")(s.Cluster.Get(t, service)); err != nil {
			t.Error(err)
		}
		live := s.Cluster.Must(t, deployment)
		if err := world.Has("web", "metadata", "labels", "example.com/team")(live); err != nil || live.GetGeneration() != generation {
			t.Errorf("the Deployment was written: %v, generation %d, before %d", err, live.GetGeneration(), generation)
		}
	})
	t.Run("ARepairIsNoNewRelease", func(t *testing.T) {
		for _, env := range []string{"staging", "production"} {
			count := 0
			for _, n := range s.Repo.MustNotes(t, env) {
				if n.Phase == "Healthy" && n.On == s.Repo.Head(t) {
					count++
				}
			}
			if count != 1 {
				t.Errorf("%s has %d lines that say Healthy, want 1", env, count)
			}
		}
	})
	t.Run("Lesson29_ReportOnlyTellsAndLeaves", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", "directory: {path: deploy/staging}}\n    drift: {mode: report}\n")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Only tell"), "Healthy")
		edit(t, s, deployment, otherImage)
		s.Agent.AwaitLog(t, "rift", "shop")
		s.Agent.AwaitPolls(t)
		if err := world.Has("other:1", imagePath()...)(s.Cluster.Get(t, deployment)); err != nil {
			t.Error(err)
		}
	})
	t.Run("Lesson29_OneFieldIsLeftToSomebodyElse", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "drift: {mode: report}", "drift: {leave: [{kind: Deployment, name: shop, fields: [/spec/replicas]}]}")
		revision := s.Repo.Commit(t, "Replicas are somebody else's")
		began := time.Now()
		s.Cluster.AwaitObject(t, world.Patience, "repaired again", deployment, world.Has(nextImage, imagePath()...))
		tell(t, "what was only reported before", began)
		edit(t, s, deployment, `{"spec":{"replicas":4}}`)
		edit(t, s, deployment, `{"spec":{"minReadySeconds":7}}`)
		s.Agent.AwaitPolls(t)
		if err := world.Has(4, "spec", "replicas")(s.Cluster.Get(t, deployment)); err != nil {
			t.Errorf("after %s: %v", revision, err)
		}
	})
}

// otherImage is what somebody does to the shop's live Deployment. Not its replicas: a number that a person has set is
// that person's, as an autoscaler's is the autoscaler's.
const otherImage = `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"other:1"}]}}}}`

// edit changes a live object as a person with kubectl would, and returns when.
func edit(t *testing.T, s *world.Story, ref world.Ref, patch string) time.Time {
	t.Helper()
	began := time.Now()
	_, err := s.Cluster.Resource(ref.Kind, ref.Namespace).Patch(t.Context(), ref.Name, types.StrategicMergePatchType,
		[]byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"})
	if err != nil {
		t.Fatalf("edit %s: %v", ref, err)
	}
	return began
}

// tell prints how long a repair took, and fails when a person would have noticed.
func tell(t *testing.T, what string, began time.Time) {
	t.Helper()
	took := time.Since(began).Round(time.Millisecond)
	t.Logf("%s was repaired after %v", what, took)
	if took > 15*time.Second {
		t.Errorf("%s took %v", what, took)
	}
}

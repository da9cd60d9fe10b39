package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/e2e/world"
)

// onOwnNodes lets the pods of a manifest run on the story's own nodes alone.
func onOwnNodes(manifest, kind string) string {
	return strings.Replace(manifest, "      securityContext: {runAsNonRoot", "      nodeSelector: {story: "+kind+"}\n      securityContext: {runAsNonRoot", 1)
}

// TestCanaryOfADaemonSetMeetsADeadNode: a node does not answer any more in the middle of a stage. Nobody can replace its pod,
// so it is not waited for, the release is not blamed, and people are told.
func TestCanaryOfADaemonSetMeetsADeadNode(t *testing.T) {
	s := begin(t, "dead-node")
	for n := range 4 {
		addNode(t, s, fmt.Sprintf("%s-%d", s.Name, n), "dead-node")
	}
	s.Shop(t, "staging")
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 1s}, {weight: 50%, approve: true}]}}
`)
	s.Repo.Write(t, stagingDaemonSet, onOwnNodes(strings.ReplaceAll(collector, withoutStories, ""), "dead-node"))
	first := s.Repo.Commit(t, "The first release")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	pods := s.Cluster.WatchPods(t, s.Staging)
	goOn := func(t *testing.T, revision string) world.Note {
		t.Helper()
		s.Repo.Write(t, "releases/staging.yaml", "approved: {revision: "+revision+", stage: 2}\n")
		s.Repo.Commit(t, "Go on")
		return s.AwaitPhase(t, "staging", revision, "Healthy")
	}
	second := release(t, s, stagingDaemonSet, "collector:1", "collector:2")
	awaitStage(t, s, second, "stage 2 of 2", "approved")
	awaitImages(t, pods, map[string]int{"collector:1": 3, "collector:2": 1})
	var dead string
	t.Run("OfAProvenPod", func(t *testing.T) {
		dead = silence(t, s, pods, "registry.example/collector:1")
		note := goOn(t, second)
		if !note.Says("DaemonSet/"+s.Staging+"/collector", "1 of its pods are on nodes that do not answer") {
			t.Errorf("the note does not say so: %s", note.Text)
		}
		world.AwaitPods(t, "three new pods", pods, func(images map[string]int) bool { return images["registry.example/collector:2"] == 3 })
	})
	t.Run("WhenItAnswersItsPodIsReplaced", func(t *testing.T) {
		answer(t, s, dead)
		awaitImages(t, pods, map[string]int{"collector:2": 4})
	})
	third := release(t, s, stagingDaemonSet, "collector:2", "collector:3")
	awaitStage(t, s, third, "stage 2 of 2", "approved")
	t.Run("OfANewPodTheStageGetsAnother", func(t *testing.T) {
		dead = silence(t, s, pods, "registry.example/collector:3")
		awaitImages(t, pods, map[string]int{"collector:2": 2, "collector:3": 2})
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.On == third && n.Closing() {
				t.Errorf("the release is blamed: %s", n.Text)
			}
		}
	})
	t.Run("WhenItIsRemovedItsPodIsGone", func(t *testing.T) {
		if err := s.Cluster.Core.CoreV1().Nodes().Delete(t.Context(), dead, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		awaitImages(t, pods, map[string]int{"collector:2": 2, "collector:3": 1})
		goOn(t, third)
		awaitImages(t, pods, map[string]int{"collector:3": 3})
		s.AwaitGit(t, "staging")
	})
}

// silence lets the node of one of the pods of an image not answer any more: nothing that its kubelet writes gets through. It
// returns the node when the pod is not Ready for that.
func silence(t *testing.T, s *world.Story, pods *world.Pods, image string) string {
	t.Helper()
	names := pods.Named(image)
	if len(names) == 0 {
		t.Fatalf("there is no pod of %s", image)
	}
	uid := sorted(names)[0]
	pod, err := s.Cluster.Core.CoreV1().Pods(s.Staging).Get(t.Context(), names[uid], metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node := pod.Spec.NodeName
	for _, o := range world.ParseObjects(t, []byte(strings.ReplaceAll(unplugged, "NODE", node))) {
		s.Apply(t, o)
	}
	t.Cleanup(func() { plugIn(t, s, node) })
	world.Await(t, 2*time.Minute, "the node of "+pod.Name+" is given up", func() error { // which Kubernetes does after 50 s
		if now, ready := pods.Pod(pod.Name); now == uid && ready {
			return errors.New("its pod is Ready")
		}
		return nil
	})
	return node
}

// unplugged refuses what kwok, which plays the kubelets, writes of a node and its pods.
const unplugged = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NODE}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [nodes/status, pods/status]}
      - {apiGroups: [""], apiVersions: [v1], operations: [DELETE], resources: [pods]}
  matchConditions:
    - {name: who, expression: "request.userInfo.username == 'kwok'"}
    - {name: where, expression: "request.resource.resource == 'nodes' ? request.name == 'NODE' : oldObject.spec.nodeName == 'NODE'"}
  validations: [{expression: "false", message: its cable is unplugged}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NODE}
spec: {policyName: NODE, validationActions: [Deny]}
`

func plugIn(t *testing.T, s *world.Story, node string) {
	t.Helper()
	for _, kind := range []string{"ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"} {
		err := s.Cluster.Resource(kind, "").Delete(context.WithoutCancel(t.Context()), node, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("delete %s %s: %v", kind, node, err)
		}
	}
}

// answer ends that. kwok does not try again what was refused, so that the node and its pods are touched until it has.
func answer(t *testing.T, s *world.Story, node string) {
	t.Helper()
	plugIn(t, s, node)
	touched := 0
	world.Await(t, world.Patience, node+" answers", func() error {
		touched++
		note := []byte(fmt.Sprintf(`{"metadata":{"annotations":{"story":"%d"}}}`, touched))
		live, err := s.Cluster.Core.CoreV1().Nodes().Patch(t.Context(), node, types.MergePatchType, note, metav1.PatchOptions{})
		if err != nil {
			return err
		}
		list, err := s.Cluster.Core.CoreV1().Pods(s.Staging).List(t.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
		if err != nil {
			return err
		}
		for _, pod := range list.Items {
			if pod.DeletionTimestamp == nil {
				continue
			}
			_, err := s.Cluster.Core.CoreV1().Pods(s.Staging).Patch(t.Context(), pod.Name, types.MergePatchType, note, metav1.PatchOptions{})
			return fmt.Errorf("pod %s is there still: %w", pod.Name, err)
		}
		for _, c := range live.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return errors.New("it is not Ready")
	})
}

// TestCanaryLosesANode: a node goes in the middle of a stage, with a new pod and proven ones on it. Each comes back, on other
// nodes, as what it was.
func TestCanaryLosesANode(t *testing.T) {
	s := begin(t, "lost-node")
	for n := range 2 {
		addNode(t, s, fmt.Sprintf("%s-%d", s.Name, n), "lost-node")
	}
	s.Shop(t, "staging")
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/staging}}\n", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 2, hold: 1s}, {weight: 50%, approve: true}]}}
`)
	s.Repo.Edit(t, stagingDeployment, "replicas: 2", "replicas: 6")
	s.Repo.Edit(t, stagingDeployment, "    spec:\n", "    spec:\n      nodeSelector: {story: lost-node}\n      tolerations: [{key: story, operator: Exists}]\n")
	first := s.Repo.Commit(t, "The first release")
	s.Agent.Start(t)
	s.AwaitPhase(t, "staging", first, "Healthy")
	pods := s.Cluster.WatchPods(t, s.Staging)
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "Another image")
	awaitStage(t, s, revision, "stage 2 of 2", "approved")
	before := pods.Live()
	if err := s.Cluster.Core.CoreV1().Nodes().Delete(t.Context(), s.Name+"-0", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	world.Await(t, 3*time.Minute, "its pods are made anew elsewhere", func() error { // which Kubernetes does after a minute
		live, gone := pods.Live(), 0
		for uid := range before {
			if !live[uid] {
				gone++
			}
		}
		if images := pods.Images(); gone == 0 || images[firstImage] != 6 || images[nextImage] != 2 {
			return fmt.Errorf("%d of %d pods are gone; now %v", gone, len(before), images)
		}
		return nil
	})
	s.Repo.Write(t, "releases/staging.yaml", "approved: {revision: "+revision+", stage: 2}\n")
	s.Repo.Commit(t, "Go on")
	s.AwaitPhase(t, "staging", revision, "Healthy")
	s.AwaitGit(t, "staging")
}

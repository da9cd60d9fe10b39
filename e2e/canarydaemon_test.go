package e2e

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

const stagingDaemonSet = "deploy/staging/daemonset.yaml"

// withoutStories keeps a DaemonSet from the nodes of other stories.
const withoutStories = `      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions: [{key: story, operator: NotIn, values: [dead-node, lost-node]}]
`

// collector is a DaemonSet beside the shop, on each node, whatever its taints.
const collector = `apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: collector
spec:
  selector: {matchLabels: {app: collector}}
  template:
    metadata: {labels: {app: collector}}
    spec:
      tolerations: [{operator: Exists}]
` + withoutStories + `      securityContext: {runAsNonRoot: true, runAsUser: 101, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: collector
          image: registry.example/collector:1
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// TestCanaryStagesADaemonSet: its pods are replaced one at a time, a new node's pod is counted, and those of a stage stay.
func TestCanaryStagesADaemonSet(t *testing.T) {
	s := kinds(t, "canary-daemon", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 2s}, {weight: 50%, approve: true}]}}
`, stagingDaemonSet, collector)
	pods := s.Cluster.WatchPods(t, s.Staging)
	nodes := len(pods.Named("registry.example/collector:1"))
	all := pods.LeastReady()
	second := release(t, s, stagingDaemonSet, "collector:1", "collector:2")
	t.Run("TheFirstStageIsOnePod", func(t *testing.T) {
		note := awaitStage(t, s, second, "stage 1 of 2", "1 instance")
		if !note.Says("in place of proven pods", "DaemonSet/"+s.Staging+"/collector") {
			t.Errorf("the note does not say that there is no surge: %s", note.Text)
		}
		awaitStage(t, s, second, "stage 2 of 2", "approved")
		awaitImages(t, pods, map[string]int{"collector:1": nodes - 1, "collector:2": 1})
	})
	t.Run("Lesson11_TheAgentIsKilledInAStage", func(t *testing.T) {
		s.Agent.Kill9(t)
		s.Agent.Start(t)
		s.Agent.AwaitPolls(t)
		awaitImages(t, pods, map[string]int{"collector:1": nodes - 1, "collector:2": 1})
	})
	addNode(t, s, s.Name, "daemon")
	t.Run("ANewNodeGetsANewPod", func(t *testing.T) {
		awaitImages(t, pods, map[string]int{"collector:1": nodes - 1, "collector:2": 2})
	})
	t.Run("Lesson15_ThePodsOfTheStageStay", func(t *testing.T) {
		staged := pods.Named("registry.example/collector:2")
		s.Repo.Write(t, "releases/staging.yaml", "approved: {revision: "+second+", stage: 2}\n")
		s.Repo.Commit(t, "Go on")
		s.AwaitPhase(t, "staging", second, "Healthy")
		awaitImages(t, pods, map[string]int{"collector:2": nodes + 1})
		live := pods.Live()
		for uid, name := range staged {
			if !live[uid] {
				t.Errorf("%s of the first stage is gone", name)
			}
		}
		if least := pods.LeastReady(); least < all-1 {
			t.Errorf("%d pods were Ready at one moment, want %d: one at a time", least, all-1)
		}
		s.AwaitGit(t, "staging")
	})
	t.Run("ABadReleaseIsTakenBack", func(t *testing.T) {
		kept := pods.Live()
		bad := release(t, s, stagingDaemonSet, "collector:2", "collector:missing")
		note := s.AwaitPhase(t, "staging", bad, "RolledBack")
		if !note.Says("stage 1", "collector:missing", "does not exist") {
			t.Errorf("the note does not say why: %s", note.Text)
		}
		awaitImages(t, pods, map[string]int{"collector:2": nodes + 1})
		live, replaced := pods.Live(), 0
		for uid := range kept {
			if !live[uid] {
				replaced++
			}
		}
		if replaced != 1 {
			t.Errorf("%d pods were replaced, want the one of the stage", replaced)
		}
	})
	t.Run("Lesson17_ANewerReleaseBeginsFromTheProvenOne", func(t *testing.T) {
		third := release(t, s, stagingDaemonSet, "collector:missing", "collector:3")
		awaitImages(t, pods, map[string]int{"collector:2": nodes, "collector:3": 1})
		fourth := release(t, s, stagingDaemonSet, "collector:3", "collector:4")
		s.AwaitPhase(t, "staging", third, "Superseded")
		awaitStage(t, s, fourth, "stage 1 of 2")
		awaitImages(t, pods, map[string]int{"collector:2": nodes, "collector:4": 1})
	})
}

// addNode adds a node to the cluster, until the story ends, that takes no pod but those that tolerate it. Its label says which
// story it is of.
func addNode(t *testing.T, s *world.Story, name, story string) {
	t.Helper()
	nodes := s.Cluster.Core.CoreV1().Nodes()
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname: name, corev1.LabelOSStable: "linux", "story": story,
		}},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "story", Value: story, Effect: corev1.TaintEffectNoSchedule}}},
	}
	if _, err := nodes.Create(t.Context(), node, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := nodes.Delete(context.WithoutCancel(t.Context()), name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Errorf("delete node: %v", err)
		}
	})
}

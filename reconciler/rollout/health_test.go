package rollout

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

func TestHealth(t *testing.T) {
	type result struct {
		Status  Status
		Message string
	}
	current := result{Status: Current}
	tests := map[string]struct {
		reason string
		object string
		want   result
	}{
		"DeploymentOfAnOlderGeneration": {"its numbers are of the former template",
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 2}, spec: {replicas: 1}, status: {observedGeneration: 1}}`,
			result{InProgress, "Deployment generation is 2, but latest observed generation is 1"}},
		"DeploymentScaledToZero": {"a person decided so",
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 2}, spec: {replicas: 0, progressDeadlineSeconds: 600},
			 status: {observedGeneration: 2, conditions: [{type: Available, status: "True"}, {type: Progressing, status: "True", reason: NewReplicaSetAvailable}]}}`,
			current},
		"DeploymentPastItsDeadline": {"",
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 1}, spec: {replicas: 1},
			 status: {observedGeneration: 1, conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded}]}}`,
			result{Failed, "Progress deadline exceeded"}},
		"DeploymentPausedInGit": {"missing pods alone would mislead",
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 1}, spec: {replicas: 1, paused: true}, status: {observedGeneration: 1}}`,
			result{InProgress, "paused by its own field spec.paused: Replicas: 0/1"}},
		"StatefulSetOnDelete": {"its pods must be ready all the same",
			`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: db, generation: 1}, spec: {replicas: 2, updateStrategy: {type: OnDelete}},
			 status: {observedGeneration: 1, readyReplicas: 1}}`,
			result{InProgress, "Ready: 1/2"}},
		"DaemonSetOnDelete": {"nobody replaces its old pods",
			`{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: log, generation: 2}, spec: {updateStrategy: {type: OnDelete}},
			 status: {observedGeneration: 2, desiredNumberScheduled: 3, currentNumberScheduled: 3, updatedNumberScheduled: 0, numberReady: 3, numberAvailable: 3}}`,
			current},
		"DaemonSetOnDeleteJustChanged": {"its numbers are of the former spec",
			`{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: log, generation: 3}, spec: {updateStrategy: {type: OnDelete}},
			 status: {observedGeneration: 2, desiredNumberScheduled: 3, numberReady: 3}}`,
			result{InProgress, "its controller has not seen this generation yet"}},
		"JobThatRuns": {"to kstatus it is current",
			`{apiVersion: batch/v1, kind: Job, metadata: {name: job}, status: {startTime: "2026-01-01T00:00:00Z", active: 1}}`,
			result{InProgress, "the Job has not completed"}},
		"JobComplete": {"", `{apiVersion: batch/v1, kind: Job, metadata: {name: job}, status: {conditions: [{type: Complete, status: "True"}]}}`, current},
		"JobFailed": {"",
			`{apiVersion: batch/v1, kind: Job, metadata: {name: job}, status: {conditions: [{type: Failed, status: "True", reason: BackoffLimitExceeded, message: it failed too often}]}}`,
			result{Failed, "the Job failed (BackoffLimitExceeded): it failed too often"}},
		"JobSuspended": {"waits for a person", `{apiVersion: batch/v1, kind: Job, metadata: {name: job}, spec: {suspend: true}}`,
			result{Current, "suspended by its own field spec.suspend"}},
		"PodFailed": {"to kstatus it has completed",
			`{apiVersion: v1, kind: Pod, metadata: {name: p}, status: {phase: Failed, reason: Evicted}}`, result{Failed, "it ended with an error (Evicted)"}},
		"ClaimPending": {"it may wait for its first consumer",
			`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, status: {phase: Pending}}`, current},
		"ClaimLost":                {"", `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c}, status: {phase: Lost}}`, result{Failed, "its volume is lost"}},
		"IngressWithoutController": {"", `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: i, generation: 1}}`, current},
		"AutoscalerNotObserved": {"no metrics in this cluster",
			`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: h, generation: 2}, status: {observedGeneration: 1}}`, current},
		"BudgetNotObserved": {"",
			`{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b, generation: 2}, status: {observedGeneration: 1}}`, current},
		"BudgetBeingDeleted": {"a rule of our own does not hide it",
			`{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: b, deletionTimestamp: "2026-01-01T00:00:00Z"}}`,
			result{Terminating, "Resource scheduled for deletion"}},
		"LoadBalancerWithoutAddress": {"", `{apiVersion: v1, kind: Service, metadata: {name: s}, spec: {type: LoadBalancer, clusterIP: 10.0.0.1}}`, current},
		"CustomNotReady": {"",
			`{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, status: {conditions: [{type: Ready, status: "False", reason: Waiting, message: for a disk}]}}`,
			result{InProgress, "for a disk"}},
		"CustomStalled": {"",
			`{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, status: {conditions: [{type: Stalled, status: "True", message: bad size}]}}`,
			result{Failed, "bad size"}},
		"CustomWithoutStatus": {"nothing can be known", `{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}`, current},
		"DefinitionEstablished": {"",
			`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: w}, status: {conditions: [{type: Established, status: "True"}]}}`, current},
		"DefinitionClashes": {"",
			`{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: w}, status: {conditions: [{type: NamesAccepted, status: "False", message: taken}]}}`,
			result{Failed, "taken"}},
		"StatusOfAnotherForm": {"not an error of ours",
			`{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, status: {conditions: {Ready: "True"}}}`,
			result{Unknown, ""}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := Describe(parse(t, tc.object), "")
			got := result{o.Status, o.Message}
			if tc.want.Status == Unknown {
				got.Message = "" // the decoder's own words
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func TestDescribe_Workload(t *testing.T) {
	tests := map[string]struct {
		reason, object, revision string
		replicas                 Replicas
		stall                    Stall
	}{
		"Deployment": {"", `{apiVersion: apps/v1, kind: Deployment, metadata: {generation: 3, annotations: {deployment.kubernetes.io/revision: "7"}},
			status: {observedGeneration: 3, updatedReplicas: 1, readyReplicas: 2, availableReplicas: 1}}`,
			"7", Replicas{Want: 1, Updated: 1, Ready: 2, Available: 1}, Stall{}},
		"DeploymentNotObserved": {"its newest ReplicaSet is of the former template", `{apiVersion: apps/v1, kind: Deployment,
			metadata: {generation: 4, annotations: {deployment.kubernetes.io/revision: "7"}}, spec: {replicas: 0}, status: {observedGeneration: 3}}`,
			"", Replicas{}, Stall{}},
		"CannotMakePods": {"says more than that time is up", `{apiVersion: apps/v1, kind: Deployment, metadata: {generation: 1}, status: {observedGeneration: 1,
			conditions: [{type: Progressing, status: "False", reason: ProgressDeadlineExceeded}, {type: ReplicaFailure, status: "True", reason: FailedCreate, message: refused}]}}`,
			"", Replicas{Want: 1}, Stall{"FailedCreate", "refused"}},
		"StatefulSet": {"", `{apiVersion: apps/v1, kind: StatefulSet, metadata: {generation: 1}, spec: {replicas: 3}, status: {observedGeneration: 1, updateRevision: db-1}}`,
			"db-1", Replicas{Want: 3}, Stall{}},
		"DaemonSet": {"", `{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 5, annotations: {deprecated.daemonset.template.generation: "2"}},
			status: {observedGeneration: 5, desiredNumberScheduled: 4, numberReady: 3}}`, "2", Replicas{Want: 4, Ready: 3}, Stall{}},
		"Service": {"has no pods", `{apiVersion: v1, kind: Service, spec: {replicas: 4}}`, "", Replicas{}, Stall{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := Describe(parse(t, tc.object), "")
			if diff := cmp.Diff([]any{tc.revision, tc.replicas, tc.stall}, []any{o.Revision, o.Replicas, o.Stall}); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// TestDescribe_KeepsLittle holds many Deployments as an agent of a thousand applications does.
func TestDescribe_KeepsLittle(t *testing.T) {
	const count, most = 5000, 1500 // bytes for one, indexes included; the Deployment itself takes some 20,000
	live := parse(t, manifest("Deployment", "web", "never-ready", "replicas: 3", ""))
	raw, err := live.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	s := newStore()
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range count {
		one := &unstructured.Unstructured{}
		if err := one.UnmarshalJSON(raw); err != nil {
			t.Fatal(err)
		}
		one.SetName(fmt.Sprintf("web-%d", i))
		one.SetNamespace(fmt.Sprintf("shop-%d", i/5))
		one.SetUID(types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", i)))
		one.SetResourceVersion(fmt.Sprint(100000 + i))
		one.SetLabels(map[string]string{LabelApplication: fmt.Sprintf("shop-%d", i/5), LabelEnvironment: "production"})
		s.put(Describe(one, fmt.Sprintf("%064d", i)))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (after.HeapAlloc - before.HeapAlloc) / count; each > most {
		t.Errorf("an object takes %d bytes, want at most %d", each, most)
	} else {
		t.Logf("an object takes %d bytes", each)
	}
	runtime.KeepAlive(s)
}

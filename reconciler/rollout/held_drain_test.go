package rollout

import (
	"fmt"
	"testing"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice/policies"
)

// TestHeldCanary_Drained: whoever drains a node asks for the eviction of its pods.
func TestHeldCanary_Drained(t *testing.T) {
	tellEach(t, map[string]story{
		"Lesson19_ANodeIsDrained_BudgetsCountReadyPods": {"a hold changes nothing for drains: pods that are not available are Ready", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.budget(8, 1)
			kept, went := h.uids("b"), h.uids("a")[0]
			if err := h.evict(h.pods[went].Name); err != nil {
				h.t.Fatal(err)
			}
			h.until("another pod", func() bool { return h.pods[went] == nil && h.String() == "{A8 B1}" })
			h.stays("{A8 B1}")
			h.keeps(kept)
			h.budget(9, 0)
			if err := h.evict(h.pods[kept[0]].Name); !apierrors.IsTooManyRequests(err) {
				h.t.Errorf("a pod that the budget counts was evicted: %v", err)
			}
		}},
	})
}

// budget lets so many pods be Ready at least, and returns when the controller allows so many evictions.
func (h *held) budget(least, allows int64) {
	h.t.Helper()
	resource := h.kube.dynamic.Resource(schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}).Namespace(h.namespace)
	made := parse(h.t, fmt.Sprintf("{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web, namespace: %s}, "+
		"spec: {minAvailable: %d, selector: {matchLabels: {app: web}}}}", h.namespace, least))
	made, err := resource.Apply(h.t.Context(), "web", made, metav1.ApplyOptions{FieldManager: "somebody", Force: true})
	if err != nil {
		h.t.Fatal(err)
	}
	events, err := resource.Watch(h.t.Context(), metav1.ListOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	defer events.Stop()
	for late := time.After(patience); ; {
		select {
		case event := <-events.ResultChan():
			live, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				h.t.Fatalf("watch: %v", event)
			}
			seen, _, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration")
			allowed, known, _ := unstructured.NestedInt64(live.Object, "status", "disruptionsAllowed")
			if known && seen >= made.GetGeneration() && allowed == allows {
				return
			}
		case <-late:
			h.t.Fatalf("%d evictions were never allowed", allows)
		}
	}
}

func (h *held) evict(pod string) error {
	return h.kube.core.Pods(h.namespace).EvictV1(h.t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: h.namespace}})
}

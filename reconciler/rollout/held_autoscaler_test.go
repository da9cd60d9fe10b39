package rollout

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice/policies"
)

// metricsKind stands for the metrics server, which asks kubelets that are not there: the controller of the autoscaler, the real
// one, asks for objects of this name, and a definition makes the API server answer with those that a test writes.
const metricsKind = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: pods.metrics.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, for tests"}
spec:
  group: metrics.k8s.io
  scope: Namespaced
  names: {kind: PodMetrics, plural: pods}
  versions:
    - {name: v1beta1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`

var (
	autoscalers = schema.GroupVersionKind{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}
	podMetrics  = schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "pods"}
)

// TestHeldCanary_Autoscaler: the controller of the autoscaler counts the pods of a stage like any others.
func TestHeldCanary_Autoscaler(t *testing.T) {
	kube, err := newClient(control)
	if err != nil {
		t.Fatal(err)
	}
	_, err = kube.dynamic.Resource(definitions.GroupVersion().WithResource("customresourcedefinitions")).Apply(t.Context(), "pods.metrics.k8s.io", parse(t, metricsKind), metav1.ApplyOptions{FieldManager: "test"})
	if err != nil {
		t.Fatal(err)
	}
	tellEach(t, map[string]story{
		"HigherMinimum_ScaledLikeByAnybody": {"through /scale, in proportion, and the proven pods stay", func(h *held) {
			h.apply("b", surge(policies.Held, 2))
			h.stays("{A8 B2}")
			proven := h.uids("a")
			h.autoscale(8)
			h.autoscale(16)
			h.await("{A14 B4}")
			h.stays("{A14 B4}")
			h.keeps(proven)
		}},
		"IdleCanaryPodsCancelOut": {"it takes nothing, of nine: what it lowers the average by, it raises the number by", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.uses("a", "100m")
			h.uses("b", "0")
			h.autoscale(2)
			h.untilScaled("88m", 8)
			h.stays("{A8 B1}")
		}},
		"BusyCanaryPodsCountToo": {"it asks for half as many again of nine, not of eight", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.uses("a", "150m")
			h.uses("b", "150m")
			h.autoscale(2)
			h.untilScaled("150m", 14)
			h.until("14 replicas", func() bool { return *h.deployment.Spec.Replicas == 14 })
		}},
	})
}

// autoscale makes an autoscaler of the Deployment, or gives it another minimum.
func (h *held) autoscale(least int) {
	h.t.Helper()
	made := parse(h.t, fmt.Sprintf(`
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: %s}
spec:
  minReplicas: %d
  maxReplicas: 20
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 100m}}}]
`, h.namespace, least))
	_, err := h.kube.dynamic.Resource(plural(autoscalers)).Namespace(h.namespace).Apply(h.t.Context(), "web", made, metav1.ApplyOptions{FieldManager: "somebody", Force: true})
	if err != nil {
		h.t.Fatal(err)
	}
}

// uses says how much CPU each pod of a template takes.
func (h *held) uses(template, cpu string) {
	h.t.Helper()
	for _, uid := range h.uids(template) {
		made := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
			"metadata":  map[string]any{"name": h.pods[uid].Name, "namespace": h.namespace, "labels": map[string]any{"app": "web"}},
			"timestamp": time.Now().Add(time.Minute).UTC().Format(time.RFC3339), "window": "1s",
			"containers": []any{map[string]any{"name": "shop", "usage": map[string]any{"cpu": cpu, "memory": "1Mi"}}},
		}}
		_, err := h.kube.dynamic.Resource(podMetrics).Namespace(h.namespace).Create(h.t.Context(), made, metav1.CreateOptions{})
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// untilScaled waits until the autoscaler has measured so much of a pod on average, and wants so many.
func (h *held) untilScaled(average string, want int64) {
	h.t.Helper()
	resource := h.kube.dynamic.Resource(plural(autoscalers)).Namespace(h.namespace)
	events, err := resource.Watch(h.t.Context(), metav1.ListOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	defer events.Stop()
	late := time.After(patience)
	seen := ""
	for {
		select {
		case event := <-events.ResultChan():
			live, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				h.t.Fatalf("watch: %v", event)
			}
			status, _, _ := unstructured.NestedMap(live.Object, "status")
			seen = fmt.Sprint(status)
			measured, _, _ := unstructured.NestedSlice(status, "currentMetrics")
			if len(measured) == 0 {
				continue
			}
			used, _, _ := unstructured.NestedString(measured[0].(map[string]any), "resource", "current", "averageValue")
			if desired, _, _ := unstructured.NestedInt64(status, "desiredReplicas"); used == average && desired == want {
				return
			}
		case <-late:
			h.t.Fatalf("%s and %d replicas were not seen; it says %s", average, want, seen)
		}
	}
}

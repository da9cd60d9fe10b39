package rollout

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice/policies"
)

// TestHeldCanary_Quarantine: a new pod is taken out of its ReplicaSet, which makes another.
func TestHeldCanary_Quarantine(t *testing.T) {
	tellEach(t, map[string]story{
		"TheHashAlone_ItStillServes": {"its Service selects it by other labels", func(h *held) {
			endpoints := h.service()
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			kept := h.quarantine(`"pod-template-hash":null`)
			h.stays("{A8 B1}")
			endpoints("nine of its own, and the one that was taken out", func(pods map[string]bool) bool {
				return len(pods) == 10 && pods[kept]
			})
		}},
		"EveryLabel_ItServesNobody_AndSurvivesAbortAndDeletion": {"", func(h *held) {
			endpoints := h.service()
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			proven := h.uids("a")
			kept := h.quarantine(`"pod-template-hash":null,"app":null`)
			h.stays("{A8 B1}")
			endpoints("nine without it", func(pods map[string]bool) bool { return len(pods) == 9 && !pods[kept] })
			h.apply("a", surge(policies.Aborting, 1))
			h.stays("{A8}")
			h.keeps(proven)
			h.isThere(kept)
			h.deleteWorkload(metav1.DeletePropagationForeground)
			h.await("{}")
			h.isThere(kept)
		}},
		"Replace_OnePodOver": {"", func(h *held) {
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			kept := h.quarantine(`"pod-template-hash":null,"app":null`)
			h.stays("{A6 B2}")
			h.isThere(kept)
		}},
	})
}

// quarantine takes labels off a new pod, and returns its name when there is another in its place.
func (h *held) quarantine(labels string) string {
	h.t.Helper()
	went, want := h.uids("b")[0], h.String()
	h.patch("Pod", h.pods[went].Name, `{"metadata":{"labels":{`+labels+`}}}`)
	h.until("another pod", func() bool { return !slices.Contains(h.uids("b"), went) && h.String() == want })
	return h.pods[went].Name
}

func (h *held) isThere(pod string) {
	h.t.Helper()
	for _, p := range h.pods {
		if p.Name == pod && p.DeletionTimestamp == nil && isReady(p) {
			return
		}
	}
	h.t.Errorf("pod %s, which was taken out, is gone", pod)
}

// service makes a Service of all pods, and returns what waits until the pods in its EndpointSlice are as wanted.
func (h *held) service() func(what string, done func(pods map[string]bool) bool) {
	h.t.Helper()
	service := parse(h.t, "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}")
	services := h.kube.dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "services"}).Namespace(h.namespace)
	if _, err := services.Create(h.t.Context(), service, metav1.CreateOptions{}); err != nil {
		h.t.Fatal(err)
	}
	kind := schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}
	events, err := h.kube.dynamic.Resource(kind).Namespace(h.namespace).Watch(h.t.Context(), metav1.ListOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(events.Stop)
	pods := map[string]bool{}
	return func(what string, done func(map[string]bool) bool) {
		h.t.Helper()
		late := time.After(patience)
		for !done(pods) {
			select {
			case event := <-events.ResultChan():
				o, ok := event.Object.(*unstructured.Unstructured)
				if !ok {
					h.t.Fatalf("watch of EndpointSlices: %v", event)
				}
				pods = map[string]bool{}
				endpoints, _, _ := unstructured.NestedSlice(o.Object, "endpoints")
				for _, e := range endpoints {
					name, _, _ := unstructured.NestedString(e.(map[string]any), "targetRef", "name")
					pods[name] = true
				}
			case <-late:
				h.t.Fatalf("not seen: %s; there are %v", what, pods)
			}
		}
	}
}

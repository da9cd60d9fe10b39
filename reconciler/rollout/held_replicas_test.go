package rollout

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestHeldReplicas: what becomes of a Deployment's eight pods when the manifest no longer says how many there are to be.
func TestHeldReplicas(t *testing.T) {
	tellEach(t, map[string]story{
		"TheOnlyOwnerLeavesItOut_One": {"the API server fills it in", func(h *held) {
			h.without()
			h.stays("{A1}")
		}},
		"ScaledToAnotherNumberFirst_Stays": {"the scaler owns it then", func(h *held) {
			h.patch("Deployment", "web", `{"spec":{"replicas":7}}`, "scale")
			h.stays("{A7}")
			h.without()
			h.stays("{A7}")
		}},
		"ScaledToTheSameNumber_One": {"who changes nothing owns nothing", func(h *held) {
			h.patch("Deployment", "web", `{"spec":{"replicas":8}}`, "scale")
			h.without()
			h.stays("{A1}")
		}},
		"ForcedOverTheScaler_One": {"that takes it from the scaler", func(h *held) {
			h.patch("Deployment", "web", `{"spec":{"replicas":7}}`, "scale")
			h.stays("{A7}")
			h.settle("a")
			h.stays("{A8}")
			h.without()
			h.stays("{A1}")
		}},
		"Lesson38_HandedOverByAnApplyOfScale_EightStay": {"both own the same number for a moment", func(h *held) {
			h.mark()
			scale := parse(h.t, fmt.Sprintf("{apiVersion: autoscaling/v1, kind: Scale, metadata: {name: web, namespace: %s}, spec: {replicas: 8}}", h.namespace))
			_, err := h.kube.dynamic.Resource(plural(h.kind)).Namespace(h.namespace).
				Apply(h.t.Context(), "web", scale, metav1.ApplyOptions{FieldManager: "scaler"}, "scale")
			if err != nil {
				h.t.Fatal(err)
			}
			h.without()
			h.stays("{A8}")
			h.never(8, 8)
		}},
	})
}

// without applies the manifest of template a without its number.
func (h *held) without() {
	h.t.Helper()
	made := h.git("a")
	unstructured.RemoveNestedField(made.Object, "spec", "replicas")
	h.send(made)
}

package rollout

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
)

// progressing is the Deployment's condition; nil where it has none.
func (h *held) progressing() *appsv1.DeploymentCondition {
	for i, c := range h.deployment.Status.Conditions {
		if c.Type == appsv1.DeploymentProgressing {
			return &h.deployment.Status.Conditions[i]
		}
	}
	return nil
}

// TestHeldCanary_Deadline: why a hold sends exactly the greatest deadline. It takes the condition away by which Kubernetes counts;
// with any other the time of the hold counts, and Git's own deadline is exceeded at once when the release finishes.
func TestHeldCanary_Deadline(t *testing.T) {
	const deadline = 3 * time.Second
	// finish lets a release finish by Git's own deadline, after a hold that took longer, and says whether it was exceeded.
	finish := func(h *held, began time.Time) (exceeded bool) {
		for time.Since(began) <= deadline {
			h.catchUp()
		}
		h.spec = "progressDeadlineSeconds: 3"
		h.apply("b", surge(policies.Finishing, 1))
		h.until("the end", func() bool {
			c := h.progressing()
			exceeded = exceeded || c != nil && c.Reason == deadlineExceeded && c.Status == corev1.ConditionFalse
			return h.String() == "{B8}" && c != nil && c.Reason == "NewReplicaSetAvailable"
		})
		return exceeded
	}
	tellEach(t, map[string]story{
		"TheGreatest_NothingCounts": {"", func(h *held) {
			began := time.Now()
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			if c := h.progressing(); c != nil {
				h.t.Errorf("it has the condition %v", c)
			}
			if finish(h, began) {
				h.t.Error("the time of the hold counted")
			}
		}},
		"OneLess_TheHoldCounts": {"", func(h *held) {
			made := surge(policies.Held, 1).Of(h.git("b"))
			if err := unstructured.SetNestedField(made.Object, int64(2147483646), "spec", "progressDeadlineSeconds"); err != nil {
				h.t.Fatal(err)
			}
			h.send(made)
			h.stays("{A8 B1}")
			c := h.progressing()
			if c == nil {
				h.t.Fatal("it has no condition")
			}
			if !finish(h, c.LastUpdateTime.Time) {
				h.t.Error("the time of the hold did not count")
			}
		}},
		"NotAboveMinReadySeconds_Refused": {"so the two go together", func(h *held) {
			made := surge(policies.Held, 1).Of(h.git("b"))
			if err := unstructured.SetNestedField(made.Object, int64(2000000000), "spec", "progressDeadlineSeconds"); err != nil {
				h.t.Fatal(err)
			}
			_, err := h.kube.dynamic.Resource(plural(h.kind)).Namespace(h.namespace).
				Apply(h.t.Context(), "web", made, metav1.ApplyOptions{FieldManager: "sluice", Force: true})
			if !apierrors.IsInvalid(err) {
				h.t.Errorf("it is not refused: %v", err)
			}
		}},
	})
}

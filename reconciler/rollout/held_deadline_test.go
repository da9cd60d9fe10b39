package rollout

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
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

// TestHeldCanary_Deadline: why a hold sends exactly the greatest deadline. It takes the condition away by which Kubernetes counts,
// so that however long the hold was, Git's own deadline begins when the release finishes.
func TestHeldCanary_Deadline(t *testing.T) {
	const deadline = 3 * time.Second
	tellEach(t, map[string]story{
		"TheGreatest_NothingCounts": {"", func(h *held) {
			began := time.Now()
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			if c := h.progressing(); c != nil {
				h.t.Errorf("it has the condition %v", c)
			}
			for time.Since(began) <= deadline {
				h.catchUp()
			}
			h.spec = "progressDeadlineSeconds: 3"
			h.apply("b", surge(policies.Finishing, 1))
			h.until("the end", func() bool {
				c := h.progressing()
				if c != nil && c.Reason == deadlineExceeded {
					h.t.Fatalf("the time of the hold counted: %v", c)
				}
				return h.String() == "{B8}" && c != nil && c.Reason == "NewReplicaSetAvailable"
			})
		}},
		"OneLess_TheConditionStays": {"and with it the time since the stage's last pod", func(h *held) {
			made := surge(policies.Held, 1).Of(h.git("b"))
			if err := unstructured.SetNestedField(made.Object, int64(2147483646), "spec", "progressDeadlineSeconds"); err != nil {
				h.t.Fatal(err)
			}
			h.send(made)
			h.stays("{A8 B1}")
			if c := h.progressing(); c == nil || c.Reason != "ReplicaSetUpdated" {
				h.t.Errorf("its condition is %v", c)
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

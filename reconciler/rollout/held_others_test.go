package rollout

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-cd/sluice/policies"
)

// TestHeldCanary_EditedByOthers: what kubectl rollout restart and undo leave in the middle of a stage.
func TestHeldCanary_EditedByOthers(t *testing.T) {
	tellEach(t, map[string]story{
		"Restarted_TheProvenManifestMakesAllPodsAnew": {"the field of the other stays, so the template is a third one", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			proven, hash := h.uids("a"), h.set("a").Name
			h.restart()
			h.apply("a", surge(policies.Aborting, 1))
			h.until("other pods of a", func() bool {
				return h.String() == "{A8}" && !slices.ContainsFunc(h.uids("a"), func(uid types.UID) bool { return slices.Contains(proven, uid) })
			})
			h.stays("{A8}")
			if now := h.newest().Name; now == hash {
				h.t.Errorf("ReplicaSet %s came back", hash)
			}
		}},
		"RestartedAndTakenOver_TheProvenPodsStay": {"what the other wrote is ours first, and so goes with our apply", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			proven, hash := h.uids("a"), h.set("a").Name
			h.restart()
			h.takeOver()
			h.mark()
			h.apply("a", surge(policies.Aborting, 1))
			h.stays("{A8}")
			h.never(8, 9)
			if diff := cmp.Diff(proven, h.uids("a")); diff != "" {
				h.t.Errorf("pods: -before +after\n%s", diff)
			}
			if now := h.newest().Name; now != hash {
				h.t.Errorf("ReplicaSet %s is now %s", hash, now)
			}
		}},
		"TheTemplateAlone_UnprovenPodsStay": {"the strategy of the hold stands, and waits for a sick pod", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.sicken("a", 1)
			containers, err := json.Marshal(h.set("a").Spec.Template.Spec.Containers)
			if err != nil {
				h.t.Fatal(err)
			}
			h.patch("Deployment", "web", fmt.Sprintf(`{"spec":{"template":{"spec":{"containers":%s}}}}`, containers))
			h.until("template a", func() bool { return letter(h.deployment.Spec.Template.Spec) == "a" })
			h.stays("{A8(7) B1}")
			h.apply("a", surge(policies.Aborting, 1))
			h.stays("{A8(7)}")
		}},
		"PausedInTheManifest_AbortInSurge": {"it makes no pod, but takes some", func(h *held) {
			h.apply("b", surge(policies.Held, 1))
			h.stays("{A8 B1}")
			h.sendPaused("a", surge(policies.Aborting, 1))
			h.await("{A8}")
		}},
		"PausedInTheManifest_NoAbortInReplace": {"nothing moves until it is no more", func(h *held) {
			h.apply("b", replace(policies.Held, 2))
			h.stays("{A6 B2}")
			h.sendPaused("a", replace(policies.Aborting, 2))
			h.until("it to be seen", func() bool { return h.deployment.Status.ObservedGeneration == h.deployment.Generation })
			h.catchUp()
			if got := h.String(); got != "{A6 B2}" {
				h.t.Errorf("the pods are %s", got)
			}
			h.apply("a", replace(policies.Aborting, 2))
			h.stays("{A8}")
		}},
	})
}

// restart does what kubectl rollout restart does in a stage of one pod, and returns when that is another.
func (h *held) restart() {
	h.t.Helper()
	went := h.uids("b")
	h.patch("Deployment", "web", `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`)
	h.until("another pod", func() bool { return h.String() == "{A8 B1}" && !cmp.Equal(went, h.uids("b")) })
	h.stays("{A8 B1}")
}

func (h *held) sendPaused(template string, shape policies.Shape) {
	h.t.Helper()
	made := shape.Of(h.git(template))
	if err := unstructured.SetNestedField(made.Object, true, "spec", "paused"); err != nil {
		h.t.Fatal(err)
	}
	h.send(made)
}

// takeOver makes ours what somebody else wrote into the Deployment's template, and changes nothing but that.
func (h *held) takeOver() {
	h.t.Helper()
	resource := h.kube.dynamic.Resource(plural(deployments)).Namespace(h.namespace)
	live, err := resource.Get(h.t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	path := []string{"f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt"}
	entries := live.GetManagedFields()
	for i, e := range entries {
		var fields map[string]any
		if err := json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields); err != nil {
			h.t.Fatal(err)
		}
		if e.Manager == "sluice" && e.Subresource == "" {
			if err := unstructured.SetNestedMap(fields, map[string]any{}, path...); err != nil {
				h.t.Fatal(err)
			}
		} else {
			unstructured.RemoveNestedField(fields, path[:2]...)
		}
		raw, err := json.Marshal(fields)
		if err != nil {
			h.t.Fatal(err)
		}
		entries[i].FieldsV1.SetRawBytes(raw)
	}
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := resource.Patch(h.t.Context(), "web", types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: "sluice"}); err != nil {
		h.t.Fatal(err)
	}
}

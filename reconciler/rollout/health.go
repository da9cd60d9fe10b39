package rollout

import (
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const deadlineExceeded = "ProgressDeadlineExceeded"

// health says how a live object is. kstatus decides, with the exceptions that doc.go lists.
func health(live *unstructured.Unstructured) (Status, string) {
	kind := live.GroupVersionKind().GroupKind()
	if live.GetDeletionTimestamp() == nil {
		if own := ownRule(kind); own != nil {
			if s, why, ok := own(live); ok {
				return s, why
			}
		}
	}
	result, err := status.Compute(live)
	if err != nil {
		return Unknown, "its status cannot be read: " + err.Error()
	}
	if result.Status == status.CurrentStatus {
		return Current, "" // kstatus counts pods here, which would be a new text at every scale
	}
	return Status(result.Status), result.Message
}

// rule decides an object's health, or leaves it to kstatus.
type rule func(*unstructured.Unstructured) (Status, string, bool)

// ownRule returns the rule for the kinds of which kstatus would say something that helps no release.
func ownRule(kind schema.GroupKind) rule {
	switch kind {
	case schema.GroupKind{Group: "networking.k8s.io", Kind: "Ingress"},
		schema.GroupKind{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"},
		schema.GroupKind{Group: "policy", Kind: "PodDisruptionBudget"}:
		return present
	case schema.GroupKind{Kind: "PersistentVolumeClaim"}:
		return claimHealth
	case schema.GroupKind{Kind: "Pod"}:
		return podHealth
	case schema.GroupKind{Group: "batch", Kind: "Job"}:
		return jobHealth
	case schema.GroupKind{Group: "apps", Kind: "Deployment"}:
		return deploymentHealth
	case schema.GroupKind{Group: "apps", Kind: "StatefulSet"}, schema.GroupKind{Group: "apps", Kind: "DaemonSet"}:
		return onDeleteHealth
	}
	return nil
}

// present is the rule for objects that are well when they are there: what fulfils them may not run in this
// cluster, and no pod waits for it.
func present(*unstructured.Unstructured) (Status, string, bool) { return Current, "", true }

// claimHealth: a claim that waits for its first consumer is as it should be, and whether there is a volume for it
// shows in the pod that cannot be scheduled.
func claimHealth(live *unstructured.Unstructured) (Status, string, bool) {
	phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
	if phase == "Lost" {
		return Failed, "its volume is lost", true
	}
	return Current, "", true
}

// podHealth: to kstatus a failed pod has completed.
func podHealth(live *unstructured.Unstructured) (Status, string, bool) {
	phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
	if phase != "Failed" {
		return "", "", false
	}
	reason, _, _ := unstructured.NestedString(live.Object, "status", "reason")
	return Failed, "it ended with an error" + inBrackets(reason), true
}

// jobHealth: to kstatus a Job that runs is current. One that its own spec suspends waits for a person.
func jobHealth(live *unstructured.Unstructured) (Status, string, bool) {
	for _, c := range conditions(live) {
		switch {
		case c.Status != "True":
		case c.Type == "Complete":
			return Current, "", true
		case c.Type == "Failed":
			return Failed, "the Job failed" + inBrackets(c.Reason) + ": " + c.Message, true
		}
	}
	if suspended, _, _ := unstructured.NestedBool(live.Object, "spec", "suspend"); suspended {
		return Current, "suspended by its own field spec.suspend", true
	}
	return InProgress, "the Job has not completed", true
}

// deploymentHealth: one that is paused makes no new pods, and to say only that they are missing would mislead.
func deploymentHealth(live *unstructured.Unstructured) (Status, string, bool) {
	if paused, _, _ := unstructured.NestedBool(live.Object, "spec", "paused"); paused {
		result, err := status.Compute(live)
		if err == nil && result.Status == status.InProgressStatus {
			return InProgress, "paused by its own field spec.paused: " + result.Message, true
		}
	}
	return "", "", false
}

// onDeleteHealth: with this strategy nobody replaces pods, so that old ones are as they should be, but kstatus waits
// for a DaemonSet's for ever, and does not look at a StatefulSet's at all.
func onDeleteHealth(live *unstructured.Unstructured) (Status, string, bool) {
	strategy, _, _ := unstructured.NestedString(live.Object, "spec", "updateStrategy", "type")
	observed, ok, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration")
	if strategy != "OnDelete" || !ok || observed != live.GetGeneration() {
		if strategy == "OnDelete" {
			return InProgress, "its controller has not seen this generation yet", true
		}
		return "", "", false
	}
	if r, _, _ := workload(live); r.Ready < r.Want {
		return InProgress, fmt.Sprintf("Ready: %d/%d", r.Ready, r.Want), true
	}
	return Current, "", true
}

type condition struct{ Type, Status, Reason, Message string }

func conditions(live *unstructured.Unstructured) []condition {
	list, _, _ := unstructured.NestedFieldNoCopy(live.Object, "status", "conditions")
	items, _ := list.([]any)
	found := make([]condition, 0, len(items))
	for _, item := range items {
		m, _ := item.(map[string]any)
		text := func(field string) string { s, _ := m[field].(string); return s }
		found = append(found, condition{text("type"), text("status"), text("reason"), text("message")})
	}
	return found
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

package policies

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Capacity says where the pods of a stage come from.
type Capacity string

// The capacities.
const (
	Surge   Capacity = "surge"   // they are extra pods: never fewer proven ones than before
	Replace Capacity = "replace" // they take the place of proven ones: never more pods are asked for than before
)

// The numbers that hold a Deployment. New pods are Ready and serve, but are not available for 63 years, so that the
// controller removes no pod for them. The deadline has to be greater than that; this one, the greatest there is, also
// removes the Progressing condition, which would end a long hold with DeadlineExceeded.
const (
	heldReadySeconds    = 2_000_000_000
	heldDeadlineSeconds = 2_147_483_647
)

// Form is what becomes of a workload's manifest before it is sent.
type Form string

// The forms. Each sends both numbers of the strategy: the API server would fill in 25% for one that is missing.
const (
	// Settled is the manifest as it was rendered.
	Settled Form = ""
	// Held keeps the controller at a number of new pods.
	Held Form = "hold"
	// Opening sends no workload: the route gives all traffic to the proven pods before there are others.
	Opening Form = "open"
	// Filling is as Held: as many new pods as proven ones, before the route gives them all traffic.
	Filling Form = "fill"
	// Finishing lets the controller go on to the end, by Git's own minReadySeconds and deadline, and keeps the promise of
	// the capacity, which Git's own numbers of the strategy may break.
	Finishing Form = "finish"
	// Wave brings back the pods of an older proven release, all at once beside those that it left; with Replace, which allows
	// no extra ones, half of them at a time.
	Wave Form = "wave"
	// Closing is as it was rendered, but for the route: the stable Service takes the new pods over.
	Closing Form = "close"
	// Draining sends no workload: the route gives all traffic to the proven pods before others go.
	Draining Form = "drain"
	// Aborting, of the proven manifest, while the hold stands: no proven pod goes, and a sick one blocks nothing.
	Aborting Form = "abort"
	// Returning, of the proven manifest, where no hold stands any more: proven pods come before others go.
	Returning Form = "return"
)

// Held reports whether the controller is kept from removing proven pods.
func (f Form) Held() bool { return f == Held || f == Filling }

// RouteAlone reports whether no workload is sent.
func (f Form) RouteAlone() bool { return f == Opening || f == Draining }

// Shape is how a workload of a release is sent.
type Shape struct {
	Form     Form
	Capacity Capacity
	// Pods is how many new pods a stage has; for Replace also how many may be missing while it finishes, returns or rolls back. With
	// Surge the forms other than Held do not use it.
	Pods int
	// Replicas is the number that a StatefulSet asks for; other kinds do not use it.
	Replicas int
}

// Stageable says why a workload with so many replicas cannot be staged; empty: it can.
func Stageable(workload *unstructured.Unstructured, replicas int, capacity Capacity) string {
	strategy, _, _ := unstructured.NestedString(workload.Object, "spec", "strategy", "type")
	switch {
	case workload.GetKind() == statefulSetKind:
		return stageableStatefulSet(workload, replicas)
	case workload.GetKind() == daemonSetKind:
		return stageableDaemonSet(workload, replicas)
	case strategy == "Recreate":
		return "strategy Recreate ends all pods before new ones begin, so there are no stages: use RollingUpdate, or no canary"
	case capacity == Replace && replicas == 1:
		return "with capacity: replace its only pod would be the first to go: use capacity: surge, or two replicas"
	}
	return ""
}

// Of returns a workload's manifest in this shape: a copy, or the manifest itself where nothing is changed in it. It must be
// one that can be staged, see [Stageable].
func (s Shape) Of(workload *unstructured.Unstructured) *unstructured.Unstructured {
	if s.Form == Settled || s.Form == Closing {
		return workload
	}
	made := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(workload.Object)}
	spec, ok := made.Object["spec"].(map[string]any)
	switch {
	case !ok:
	case made.GetKind() == statefulSetKind:
		s.statefulSet(spec)
	case made.GetKind() == daemonSetKind:
		s.daemonSet(spec)
	default:
		s.deployment(spec)
	}
	return made
}

func (s Shape) deployment(spec map[string]any) {
	var surge, unavailable any
	switch pods := int64(s.Pods); {
	case s.Form == Aborting:
		surge, unavailable = int64(0), "100%"
	case s.Capacity == Replace:
		surge, unavailable = int64(0), max(pods, 1)
	case s.Form == Wave:
		surge, unavailable = "100%", int64(0)
	case s.Form.Held():
		surge, unavailable = max(pods, 1), int64(0)
	default:
		surge, unavailable = "25%", int64(0)
	}
	if s.Form.Held() {
		spec["minReadySeconds"], spec["progressDeadlineSeconds"] = int64(heldReadySeconds), int64(heldDeadlineSeconds)
	}
	spec["paused"] = false
	spec["strategy"] = map[string]any{
		"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxSurge": surge, "maxUnavailable": unavailable},
	}
}

// CanaryStep is one stage of a canary. Without Instances and WeightPercent it asks for one instance.
type CanaryStep struct {
	Instances     int           // pods of the new template, from 1
	WeightPercent int           // their share of all pods, 1 to 99, or of a route's traffic, 1 to 100
	Preview       bool          // the route sends nothing to them, whatever their share
	Hold          time.Duration // how long they must be well before the next stage
	Approve       bool          // a person lets the stage begin
	Analyses      []string      // that are measured in it
}

// Pods is how many new pods the stage asks for of a workload with so many replicas, at least one.
//
// With Surge a share w of all pods is ceil(replicas·w/(100−w)) more of them, so that half needs as many again; with
// Replace it is floor(replicas·w/100) of those that are there.
func (c CanaryStep) Pods(replicas int, capacity Capacity) int {
	n := max(c.Instances, 1)
	switch w := c.WeightPercent; {
	case w == 0 || c.Instances > 0:
	case capacity == Replace:
		n = max(1, replicas*w/100)
	case w == 100: // of a workload beside the one that the route sends to
		n = replicas
	default:
		n = (replicas*w + 99 - w) / (100 - w)
	}
	if capacity == Replace {
		n = min(n, max(replicas-1, 1))
	}
	return max(n, 1)
}

func (c CanaryStep) String() string {
	if c.Preview {
		return "preview"
	}
	if c.WeightPercent > 0 && c.Instances > 0 {
		return c.sharesText()
	}
	if c.WeightPercent > 0 {
		return fmt.Sprintf("%d%%", c.WeightPercent)
	}
	if n := max(c.Instances, 1); n > 1 {
		return fmt.Sprintf("%d instances", n)
	}
	return "1 instance"
}

package rollout

import (
	"cmp"
	"strconv"
	"unique"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// The labels by which an object says who owns it. They stand on objects, never on pod templates.
const (
	LabelApplication = "sluice.dev/application"
	LabelEnvironment = "sluice.dev/environment"
	LabelAgent       = "sluice.dev/agent"
)

// ID names one object, whatever the version in which it is read. Namespace is empty for a cluster-wide kind.
type ID struct{ Group, Kind, Namespace, Name string }

// Key is what a wake-up is for. It is read from an object's labels.
type Key struct{ Application, Environment string }

// Status is an object's health, in the words of kstatus.
type Status string

// The words. NotFound is for callers: no Object that is seen has it.
const (
	Current     Status = "Current"
	InProgress  Status = "InProgress"
	Failed      Status = "Failed"
	Terminating Status = "Terminating"
	NotFound    Status = "NotFound"
	Unknown     Status = "Unknown"
)

// Object is all that is kept of a live object.
type Object struct {
	ID
	Key
	Version         string // of the API in which it was read, as "v1"
	UID             string
	ResourceVersion string
	Generation      int64
	// Hash is Config.Hash of the full object. It is empty for kinds that are watched as metadata only: for them a
	// new ResourceVersion says that something may have changed.
	Hash     string
	Status   Status
	Message  string // why Status is what it is; the same cause gives the same words
	Deleting bool   // a deletion was asked for and has not ended
	Replicas Replicas
	// Revision is what the pods of the newest template are known by: for a Deployment the revision of its newest
	// ReplicaSet, for a StatefulSet the hash of its newest ControllerRevision, for a DaemonSet the generation of
	// its template. It is empty for everything else, and until the controller has seen the present Generation.
	Revision string
	Ordinals Ordinals
	// Stall is what the workload's controller says keeps it from going on; its zero value says nothing does.
	Stall Stall
	// Refused is why a route is not in force as it is now; empty for everything else.
	Refused string
}

// Replicas counts the pods of a workload; all zero for what has none.
type Replicas struct{ Want, Updated, Ready, Available int32 }

// Stall is a condition with which a controller says that a workload stands still.
type Stall struct{ Reason, Message string }

// Describe reduces a full live object, for example the answer of an apply, to what is kept of it. hash is what
// Config.Hash says of it. live is not changed.
func Describe(live *unstructured.Unstructured, hash string) Object {
	gvk := live.GroupVersionKind()
	labels := live.GetLabels()
	o := Object{
		ID: ID{
			Group: shared(gvk.Group), Kind: shared(gvk.Kind),
			Namespace: shared(live.GetNamespace()), Name: live.GetName(),
		},
		Key:     Key{Application: shared(labels[LabelApplication]), Environment: shared(labels[LabelEnvironment])},
		Version: shared(gvk.Version), UID: string(live.GetUID()), ResourceVersion: live.GetResourceVersion(),
		Generation: live.GetGeneration(), Hash: hash, Deleting: live.GetDeletionTimestamp() != nil,
	}
	o.Status, o.Message = health(live)
	o.Message = shared(o.Message)
	o.Replicas, o.Revision, o.Stall = workload(live)
	o.Ordinals = ordinals(live)
	o.Refused = shared(routeRefusal(live))
	return o
}

// shared returns s from the pool of strings that many objects have in common, so that it is kept once.
func shared(s string) string { return unique.Make(s).Value() }

// newer compares two resource versions of one object: above zero means that a is newer. Versions that cannot
// be compared count as newer, so that a server with versions of another form is believed.
func newer(a, b string) int {
	if a == b {
		return 0
	}
	c, err := resourceversion.CompareResourceVersion(a, b)
	if err != nil {
		return 1
	}
	return c
}

func compareIDs(a, b ID) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// workload reads what diagnosis needs to know of an object that has pods.
func workload(live *unstructured.Unstructured) (Replicas, string, Stall) {
	kind := live.GroupVersionKind().GroupKind()
	if kind.Group != "apps" {
		return Replicas{}, "", Stall{}
	}
	number := func(fields ...string) int32 {
		n, _, _ := unstructured.NestedInt64(live.Object, fields...)
		return int32(n)
	}
	observed, _, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration")
	seen := observed == live.GetGeneration()
	switch kind.Kind {
	case "Deployment", "StatefulSet":
		r := Replicas{Want: 1, Updated: number("status", "updatedReplicas"), Ready: number("status", "readyReplicas"),
			Available: number("status", "availableReplicas")}
		if n, ok, _ := unstructured.NestedInt64(live.Object, "spec", "replicas"); ok {
			r.Want = int32(n)
		}
		revision := live.GetAnnotations()["deployment.kubernetes.io/revision"]
		if kind.Kind == "StatefulSet" {
			revision, _, _ = unstructured.NestedString(live.Object, "status", "updateRevision")
		}
		return r, when(seen, revision), stall(live)
	case "DaemonSet":
		r := Replicas{Want: number("status", "desiredNumberScheduled"), Updated: number("status", "updatedNumberScheduled"),
			Ready: number("status", "numberReady"), Available: number("status", "numberAvailable")}
		// The controller labels pods with this annotation's number; it is the generation where there is none.
		revision := live.GetAnnotations()["deprecated.daemonset.template.generation"]
		return r, when(seen, cmp.Or(revision, strconv.FormatInt(live.GetGeneration(), 10))), stall(live)
	}
	return Replicas{}, "", Stall{}
}

func when(ok bool, s string) string {
	if !ok {
		return ""
	}
	return s
}

// stall finds the condition that says that pods cannot be made, or else that time is up.
func stall(live *unstructured.Unstructured) Stall {
	var found Stall
	for _, c := range conditions(live) {
		switch {
		case c.Type == "ReplicaFailure" && c.Status == "True":
			return Stall{Reason: c.Reason, Message: c.Message}
		case c.Type == "Progressing" && c.Reason == deadlineExceeded:
			found = Stall{Reason: c.Reason, Message: c.Message}
		}
	}
	return found
}

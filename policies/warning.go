package policies

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Warning is what a person should know before a release goes out: it is not refused for it.
type Warning struct {
	// Object is as people write it, Kind/namespace/name.
	Object  string `json:"object"`
	Message string `json:"message"`
}

func (w Warning) String() string { return w.Object + ": " + w.Message }

// Warnings says what makes the stages of a release prove less than they seem to, and which changes are safe in no order.
// proven are the objects of the proven release, nil where they are not known. Without a canary there is nothing to warn of.
// What cannot be read is the API server's to refuse.
func Warnings(objects, proven []*unstructured.Unstructured, canary *Canary) []Warning {
	if canary == nil {
		return nil
	}
	var all []Warning
	for _, o := range objects {
		w, ok := workloadOf(o)
		if !ok {
			continue
		}
		var found []string
		for _, look := range []func(workload, []*unstructured.Unstructured) []string{
			unready, impatient, abrupt, hostbound, onOneNode, canary.unstaged, canary.standing, canary.autoscaled, canary.overloaded,
		} {
			found = append(found, look(w, objects)...)
		}
		for _, text := range found {
			all = append(all, Warning{w.name, text})
		}
		all = append(all, moved(w, objects, proven)...)
	}
	return all
}

// unready: a pod without a readiness probe is Ready as soon as its containers run.
func unready(w workload, _ []*unstructured.Unstructured) []string {
	if slices.ContainsFunc(w.Spec.Template.Spec.Containers, func(c container) bool { return c.ReadinessProbe != nil }) {
		return nil
	}
	return []string{"no container has a readinessProbe: its pods are Ready as soon as they run, so a stage proves no more than that"}
}

// impatient: what should only take a pod out of the Service restarts it, and a stage fails for a moment's load.
func impatient(w workload, _ []*unstructured.Unstructured) (found []string) {
	for _, c := range w.Spec.Template.Spec.Containers {
		live, ready := c.LivenessProbe, c.ReadinessProbe
		if live != nil && ready != nil && live.sameHandler(*ready) && live.patience() <= ready.patience() {
			found = append(found, fmt.Sprintf("container %q: livenessProbe asks what readinessProbe asks, and is no more patient (%s, %s): "+
				"what should take a pod out of its Service for a while restarts it", c.Name, live.patience(), ready.patience()))
		}
	}
	return found
}

// abrupt: requests on their way are lost whenever a pod goes, so each stage shows errors that no code made.
func abrupt(w workload, _ []*unstructured.Unstructured) (found []string) {
	spec := w.Spec.Template.Spec
	grace := int64(30)
	if spec.TerminationGracePeriodSeconds != nil {
		grace = *spec.TerminationGracePeriodSeconds
	}
	if grace == 0 {
		return []string{"terminationGracePeriodSeconds is 0: its pods are killed with the requests that they are answering"}
	}
	for _, c := range spec.Containers {
		if sleep := c.Lifecycle.PreStop.Sleep.Seconds; sleep >= grace {
			found = append(found, fmt.Sprintf("container %q: preStop sleeps %d s of the %d s of terminationGracePeriodSeconds: nothing is left to end in", c.Name, sleep, grace))
		}
	}
	return found
}

// hostbound: a port of the node is free once.
func hostbound(w workload, _ []*unstructured.Unstructured) []string {
	spec := w.Spec.Template.Spec
	if spec.HostNetwork || slices.ContainsFunc(spec.Containers, func(c container) bool {
		return slices.ContainsFunc(c.Ports, func(p containerPort) bool { return p.HostPort > 0 })
	}) {
		return []string{"its pods use ports of their node: a new pod starts only on a node without a proven one"}
	}
	return nil
}

// onOneNode: a volume of one node keeps new pods where the proven ones are.
func onOneNode(w workload, objects []*unstructured.Unstructured) (found []string) {
	for _, volume := range w.Spec.Template.Spec.Volumes {
		claim := volume.PersistentVolumeClaim.ClaimName
		for _, o := range objects {
			if o.GetKind() != "PersistentVolumeClaim" || o.GetName() != claim || o.GetNamespace() != w.namespace {
				continue
			}
			modes, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "accessModes") //nolint:errcheck // of another form: refused by the API server
			if len(modes) == 1 && (modes[0] == "ReadWriteOnce" || modes[0] == "ReadWriteOncePod") {
				found = append(found, fmt.Sprintf("claim %q is %s: new pods start only on the node of the proven ones, or not at all", claim, modes[0]))
			}
		}
	}
	return found
}

// unstaged: the release will be refused.
func (c *Canary) unstaged(w workload, objects []*unstructured.Unstructured) []string {
	replicas := w.replicas(objects)
	if w.object.GetKind() == daemonSetKind {
		replicas = 0 // no manifest says how many nodes there are
	}
	if why := Stageable(w.object, replicas, c.Capacity); why != "" {
		return []string{why}
	}
	return nil
}

// standing: a stage without a pod more than the one before proves nothing that the other did not.
func (c *Canary) standing(w workload, objects []*unstructured.Unstructured) (found []string) {
	replicas := w.replicas(objects)
	if w.object.GetKind() == "DaemonSet" || replicas == 0 {
		return nil
	}
	for i := 1; i < len(c.Steps); i++ {
		n, before := c.Steps[i].Pods(replicas, c.Capacity), c.Steps[i-1].Pods(replicas, c.Capacity)
		if n <= before {
			found = append(found, fmt.Sprintf("stage %d (%s) has no more new pods than stage %d: %d beside %d replicas", i+1, c.Steps[i], i, before, replicas))
		}
	}
	return found
}

// autoscaled: with one proven pod, a stage is half of what serves, or cannot be.
func (c *Canary) autoscaled(w workload, objects []*unstructured.Unstructured) []string {
	scaler, least := w.autoscaler(objects)
	switch {
	case scaler == "" || least > 1:
		return nil
	case c.Capacity == Replace:
		return []string{fmt.Sprintf("%s may leave it one pod: with capacity: replace there are no stages then", scaler)}
	}
	return []string{fmt.Sprintf("%s may leave it one pod: the first stage is half of what serves then", scaler)}
}

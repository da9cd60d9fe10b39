package rollout

import (
	"context"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// Ended says whether a Job or a Pod has ended, and if badly, how. Other kinds end with their apply.
func Ended(live *unstructured.Unstructured) (ended bool, fault string) {
	switch live.GroupVersionKind().Group + "/" + live.GetKind() {
	case "batch/Job":
		for _, c := range conditions(live) {
			switch {
			case c.Status != "True":
			case c.Type == string(batchv1.JobComplete):
				return true, ""
			case c.Type == string(batchv1.JobFailed):
				return true, sentence(c.Reason, c.Message)
			}
		}
		return false, ""
	case "/Pod":
		phase, _, _ := unstructured.NestedString(live.Object, "status", "phase")
		switch corev1.PodPhase(phase) {
		case corev1.PodSucceeded:
			return true, ""
		case corev1.PodFailed:
			_, why, _ := podHealth(live)
			return true, why
		case corev1.PodPending, corev1.PodRunning, corev1.PodUnknown:
		}
		return false, ""
	}
	return true, ""
}

// DiagnoseRun says what is wrong with the newest pod of a Job, or with a Pod of its own, or of one that is well which of its
// containers runs. It asks the API server as the given identity. Of pods that are gone it knows nothing.
func DiagnoseRun(ctx context.Context, config *rest.Config, of ID) ([]Finding, error) {
	c, err := newClient(config)
	if err != nil {
		return nil, err
	}
	options := metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + of.Name}
	if of.Kind == "Pod" {
		options = metav1.ListOptions{FieldSelector: "metadata.name=" + of.Name}
	}
	list, err := c.core.Pods(of.Namespace).List(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("list pods of %s %q: %w", of.Kind, of.Namespace+"/"+of.Name, err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	for i := range list.Items {
		p := reducePod(&list.Items[i])
		if of.Kind != "Pod" && (p.owner.Kind != of.Kind || p.owner.Name != of.Name) {
			continue
		}
		e := examination{pod: p}
		if e.look(); len(e.findings) == 0 {
			e.still()
		}
		if len(e.findings) > 0 {
			return e.findings, nil
		}
	}
	return nil, nil
}

// still finds a container that runs and has not ended.
func (e *examination) still() {
	for _, c := range e.pod.containers {
		if c.running && !c.init {
			e.find(c.name, NotReady, false, "container "+quoted(c.name)+" runs, and has not ended")
			return
		}
	}
}

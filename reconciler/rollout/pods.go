package rollout

import (
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// owner is the controller of a pod or ReplicaSet.
type owner struct {
	ID
	uid string
}

// pod is what diagnosis needs of a Pod.
type pod struct {
	ID
	uid     string
	owner   owner
	created time.Time
	// revision and generation are the labels by which StatefulSets and DaemonSets tell templates apart.
	revision, generation string
	phase                corev1.PodPhase
	ready, deleting      bool
	silent               bool // its node does not answer
	ended                exit // of the whole pod, as by an eviction
	unscheduled          exit // why no node was found
	unready              exit // why it is not Ready though its containers are
	containers           []container
}

// container is one of a pod's, with its status.
type container struct {
	name, image, memory  string // memory is the limit, if there is one
	init, ready, running bool
	probed               bool // a readiness or startup probe decides whether it is ready
	restarts             int32
	waiting              exit // why it does not run
	stopped, last        exit // how it ended, this time and the time before
}

// exit is a reason with its details; all empty where there is none.
type exit struct {
	reason, message string
	code            int32
}

func (e exit) is(reasons ...string) bool { return slices.Contains(reasons, e.reason) }

// replicaSet is what is needed to tell a Deployment's newest pods from the others.
type replicaSet struct {
	ID
	uid, revision string
	owner         owner
	failure       string // why it cannot make pods
	hash          string // of its template
	// want is how many pods it is to keep, made and ready how many there are that are not being deleted. seen: its
	// controller has counted since want was set.
	want, made, ready int32
	seen              bool
}

// warning is an Event that says that something went wrong with an object.
type warning struct {
	name            string
	about           ID
	uid             string // of what it is about
	container       string // if it is about one
	reason, message string
	at              time.Time // the last time it happened
}

func reducePod(obj runtime.Object) pod {
	p, ok := obj.(*corev1.Pod)
	if !ok {
		return pod{}
	}
	r := pod{
		ID:  ID{Kind: "Pod", Namespace: p.Namespace, Name: p.Name},
		uid: string(p.UID), owner: controller(p), created: p.CreationTimestamp.Time,
		revision: p.Labels[appsv1.ControllerRevisionHashLabelKey], generation: p.Labels["pod-template-generation"],
		phase: p.Status.Phase, deleting: p.DeletionTimestamp != nil,
	}
	if p.Status.Phase == corev1.PodFailed {
		r.ended = exit{reason: p.Status.Reason, message: p.Status.Message}
	}
	contained := false
	for _, c := range p.Status.Conditions {
		contained = contained || c.Type == corev1.ContainersReady && c.Status == corev1.ConditionTrue
		switch {
		case c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue:
			r.ready = true
		case c.Type == corev1.PodReady:
			r.unready = exit{reason: c.Reason, message: c.Message}
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			r.unscheduled = exit{reason: c.Reason, message: c.Message}
		}
	}
	// A kubelet says of a pod that it is not Ready when its containers are not, or for a readiness gate, and gives the reason.
	// Only for a node that does not answer any more the node controller says it, and changes nothing but that.
	r.silent = contained && !r.ready && p.Status.Phase == corev1.PodRunning && !r.unready.is("ReadinessGatesNotReady")
	r.containers = append(containersOf(p.Spec.InitContainers, p.Status.InitContainerStatuses, true),
		containersOf(p.Spec.Containers, p.Status.ContainerStatuses, false)...)
	return r
}

func containersOf(specs []corev1.Container, statuses []corev1.ContainerStatus, init bool) []container {
	found := make([]container, 0, len(statuses))
	for _, s := range statuses {
		c := container{
			name: s.Name, init: init, ready: s.Ready, running: s.State.Running != nil, restarts: s.RestartCount,
			stopped: stopped(s.State.Terminated), last: stopped(s.LastTerminationState.Terminated),
		}
		if w := s.State.Waiting; w != nil {
			c.waiting = exit{reason: w.Reason, message: w.Message}
		}
		for _, spec := range specs {
			if spec.Name != s.Name {
				continue
			}
			c.image, c.probed = spec.Image, spec.ReadinessProbe != nil || spec.StartupProbe != nil
			if limit, ok := spec.Resources.Limits[corev1.ResourceMemory]; ok {
				c.memory = limit.String()
			}
		}
		found = append(found, c)
	}
	return found
}

// stopped leaves out what a container itself may have written as its message.
func stopped(t *corev1.ContainerStateTerminated) exit {
	if t == nil {
		return exit{}
	}
	e := exit{reason: t.Reason, code: t.ExitCode}
	if e.reason == "" {
		e.reason = "Error"
	}
	if e.is("StartError", "ContainerCannotRun") { // then the runtime wrote it
		e.message = t.Message
	}
	return e
}

func reduceReplicaSet(obj runtime.Object) replicaSet {
	s, ok := obj.(*appsv1.ReplicaSet)
	if !ok {
		return replicaSet{}
	}
	r := replicaSet{
		ID:  ID{Group: "apps", Kind: "ReplicaSet", Namespace: s.Namespace, Name: s.Name},
		uid: string(s.UID), revision: s.Annotations["deployment.kubernetes.io/revision"], owner: controller(s),
		hash: s.Labels[appsv1.DefaultDeploymentUniqueLabelKey], want: 1, made: s.Status.Replicas, ready: s.Status.ReadyReplicas,
		seen: s.Status.ObservedGeneration == s.Generation,
	}
	if s.Spec.Replicas != nil {
		r.want = *s.Spec.Replicas
	}
	for _, c := range s.Status.Conditions {
		if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
			r.failure = c.Message
		}
	}
	return r
}

func reduceEvent(obj runtime.Object) warning {
	e, ok := obj.(*corev1.Event)
	if !ok {
		return warning{}
	}
	about := e.InvolvedObject
	gv, _ := schema.ParseGroupVersion(about.APIVersion)
	w := warning{
		name:  e.Name,
		about: ID{Group: gv.Group, Kind: about.Kind, Namespace: about.Namespace, Name: about.Name},
		uid:   string(about.UID), reason: e.Reason, message: e.Message, at: e.LastTimestamp.Time,
	}
	if e.Series != nil {
		w.at = e.Series.LastObservedTime.Time
	}
	if w.at.IsZero() {
		w.at = e.EventTime.Time
	}
	if name, ok := strings.CutPrefix(about.FieldPath, "spec.containers{"); ok {
		w.container = strings.TrimSuffix(name, "}")
	}
	return w
}

func controller(obj metav1.Object) owner {
	ref := metav1.GetControllerOf(obj)
	if ref == nil {
		return owner{}
	}
	gv, _ := schema.ParseGroupVersion(ref.APIVersion)
	return owner{
		ID:  ID{Group: gv.Group, Kind: ref.Kind, Namespace: obj.GetNamespace(), Name: ref.Name},
		uid: string(ref.UID),
	}
}

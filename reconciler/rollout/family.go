package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Family are the pods and ReplicaSets of a namespace at one moment, sorted by name.
type Family struct {
	Pods []FamilyPod
	Sets []FamilySet
}

// FamilyPod is a pod for people to look at.
type FamilyPod struct {
	ID
	UID       string
	OwnerUID  string // of its controller; empty: it has none
	Hash      string // of its template, where a StatefulSet or DaemonSet made it
	IP, Node  string
	Images    []string
	Ready     bool
	Restarts  int
	Created   time.Time
	Status    Status
	Message   string // why it is not Current
	Succeeded bool   // it ran to its end
}

// FamilySet is a ReplicaSet for people to look at.
type FamilySet struct {
	ID
	UID, OwnerUID string
	Hash          string // of its template
	Want, Ready   int
}

// Family asks the API server for the pods and ReplicaSets of a namespace, which the Observer does not watch while nothing is
// under way. Where the agent may not read them, they are read as the newest fallback that Watch got for the namespace. The
// API server answers from its cache.
func (o *Observer) Family(ctx context.Context, namespace string) (Family, error) {
	c, err := newClient(o.config.REST)
	if err != nil {
		return Family{}, err
	}
	family, err := o.family(ctx, c, namespace)
	if fallback := o.fallback(namespace); apierrors.IsForbidden(err) && fallback != nil {
		if c, err = newClient(fallback); err == nil {
			family, err = o.family(ctx, c, namespace)
		}
	}
	return family, err
}

func (o *Observer) family(ctx context.Context, c *client, namespace string) (family Family, err error) {
	cached := metav1.ListOptions{ResourceVersion: "0"}
	pods, err := c.pods(namespace).list(ctx, cached)
	if err != nil {
		return family, fmt.Errorf("list pods in namespace %q: %w", namespace, err)
	}
	sets, err := c.replicaSets(namespace).list(ctx, cached)
	if err != nil {
		return family, fmt.Errorf("list ReplicaSets in namespace %q: %w", namespace, err)
	}
	f := o.follower(namespace) // which knows warnings
	if f == nil {
		f = newFollower(o, namespace)
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if list, ok := pods.(*corev1.PodList); ok {
		for i := range list.Items {
			family.Pods = append(family.Pods, f.relative(&list.Items[i]))
		}
	}
	if list, ok := sets.(*appsv1.ReplicaSetList); ok {
		for i := range list.Items {
			s := reduceReplicaSet(&list.Items[i])
			family.Sets = append(family.Sets, FamilySet{s.ID, s.uid, s.owner.uid, s.hash, int(s.want), int(s.ready)})
		}
	}
	slices.SortFunc(family.Pods, func(a, b FamilyPod) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(family.Sets, func(a, b FamilySet) int { return cmp.Compare(a.Name, b.Name) })
	return family, nil
}

// relative is a pod with how it is. The caller holds f.mu.
func (f *follower) relative(p *corev1.Pod) FamilyPod {
	r := reducePod(p)
	made := FamilyPod{
		ID: r.ID, UID: r.uid, OwnerUID: r.owner.uid, Hash: r.revision, IP: p.Status.PodIP, Node: p.Spec.NodeName, Ready: r.ready, Created: r.created,
		Status: Current, Succeeded: r.phase == corev1.PodSucceeded,
	}
	for _, c := range r.containers {
		if !c.init {
			made.Restarts += int(c.restarts)
		}
	}
	for _, c := range p.Spec.Containers {
		made.Images = append(made.Images, c.Image)
	}
	findings := f.examine(r)
	switch {
	case r.deleting:
		made.Status, made.Message = Terminating, "it is being deleted"
	case r.phase == corev1.PodFailed || slices.ContainsFunc(findings, func(found Finding) bool { return found.Terminal }):
		made.Status = Failed
	case !r.ready && !made.Succeeded:
		made.Status = InProgress
	}
	if made.Status != Current && made.Message == "" && len(findings) > 0 {
		made.Message = findings[0].Message
	}
	if made.Status == Failed && made.Message == "" {
		made.Message = "it ended with an error" + inBrackets(r.ended.reason)
	}
	return made
}

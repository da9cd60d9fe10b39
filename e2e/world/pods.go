package world

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// Pods is what a watch has seen of the pods of a namespace. No state in between is missed.
type Pods struct {
	mu    sync.Mutex
	live  map[string]livePod // by UID
	order []string           // UIDs as they appeared
	least int                // Ready pods at one moment
	most  map[string]int     // pods of an image at one moment
	// leastOf are Ready pods at one moment of each image that was there at first, and unready is when a pod that had begun was
	// first not Ready, by UID.
	leastOf map[string]int
	unready map[string]time.Time
	told    []string // what each event said, for a story that failed
}

// mostTold bounds what is kept for a story that failed: the last ones.
const mostTold = 120

type livePod struct {
	name, image string
	ready       bool
}

// WatchPods begins to watch the pods of a namespace.
func (c *Cluster) WatchPods(t testing.TB, namespace string) *Pods {
	t.Helper()
	list, err := c.Core.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	events, err := c.Core.CoreV1().Pods(namespace).Watch(t.Context(), metav1.ListOptions{ResourceVersion: list.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	p := &Pods{live: map[string]livePod{}, most: map[string]int{}, leastOf: map[string]int{}, unready: map[string]time.Time{}}
	for i := range list.Items {
		p.see(watch.Added, &list.Items[i])
	}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if t.Failed() {
			t.Logf("the pods of %s, as they were seen:\n%s", namespace, strings.Join(p.told, "\n"))
		}
	})
	p.least = p.ready("")
	for image := range p.images() {
		p.leastOf[image] = p.ready(image)
	}
	go func() {
		for event := range events.ResultChan() {
			if pod, ok := event.Object.(*corev1.Pod); ok {
				p.see(event.Type, pod)
			}
		}
	}()
	return p
}

func (p *Pods) see(what watch.EventType, pod *corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	uid := string(pod.UID)
	defer func() {
		p.told = append(p.told, fmt.Sprintf("%s %s %s %.8s of %s, revision %s, being deleted: %t, Ready: %t; %d are Ready", time.Now().Format("15:04:05.000"), what, pod.Name,
			uid, pod.Spec.Containers[0].Image, pod.Labels["controller-revision-hash"], pod.DeletionTimestamp != nil, p.live[uid].ready, p.ready("")))
		p.told = p.told[max(0, len(p.told)-mostTold):]
	}()
	if what == watch.Deleted || pod.DeletionTimestamp != nil {
		delete(p.live, uid)
	} else {
		if _, known := p.live[uid]; !known {
			p.order = append(p.order, uid)
		}
		now := livePod{name: pod.Name, image: pod.Spec.Containers[0].Image}
		for _, c := range pod.Status.Conditions {
			now.ready = now.ready || c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		}
		if p.unready[uid].IsZero() && len(pod.Status.ContainerStatuses) > 0 && !now.ready {
			p.unready[uid] = time.Now()
		}
		p.live[uid] = now
	}
	p.least = min(p.least, p.ready(""))
	for image, n := range p.leastOf {
		p.leastOf[image] = min(n, p.ready(image))
	}
	for image, n := range p.images() {
		p.most[image] = max(p.most[image], n)
	}
}

// ready counts the Ready pods of an image; without one, all.
func (p *Pods) ready(image string) int {
	n := 0
	for _, pod := range p.live {
		if pod.ready && (image == "" || pod.image == image) {
			n++
		}
	}
	return n
}

// Live are the pods that are not being deleted, by UID.
func (p *Pods) Live() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	live := map[string]bool{}
	for uid := range p.live {
		live[uid] = true
	}
	return live
}

// Images counts the pods that are not being deleted by their first container's image.
func (p *Pods) Images() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.images()
}

func (p *Pods) images() map[string]int {
	images := map[string]int{}
	for _, pod := range p.live {
		images[pod.image]++
	}
	return images
}

// AwaitPods waits until the images of the pods are as wanted.
func AwaitPods(t testing.TB, what string, p *Pods, want func(images map[string]int) bool) {
	t.Helper()
	Await(t, Patience, what, func() error {
		if images := p.Images(); !want(images) {
			return fmt.Errorf("the pods are %v", images)
		}
		return nil
	})
}

// DeletePod deletes one of the pods, by UID.
func (c *Cluster) DeletePod(t testing.TB, namespace string, p *Pods, uid string) {
	t.Helper()
	p.mu.Lock()
	name := p.live[uid].name
	p.mu.Unlock()
	if err := c.Core.CoreV1().Pods(namespace).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// First are the first n pods that appeared and are not among these.
func (p *Pods) First(n int, but map[string]bool) map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := map[string]bool{}
	for _, uid := range p.order {
		if !but[uid] && len(first) < n {
			first[uid] = true
		}
	}
	return first
}

// Most is how many pods of an image were there at the fullest moment, those that are being deleted apart.
func (p *Pods) Most(image string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most[image]
}

// LeastReady is how many pods were Ready at the worst moment.
func (p *Pods) LeastReady() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.least
}

// LeastReadyOf is how many pods of an image were Ready at the worst moment, since the watch began and found some.
func (p *Pods) LeastReadyOf(image string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leastOf[image]
}

// Unready is when one of the pods that are not among these was first seen not to be Ready though it had begun; zero: never.
func (p *Pods) Unready(but map[string]bool) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first time.Time
	for uid, at := range p.unready {
		if !but[uid] && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// Sicken makes one of the pods not Ready, by UID: nothing in the cluster makes it well again.
func (c *Cluster) Sicken(t testing.TB, namespace string, p *Pods, uid string) {
	t.Helper()
	p.mu.Lock()
	name := p.live[uid].name
	p.mu.Unlock()
	patch := []byte(`{"status":{"conditions":[{"type":"Ready","status":"False"},{"type":"ContainersReady","status":"False"}]}}`)
	_, err := c.Core.CoreV1().Pods(namespace).Patch(t.Context(), name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatal(err)
	}
}

// Named are the names of the pods of an image, by UID.
func (p *Pods) Named(image string) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := map[string]string{}
	for uid, pod := range p.live {
		if pod.image == image {
			names[uid] = pod.name
		}
	}
	return names
}

// Pod is the UID of the pod of a name, and whether it is Ready; empty: there is none.
func (p *Pods) Pod(name string) (uid string, ready bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for uid, pod := range p.live {
		if pod.name == name {
			return uid, pod.ready
		}
	}
	return "", false
}

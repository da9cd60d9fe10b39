package world

import (
	"maps"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// Pods is what a watch has seen of the pods of a namespace. No state in between is missed.
type Pods struct {
	mu    sync.Mutex
	live  map[string]bool // Ready, by UID
	order []string        // UIDs as they appeared
	least int             // Ready pods at one moment
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
	p := &Pods{live: map[string]bool{}}
	for i := range list.Items {
		p.see(watch.Added, &list.Items[i])
	}
	p.least = p.ready()
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
	if what == watch.Deleted || pod.DeletionTimestamp != nil {
		delete(p.live, uid)
	} else {
		if _, known := p.live[uid]; !known {
			p.order = append(p.order, uid)
		}
		p.live[uid] = false
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				p.live[uid] = true
			}
		}
	}
	p.least = min(p.least, p.ready())
}

func (p *Pods) ready() int {
	n := 0
	for _, ready := range p.live {
		if ready {
			n++
		}
	}
	return n
}

// Live are the pods that are not being deleted, by UID.
func (p *Pods) Live() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	live := maps.Clone(p.live)
	for uid := range live {
		live[uid] = true
	}
	return live
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

// LeastReady is how many pods were Ready at the worst moment.
func (p *Pods) LeastReady() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.least
}

package world

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Moment is one change of one object. Object is as it was last where Gone.
type Moment struct {
	Version uint64 // of the store: later changes have greater ones, whatever the kind
	Gone    bool
	Seen    time.Time // by the watch
	*unstructured.Unstructured
}

// Record begins to watch kinds in a namespace, and returns what tells all their changes since, in the order in which the
// API server made them. What was there at the beginning comes first.
func (c *Cluster) Record(t testing.TB, namespace string, kinds ...string) func() []Moment {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	t.Cleanup(func() { cancel(); watching.Wait() })
	var lock sync.Mutex
	var moments []Moment
	see := func(o *unstructured.Unstructured, gone bool) {
		version, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
		if err != nil {
			t.Errorf("record %s %s: %v", o.GetKind(), o.GetName(), err)
		}
		lock.Lock()
		defer lock.Unlock()
		moments = append(moments, Moment{version, gone, time.Now(), o})
	}
	for _, kind := range kinds {
		resource := c.Resource(kind, namespace)
		list, err := resource.List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Fatalf("record %s: %v", kind, err)
		}
		for i := range list.Items {
			see(&list.Items[i], false)
		}
		events, err := resource.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion()})
		if err != nil {
			t.Fatalf("record %s: %v", kind, err)
		}
		watching.Go(func() {
			for event := range events.ResultChan() {
				if o, ok := event.Object.(*unstructured.Unstructured); ok && event.Type != "ERROR" {
					see(o, event.Type == "DELETED")
				}
			}
			if ctx.Err() == nil {
				t.Errorf("record %s: the watch ended", kind)
			}
		})
	}
	return func() []Moment {
		lock.Lock()
		defer lock.Unlock()
		sorted := slices.Clone(moments)
		slices.SortStableFunc(sorted, func(a, b Moment) int { return cmp.Compare(a.Version, b.Version) })
		return sorted
	}
}

package world

import (
	"sync"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// Serving is what a watch has seen of the pods behind a Service: those in its EndpointSlices, Ready or not.
type Serving struct {
	mu      sync.Mutex
	slices  map[string]map[string]bool // UIDs of pods, by slice
	moments []moment
}

// moment is a time from which on these pods were behind the Service, by UID.
type moment struct {
	at   time.Time
	pods map[string]bool
}

// WatchServing begins to watch the EndpointSlices of a Service.
func (c *Cluster) WatchServing(t testing.TB, service Ref) *Serving {
	t.Helper()
	slices := c.Core.DiscoveryV1().EndpointSlices(service.Namespace)
	only := metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service.Name}
	list, err := slices.List(t.Context(), only)
	if err != nil {
		t.Fatal(err)
	}
	only.ResourceVersion = list.ResourceVersion
	events, err := slices.Watch(t.Context(), only)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	s := &Serving{slices: map[string]map[string]bool{}}
	for i := range list.Items {
		s.see(watch.Added, &list.Items[i])
	}
	go func() {
		for event := range events.ResultChan() {
			if slice, ok := event.Object.(*discoveryv1.EndpointSlice); ok {
				s.see(event.Type, slice)
			}
		}
	}()
	return s
}

func (s *Serving) see(what watch.EventType, slice *discoveryv1.EndpointSlice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.slices, slice.Name)
	if what != watch.Deleted {
		pods := map[string]bool{}
		for _, e := range slice.Endpoints {
			if e.TargetRef != nil {
				pods[string(e.TargetRef.UID)] = true
			}
		}
		s.slices[slice.Name] = pods
	}
	now := moment{at: time.Now(), pods: map[string]bool{}}
	for _, pods := range s.slices {
		for uid := range pods {
			now.pods[uid] = true
		}
	}
	s.moments = append(s.moments, now)
}

// Now are the pods behind the Service, by UID.
func (s *Serving) Now() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.moments) == 0 {
		return nil
	}
	return s.moments[len(s.moments)-1].pods
}

// Only is since when there are no others than these pods behind the Service: since the watch began, where there never were.
// Zero: there are.
func (s *Serving) Only(pods map[string]bool) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var since time.Time
	for _, m := range s.moments {
		others := false
		for uid := range m.pods {
			others = others || !pods[uid]
		}
		switch {
		case others:
			since = time.Time{}
		case since.IsZero():
			since = m.at
		}
	}
	return since
}

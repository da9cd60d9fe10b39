package rollout

import (
	"context"
	"slices"
	"sync"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// endpoints are the Ready pods of one EndpointSlice.
type endpoints struct {
	name, service string
	pods          []string // names
}

// sliced is what a follower knows of the EndpointSlices of its namespace, which it watches once somebody asks for them.
type sliced struct {
	asked  chan struct{}
	once   sync.Once
	slices map[string]endpoints // by name; guarded as all that the follower knows
	listed bool
}

// Endpoints counts the Ready endpoints of a Service that are pods of the template with this hash. None count while the
// Service has others too: then its EndpointSlices are those of another selector. The first call for a namespace that Follow
// is on for begins to watch its EndpointSlices, whose changes wake the owner of the Service.
func (o *Observer) Endpoints(service ID, hash string) int {
	f := o.follower(service.Namespace)
	if f == nil {
		return 0
	}
	f.sliced.once.Do(func() { close(f.sliced.asked) })
	f.mu.RLock()
	defer f.mu.RUnlock()
	if !f.sliced.listed {
		return 0
	}
	var ready []string
	for _, s := range f.sliced.slices {
		if s.service != service.Name {
			continue
		}
		for _, name := range s.pods {
			if f.sets[f.pods[name].owner.Name].hash != hash {
				return 0
			}
			ready = append(ready, name)
		}
	}
	slices.Sort(ready) // a pod stands in one slice for each family of addresses
	return len(slices.Compact(ready))
}

// watchEndpoints watches the EndpointSlices of the namespace, once they are asked for.
func (f *follower) watchEndpoints(ctx context.Context, agent *client) {
	select {
	case <-ctx.Done():
		return
	case <-f.sliced.asked:
	}
	keep(ctx, f, agent, stream[endpoints]{
		reduce: reduceEndpoints, replace: f.replaceEndpoints, put: f.putEndpoints, remove: f.removeEndpoints,
	}, (*client).endpointSlices)
}

func reduceEndpoints(obj runtime.Object) endpoints {
	s, ok := obj.(*discoveryv1.EndpointSlice)
	if !ok {
		return endpoints{}
	}
	r := endpoints{name: s.Name, service: s.Labels[discoveryv1.LabelServiceName]}
	for _, e := range s.Endpoints {
		if ready := e.Conditions.Ready; e.TargetRef != nil && e.TargetRef.Kind == "Pod" && (ready == nil || *ready) {
			r.pods = append(r.pods, e.TargetRef.Name)
		}
	}
	return r
}

// servedBy wakes the owner of a Service.
func (f *follower) servedBy(service string) []wake {
	if o, ok := f.observer.store.get(ID{Kind: "Service", Namespace: f.namespace, Name: service}); ok {
		return []wake{{o.Key, HealthChanged}}
	}
	return nil
}

func (f *follower) putEndpoints(e endpoints) { f.observer.wake(f.keepEndpoints(e)...) }

func (f *follower) keepEndpoints(e endpoints) []wake {
	f.mu.Lock()
	defer f.mu.Unlock()
	was, known := f.sliced.slices[e.name]
	f.sliced.slices[e.name] = e
	if known && slices.Equal(was.pods, e.pods) {
		return nil
	}
	return f.servedBy(e.service)
}

func (f *follower) removeEndpoints(e endpoints) {
	f.mu.Lock()
	delete(f.sliced.slices, e.name)
	f.mu.Unlock()
	f.observer.wake(f.servedBy(e.service)...)
}

func (f *follower) replaceEndpoints(list []endpoints, _ string) {
	f.mu.Lock()
	f.sliced.listed = true
	f.mu.Unlock()
	replaceAll(f, f.sliced.slices, list, func(e endpoints) string { return e.name }, f.keepEndpoints)
}

func (c *client) endpointSlices(namespace string) source {
	r := c.discovery.EndpointSlices(namespace)
	return source{
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return r.List(ctx, o) },
		watch: r.Watch,
	}
}

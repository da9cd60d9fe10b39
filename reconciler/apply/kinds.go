package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

// errNoKind: the cluster does not serve a kind.
var errNoKind = errors.New("no such kind")

// kinds remembers what the cluster serves, and asks again when somebody wants a kind that is not there.
type kinds struct {
	discovery *discovery.DiscoveryClient
	turn      chan struct{} // whoever fills it may ask
	limit     flowcontrol.RateLimiter
	last      atomic.Pointer[served]
}

func newKinds(ctx context.Context, config *rest.Config, client *http.Client) (*kinds, error) {
	dc, err := discovery.NewDiscoveryClientForConfigAndClient(config, client)
	if err != nil {
		return nil, err
	}
	// Once a second is soon enough for a definition that has just been applied, and bounds what a thousand
	// applications cost whose definition is missing.
	k := &kinds{discovery: dc, turn: make(chan struct{}, 1), limit: flowcontrol.NewTokenBucketRateLimiter(1, 5)}
	return k, k.reload(ctx, nil, atOnce)
}

func atOnce(context.Context) error { return nil }

// find returns how a kind is asked for. One that is not known is asked for anew, so that errNoKind is never older
// than the question.
func (k *kinds) find(ctx context.Context, gvk schema.GroupVersionKind) (kind, error) {
	began := time.Now()
	for {
		s := k.last.Load()
		if found, ok := s.kinds[gvk]; ok {
			return found, nil
		}
		if s.asked.After(began) {
			if err := s.failed[gvk.Group]; err != nil {
				return kind{}, fmt.Errorf("ask for the kinds of %q: %w", gvk.Group, err)
			}
			return kind{}, errNoKind
		}
		if err := k.reload(ctx, s, k.limit.Wait); err != nil {
			return kind{}, err
		}
	}
}

// findAny is find for a kind whose version may be served no more.
func (k *kinds) findAny(ctx context.Context, gvk schema.GroupVersionKind) (kind, error) {
	preferred := func() schema.GroupVersionKind {
		return gvk.GroupKind().WithVersion(k.last.Load().preferred[gvk.GroupKind()])
	}
	if gvk.Version == "" {
		gvk = preferred()
	}
	found, err := k.find(ctx, gvk)
	if errors.Is(err, errNoKind) && preferred() != gvk {
		return k.find(ctx, preferred())
	}
	return found, err
}

// forget drops a kind that turned out not to be served, so that it is asked for anew.
func (k *kinds) forget(gk schema.GroupKind) {
	before := k.last.Load()
	after := *before
	after.kinds, after.preferred = maps.Clone(before.kinds), maps.Clone(before.preferred)
	maps.DeleteFunc(after.kinds, func(gvk schema.GroupVersionKind, _ kind) bool { return gvk.GroupKind() == gk })
	delete(after.preferred, gk)
	k.last.CompareAndSwap(before, &after)
}

// reload asks the cluster when it may, unless somebody else has since the answer before.
func (k *kinds) reload(ctx context.Context, before *served, may func(context.Context) error) error {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if k.last.Load() != before {
		return nil
	}
	if err := may(ctx); err != nil {
		return fmt.Errorf("wait to ask for kinds: %w", err)
	}
	s, err := ask(ctx, k.discovery)
	if err != nil {
		return err
	}
	k.last.Store(s)
	return nil
}

// Refresh asks the cluster anew what it serves, for [Cluster.Version] and [Cluster.APIVersions], unless it was asked
// after a time. It is asked anyway when a kind is wanted that is not known.
func (c *Cluster) Refresh(ctx context.Context, since time.Time) error {
	if now := time.Now(); since.After(now) {
		since = now
	}
	for {
		last := c.kinds.last.Load()
		if last.asked.After(since) {
			return nil
		}
		if err := c.kinds.reload(ctx, last, atOnce); err != nil {
			return err
		}
	}
}

// Version is the version of Kubernetes, such as "v1.36.3".
func (c *Cluster) Version() string { return c.kinds.last.Load().version }

// APIVersions is what the cluster serves, as a chart's Capabilities list wants it: "apps/v1" and
// "apps/v1/Deployment", sorted.
func (c *Cluster) APIVersions() []string { return slices.Clone(c.kinds.last.Load().names) }

// Kind reports whether a kind is known to be served. It asks nobody.
func (c *Cluster) Kind(gvk schema.GroupVersionKind) bool {
	_, ok := c.kinds.last.Load().kinds[gvk]
	return ok
}

// Namespaced reports whether objects of a kind lie in namespaces. It asks nobody; a kind that is not known is an
// error.
func (c *Cluster) Namespaced(gvk schema.GroupVersionKind) (bool, error) {
	_, namespaced, err := c.Resource(gvk)
	return namespaced, err
}

// Resource returns the resource of a kind, and whether it lies in namespaces. It asks nobody; a kind that is not
// known is an error.
func (c *Cluster) Resource(gvk schema.GroupVersionKind) (schema.GroupVersionResource, bool, error) {
	known, ok := c.kinds.last.Load().kinds[gvk]
	if !ok {
		return schema.GroupVersionResource{}, false, fmt.Errorf("look up kind %q: %w", gvk.GroupVersion().String()+" "+gvk.Kind, errNoKind)
	}
	return known.resource, known.namespaced, nil
}

// Scoped returns the objects with the namespace taken from those whose kind is known to have none, so that their IDs
// are those of the live objects. A renderer cannot know for kinds that are defined elsewhere. Nothing given is
// changed.
func (c *Cluster) Scoped(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	made := slices.Clone(objects)
	s := c.kinds.last.Load()
	for i, obj := range made {
		known, ok := s.kinds[obj.GroupVersionKind()]
		if ok && !known.namespaced && obj.GetNamespace() != "" {
			made[i] = &unstructured.Unstructured{Object: cleaned(obj.Object)}
			made[i].SetNamespace("")
		}
	}
	return made
}

package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"

	"github.com/sluice-cd/sluice/e2e/world"
)

// gateway plays the controller of an HTTPRoute's parent: it accepts each generation at once, but those that it is to
// refuse. Of a VirtualService it says nothing, as Istio.
type gateway struct {
	s    *world.Story
	kind string

	mu       sync.Mutex
	refused  func(weights string) bool
	accepted map[string]time.Time // by weights, the last time
}

func playGateway(t *testing.T, s *world.Story, kind string) *gateway {
	g := &gateway{s: s, kind: kind, refused: func(string) bool { return false }, accepted: map[string]time.Time{}}
	if kind != "HTTPRoute" {
		return g
	}
	ctx, cancel := context.WithCancel(t.Context())
	routes := s.Cluster.Resource(kind, s.Staging)
	events, err := routes.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var playing sync.WaitGroup
	playing.Go(func() {
		for range events.ResultChan() {
			if err := g.accept(ctx); err != nil && ctx.Err() == nil {
				t.Errorf("accept the route: %v", err)
			}
		}
	})
	t.Cleanup(func() { cancel(); playing.Wait() })
	return g
}

// refuse leaves routes that send so without a word from now on, and accepts all others.
func (g *gateway) refuse(t *testing.T, refused func(weights string) bool) {
	t.Helper()
	g.mu.Lock()
	g.refused = refused
	g.mu.Unlock()
	if g.kind != "HTTPRoute" {
		return
	}
	if err := g.accept(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// accept says what a parent says of the route as it is now.
func (g *gateway) accept(ctx context.Context) error {
	routes := g.s.Cluster.Resource(g.kind, g.s.Staging)
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		route, err := routes.Get(ctx, "shop", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		generation := route.GetGeneration()
		seen := world.Field(route, "status", "parents", "0", "conditions", "0", "observedGeneration")
		if g.refused(weightsOf(route)) || seen == fmt.Sprint(generation) {
			return nil
		}
		condition := func(kind string) any {
			return map[string]any{"type": kind, "status": "True", "reason": kind, "message": "", "observedGeneration": generation,
				"lastTransitionTime": time.Now().UTC().Format(time.RFC3339)}
		}
		parents, _, _ := unstructured.NestedSlice(route.Object, "spec", "parentRefs")
		route.Object["status"] = map[string]any{"parents": []any{map[string]any{
			"controllerName": "example.com/gateway", "parentRef": parents[0],
			"conditions": []any{condition("Accepted"), condition("ResolvedRefs")},
		}}}
		_, err = routes.UpdateStatus(ctx, route, metav1.UpdateOptions{FieldManager: "gateway"})
		if err == nil {
			g.accepted[weightsOf(route)] = time.Now()
		}
		return err
	})
}

// at is when a route that sends so was last accepted.
func (g *gateway) at(weights string) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.accepted[weights]
}

// await waits until the route sends so.
func (g *gateway) await(t *testing.T, weights string) {
	t.Helper()
	route := g.s.Object(g.kind, "staging")
	g.s.Cluster.AwaitObject(t, world.Patience, "the route sends to "+weights, route, func(o *unstructured.Unstructured) error {
		if o == nil {
			return errors.New("it is not there")
		}
		if got := weightsOf(o); got != weights {
			return fmt.Errorf("it sends to %s", got)
		}
		return nil
	})
}

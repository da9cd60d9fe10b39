package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// kind is the shared watch of one kind. Its goroutine runs from Watch until the end, or until the server turns
// out not to have the kind.
type kind struct {
	observer     *Observer
	gvk          schema.GroupVersionKind
	gvr          schema.GroupVersionResource
	namespaced   bool
	metadataOnly bool
	changed      chan struct{} // a namespace was added, or the kind is gone

	mu      sync.Mutex
	running bool
	stopped time.Time         // when it was given up
	scopes  map[string]*scope // by namespace; everywhere is always there
	waiters map[waiter]struct{}
}

// again is how soon, at most, a kind or a right that was refused is asked for anew.
const (
	againKind  = 2 * time.Second  // each call of Watch may ask, and passes call it often
	againRight = 10 * time.Minute // rights change seldom
)

func newKind(o *Observer, gvk schema.GroupVersionKind, gvr schema.GroupVersionResource, namespaced bool) *kind {
	return &kind{
		observer: o, gvk: gvk, gvr: gvr, namespaced: namespaced,
		metadataOnly: o.config.MetadataOnly(gvk.GroupKind()), changed: make(chan struct{}, 1),
		scopes: map[string]*scope{everywhere: {}}, waiters: map[waiter]struct{}{},
	}
}

// ask registers who watches a namespace when the agent may not, and reports whether run must be started.
func (k *kind) ask(namespace string, fallback *rest.Config) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if namespace != everywhere && fallback != nil {
		if k.scopes[namespace] == nil {
			k.scopes[namespace] = &scope{}
			poke(k.changed)
		}
		k.scopes[namespace].fallback = fallback
	}
	start := !k.running
	k.running = true
	return start
}

// retry reports whether the kind was given up and is to run again.
func (k *kind) retry() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	start := !k.running
	k.running = true
	k.stopped = time.Time{}
	return start
}

func (k *kind) run(ctx context.Context, agent *client) {
	k.mu.Lock()
	left := time.Until(k.stopped.Add(againKind))
	k.mu.Unlock()
	err := sleep(ctx, left)
	for err == nil {
		if err = k.watch(ctx, agent, everywhere); ctx.Err() == nil && apierrors.IsForbidden(err) {
			err = k.narrow(ctx, agent)
		}
	}
	if ctx.Err() == nil {
		k.giveUp(err)
	}
}

// watch watches one scope until that cannot go on.
func (k *kind) watch(ctx context.Context, c *client, namespace string) error {
	in := namespace
	if !k.namespaced {
		in = everywhere
	}
	s := stream[Object]{
		source: c.resource(k.gvr, in, k.metadataOnly),
		labels: LabelAgent + "=" + k.observer.config.Agent,
		reduce: k.reduce,
		replace: func(list []Object, rv string) {
			mine := slices.DeleteFunc(list, k.seenElsewhere)
			k.observer.wake(k.observer.store.replace(k.gvk, in, mine, rv)...)
			k.listed(namespace, rv)
			for _, o := range mine {
				k.define(o)
			}
		},
		put: func(o Object) {
			if !k.seenElsewhere(o) {
				k.observer.wake(k.observer.store.put(o)...)
				k.define(o)
			}
		},
		remove: func(o Object) { k.observer.wake(k.observer.store.remove(o)...) },
		at:     func(rv string) { k.set(namespace, func(s *scope) { s.upTo = rv }) },
		failed: func(err error) { k.failed(namespace, err) },
	}
	err := s.run(ctx)
	k.set(namespace, func(s *scope) { s.synced = false })
	return err
}

// narrow watches the registered namespaces as their fallbacks, until the agent may watch the kind everywhere
// (nil) or the kind is gone.
func (k *kind) narrow(ctx context.Context, agent *client) error {
	inner, cancel := context.WithCancelCause(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel(nil)
	probe := time.NewTicker(againRight)
	defer probe.Stop()
	k.wakeUncovered()
	for {
		for _, namespace := range k.unstarted() {
			group.Go(func() {
				if err := k.keepWatching(inner, namespace); apierrors.IsNotFound(err) {
					cancel(err)
				}
			})
		}
		select {
		case <-inner.Done():
			k.unstart()
			return context.Cause(inner)
		case <-k.changed:
		case <-probe.C:
			source := agent.resource(k.gvr, everywhere, true)
			if _, err := source.list(ctx, metav1.ListOptions{Limit: 1}); err == nil {
				k.unstart()
				return nil
			}
		}
	}
}

// keepWatching watches one namespace as its fallback, and asks again, seldom, while that is forbidden.
func (k *kind) keepWatching(ctx context.Context, namespace string) error {
	for pause := seldom(); ; {
		c, err := newClient(k.fallbackOf(namespace))
		if err == nil {
			err = k.watch(ctx, c, namespace)
		}
		if ctx.Err() != nil || apierrors.IsNotFound(err) {
			return err
		}
		k.failed(namespace, err)
		if err := sleep(ctx, pause.Step()); err != nil {
			return err
		}
	}
}

func (k *kind) fallbackOf(namespace string) *rest.Config {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.scopes[namespace].fallback
}

// unstarted returns the namespaces whose fallback does not run yet, and counts them as started.
func (k *kind) unstarted() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var found []string
	for namespace, s := range k.scopes {
		if namespace != everywhere && !s.started {
			s.started = true
			found = append(found, namespace)
		}
	}
	return found
}

// wakeUncovered wakes those who wait for a namespace that nobody may watch.
func (k *kind) wakeUncovered() {
	k.mu.Lock()
	uncovered := map[string]struct{}{}
	for w := range k.waiters {
		if k.scopes[w.namespace] == nil || w.namespace == everywhere {
			uncovered[w.namespace] = struct{}{}
		}
	}
	k.mu.Unlock()
	for namespace := range uncovered {
		if namespace != everywhere {
			k.wakeWaiters(namespace)
		}
	}
}

func (k *kind) unstart() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.scopes {
		s.started = false
	}
}

func (k *kind) set(namespace string, change func(*scope)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(k.scopes[namespace])
}

func (k *kind) listed(namespace, rv string) {
	first := false
	k.set(namespace, func(s *scope) {
		first = !s.synced
		s.synced, s.upTo, s.fault = true, rv, nil
	})
	if first {
		k.wakeWaiters(namespace)
	}
}

// failed remembers and logs err, unless it is what was met before.
func (k *kind) failed(namespace string, err error) {
	if err == nil || errors.Is(err, context.Canceled) {
		return
	}
	err = fmt.Errorf("watch %s%s: %w", k.gvr.GroupResource(), inNamespace(namespace), err)
	known := false
	k.set(namespace, func(s *scope) {
		known = s.fault != nil && s.fault.Error() == err.Error()
		s.fault = err
	})
	if known {
		return
	}
	k.observer.config.Log.Info("Watch met an error", "kind", k.gvk.Kind, "namespace", namespace, "err", err)
	if namespace != everywhere || !apierrors.IsForbidden(err) { // else the fallbacks' turn comes first
		k.wakeWaiters(namespace)
	}
}

// giveUp forgets what was seen of a kind that the server does not have.
func (k *kind) giveUp(err error) {
	k.failed(everywhere, err)
	k.observer.wake(k.observer.store.replace(k.gvk, everywhere, nil, "")...)
	k.mu.Lock()
	for _, s := range k.scopes {
		s.synced, s.upTo, s.started = false, "", false
	}
	k.running, k.stopped = false, time.Now()
	k.mu.Unlock()
	k.wakeWaiters(everywhere)
	k.observer.config.Log.Info("Watch was given up", "kind", k.gvk.Kind)
}

// reduce makes an Object of what the watch delivers.
func (k *kind) reduce(obj runtime.Object) Object {
	switch live := obj.(type) {
	case *unstructured.Unstructured:
		return Describe(live, k.observer.config.Hash(live))
	case *metav1.PartialObjectMetadata:
		return k.describe(live)
	}
	return Object{}
}

// describe is Describe for an object of which only the metadata is read.
func (k *kind) describe(live *metav1.PartialObjectMetadata) Object {
	o := Object{
		ID: ID{
			Group: k.gvk.Group, Kind: k.gvk.Kind, Namespace: shared(live.Namespace), Name: live.Name,
		},
		Key:     Key{Application: shared(live.Labels[LabelApplication]), Environment: shared(live.Labels[LabelEnvironment])},
		Version: k.gvk.Version, UID: string(live.UID), ResourceVersion: live.ResourceVersion,
		Generation: live.Generation, Status: Current,
	}
	if live.DeletionTimestamp != nil {
		o.Deleting, o.Status, o.Message = true, Terminating, "Resource scheduled for deletion"
	}
	return o
}

// seenElsewhere reports whether the object is known in another version of its kind, which is watched too. Its
// projection is that of the version in which it was applied: taking both would make each event look like drift.
func (k *kind) seenElsewhere(o Object) bool {
	was, known := k.observer.store.get(o.ID)
	if !known || was.Version == o.Version {
		return false
	}
	return k.observer.Synced(schema.GroupVersionKind{Group: o.Group, Version: was.Version, Kind: o.Kind}, o.Namespace)
}

// define lets waiting kinds know of a definition that is established.
func (k *kind) define(o Object) {
	if o.kind() == definitionKind && o.Status == Current {
		k.observer.defined(o.Name)
	}
}

func inNamespace(namespace string) string {
	if namespace == everywhere {
		return ""
	}
	return fmt.Sprintf(" in namespace %q", namespace)
}

package rollout

import (
	"cmp"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// Watch makes sure that the objects of a kind are watched, and returns at once. All callers share one watch of
// the kind, in the whole cluster, as the agent. Where the agent may not watch it, namespace is watched as
// fallback, which the newest call for a namespace decides; nil: not at all. For a kind that is not namespaced,
// fallback watches it whole.
//
// A kind that the server does not have, or no longer, is given up quietly. A further call tries it again.
func (o *Observer) Watch(gvk schema.GroupVersionKind, gvr schema.GroupVersionResource, namespaced bool, namespace string, fallback *rest.Config) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if fallback != nil {
		o.fallbacks[namespace] = fallback
	}
	k := o.kinds[gvk]
	if k == nil {
		k = newKind(o, gvk, gvr, namespaced)
		o.kinds[gvk] = k
	}
	if k.ask(namespace, fallback) {
		o.start(k.run)
	}
}

// Synced reports whether all objects of the kind in namespace were seen, so that absence means absence.
func (o *Observer) Synced(gvk schema.GroupVersionKind, namespace string) bool {
	k := o.kind(gvk)
	return k != nil && k.synced(namespace)
}

// Await is Synced, and where it is false sees to it that key is woken once, with Definitions, when that may have
// changed: the kind is there, or its watch met a fault. Without Watch before it, nothing ever wakes the key.
func (o *Observer) Await(key Key, gvk schema.GroupVersionKind, namespace string) bool {
	k := o.kind(gvk)
	return k != nil && k.await(key, namespace)
}

// Fault says why the kind is not seen in namespace: that it is forbidden, or unknown to the server, or what the
// last try met. Nil: it is, or was not tried yet.
func (o *Observer) Fault(gvk schema.GroupVersionKind, namespace string) error {
	if k := o.kind(gvk); k != nil {
		return k.trouble(namespace)
	}
	return nil
}

func (o *Observer) kind(gvk schema.GroupVersionKind) *kind {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kinds[gvk]
}

// defined starts the kinds again that were given up and that a definition now names, and wakes their waiters.
func (o *Observer) defined(definition string) {
	o.mu.Lock()
	var again []*kind
	for _, k := range o.kinds {
		if k.gvr.GroupResource().String() == definition && k.retry() {
			again = append(again, k)
			o.start(k.run)
		}
	}
	o.mu.Unlock()
	for _, k := range again {
		k.wakeWaiters(everywhere)
	}
}

// fallback returns the identity that was last registered for a namespace, or nil.
func (o *Observer) fallback(namespace string) *rest.Config {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fallbacks[namespace]
}

// everywhere is the scope of a cluster-wide watch.
const everywhere = ""

// scope is what one watch of a kind covers: a namespace, or everywhere.
type scope struct {
	fallback *rest.Config // of a namespace: who watches it when the agent may not
	synced   bool
	upTo     string // resource version up to which everything was seen
	fault    error
	started  bool // of a namespace: its fallback runs
}

func (s scope) seen() string {
	if !s.synced {
		return ""
	}
	return s.upTo
}

// best returns the scope that covers namespace.
func (k *kind) best(namespace string) *scope {
	wide := k.scopes[everywhere]
	if local := k.scopes[namespace]; !wide.synced && local != nil {
		return local
	}
	return wide
}

func (k *kind) synced(namespace string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.best(namespace).synced
}

func (k *kind) seenUpTo(namespace string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.best(namespace).seen()
}

func (k *kind) trouble(namespace string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.best(namespace)
	if s.synced {
		return nil
	}
	return cmp.Or(s.fault, k.scopes[everywhere].fault)
}

func (k *kind) await(key Key, namespace string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.best(namespace).synced {
		return true
	}
	k.waiters[waiter{key, namespace}] = struct{}{}
	return false
}

// waiter is a key that wants to know when a kind is seen in a namespace.
type waiter struct {
	key       Key
	namespace string
}

// wakeWaiters wakes those of a namespace, or all.
func (k *kind) wakeWaiters(namespace string) {
	k.mu.Lock()
	var wakes []wake
	for w := range k.waiters {
		if namespace == everywhere || w.namespace == namespace {
			wakes = append(wakes, wake{w.key, Definitions})
			delete(k.waiters, w)
		}
	}
	k.mu.Unlock()
	k.observer.wake(wakes...)
}

package rollout

import (
	"context"
	"maps"
	"reflect"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Follow with on watches the Pods, ReplicaSets and warnings of namespace, so that Diagnose knows them and their
// changes wake the workloads' owners, until it was called as often without. It returns at once, and begins after
// [Config.Grace] and in its turn, see turns. Where the agent may not read them, they are read as the newest fallback that
// Watch got for the namespace.
func (o *Observer) Follow(namespace string, on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.followers[namespace]
	switch {
	case on && f == nil:
		f = newFollower(o, namespace)
		o.followers[namespace] = f
		o.start(f.run)
	case on:
		f.users++
	case f != nil && f.users > 1:
		f.users--
	case f != nil:
		delete(o.followers, namespace)
		close(f.done)
	}
}

func (o *Observer) follower(namespace string) *follower {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.followers[namespace]
}

// follower keeps what is needed to explain the workloads of one namespace.
type follower struct {
	observer  *Observer
	namespace string
	users     int           // how often it was asked for; guarded by the Observer
	done      chan struct{} // closed when nobody asks any more
	alarm     chan struct{} // due changed
	hurry     chan struct{} // closed when nobody is to wait for the grace
	hurried   sync.Once

	mu         sync.RWMutex
	pods       map[string]pod // by name
	sets       map[string]replicaSet
	listed     bool               // sets are all that there are
	podsListed bool               // pods are
	warnings   map[string]warning // by the Event's name
	sliced     sliced
	due        map[string]time.Time // pods whose findings will change by waiting alone
}

func newFollower(o *Observer, namespace string) *follower {
	return &follower{
		observer: o, namespace: namespace,
		users: 1, done: make(chan struct{}), alarm: make(chan struct{}, 1), hurry: make(chan struct{}),
		pods: map[string]pod{}, sets: map[string]replicaSet{}, warnings: map[string]warning{}, due: map[string]time.Time{},
		sliced: sliced{asked: make(chan struct{}), slices: map[string]endpoints{}},
	}
}

func (f *follower) run(ctx context.Context, agent *client) {
	if !f.await(ctx) {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	group.Go(func() {
		keep(ctx, f, agent, stream[replicaSet]{
			reduce: reduceReplicaSet, replace: f.replaceSets, put: f.putSet, remove: f.removeSet,
		}, (*client).replicaSets)
	})
	group.Go(func() {
		keep(ctx, f, agent, stream[pod]{
			reduce: reducePod, replace: f.replacePods, put: f.putPod, remove: f.removePod,
		}, (*client).pods)
	})
	group.Go(func() {
		keep(ctx, f, agent, stream[warning]{
			fields: "type=Warning",
			reduce: reduceEvent, replace: f.replaceWarnings, put: f.putWarning, remove: f.removeWarning,
		}, (*client).events)
	})
	group.Go(func() { f.watchEndpoints(ctx, agent) })
	f.ring(ctx)
}

// turns and turnTakes let ten namespaces begin at once, and five a second after those. Where hundreds are released together
// they are slow because of each other, and most are well before their turn: three watches for each would be the larger part
// of the work.
const (
	turns     = 10
	turnTakes = 2 * time.Second
)

// await returns when the namespace is to be watched; false: not any more.
func (f *follower) await(ctx context.Context) bool {
	grace := time.NewTimer(f.observer.config.Grace)
	defer grace.Stop()
	turn := f.observer.turns
	if f.observer.config.Grace > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-f.done:
			return false
		case <-f.hurry:
			return true
		case <-grace.C:
		}
	}
	select {
	case <-ctx.Done():
		return false
	case <-f.done:
		return false
	case <-f.hurry:
	case turn <- struct{}{}:
		time.AfterFunc(turnTakes, func() { <-turn })
	}
	return true
}

// keep runs a stream as the agent, or where that is forbidden as the namespace's fallback, until ctx ends.
func keep[T any](ctx context.Context, f *follower, agent *client, s stream[T], from func(*client, string) source) {
	said := ""
	s.at = func(string) {}
	s.failed = func(err error) {
		if err.Error() != said {
			said = err.Error()
			f.observer.config.Log.Info("Watch met an error", "namespace", f.namespace, "err", err)
		}
	}
	for pause := seldom(); ; {
		s.source = from(agent, f.namespace)
		err := s.run(ctx)
		if fallback := f.observer.fallback(f.namespace); apierrors.IsForbidden(err) && fallback != nil {
			var c *client
			if c, err = newClient(fallback); err == nil {
				s.source = from(c, f.namespace)
				err = s.run(ctx)
			}
		}
		if ctx.Err() != nil {
			return
		}
		s.failed(err)
		if sleep(ctx, pause.Step()) != nil {
			return
		}
	}
}

// ring wakes the owners of pods when what is said of them changes by waiting alone.
func (f *follower) ring(ctx context.Context) {
	for {
		timer := time.NewTimer(f.untilDue())
		select {
		case <-ctx.Done():
		case <-f.done:
		case <-f.alarm:
			timer.Stop()
			continue
		case <-timer.C:
			f.observer.wake(f.overdue()...)
			continue
		}
		timer.Stop()
		return
	}
}

// untilDue is the time until the first pod is due; very long if none is.
func (f *follower) untilDue() time.Duration {
	f.mu.RLock()
	defer f.mu.RUnlock()
	first := 24 * time.Hour
	for _, at := range f.due {
		first = min(first, at.Sub(f.observer.config.Now()))
	}
	return max(first, time.Millisecond)
}

func (f *follower) overdue() []wake {
	f.mu.Lock()
	defer f.mu.Unlock()
	var wakes []wake
	now := f.observer.config.Now()
	for name, at := range f.due {
		if at.After(now) {
			continue
		}
		delete(f.due, name)
		wakes = append(wakes, f.ownerOf(f.pods[name].owner)...)
	}
	return wakes
}

// ownerOf wakes the key of the workload behind a controller: a ReplicaSet's is its Deployment. The caller
// holds f.mu.
func (f *follower) ownerOf(c owner) []wake {
	if set, ok := f.sets[c.Name]; ok && set.uid == c.uid && set.owner.uid != "" {
		c = set.owner
	}
	if o, ok := f.observer.store.get(c.ID); ok && o.UID == c.uid {
		return []wake{{o.Key, HealthChanged}}
	}
	return nil
}

func (f *follower) putPod(p pod) { f.observer.wake(f.keepPod(p)...) }

func (f *follower) keepPod(p pod) []wake {
	f.mu.Lock()
	defer f.mu.Unlock()
	if reflect.DeepEqual(f.pods[p.Name], p) {
		return nil
	}
	f.pods[p.Name] = p
	f.schedule(p)
	return f.ownerOf(p.owner)
}

// schedule notes when findings about p will change by waiting alone. The caller holds f.mu.
func (f *follower) schedule(p pod) {
	for _, finding := range f.examine(p) {
		if finding.After > 0 {
			f.due[p.Name] = f.observer.config.Now().Add(finding.After)
			poke(f.alarm)
		}
	}
}

func (f *follower) removePod(p pod) {
	f.mu.Lock()
	delete(f.pods, p.Name)
	delete(f.due, p.Name)
	wakes := f.ownerOf(p.owner)
	f.mu.Unlock()
	f.observer.wake(wakes...)
}

func (f *follower) replacePods(list []pod, _ string) {
	replaceAll(f, f.pods, list, func(p pod) string { return p.Name }, f.keepPod)
	f.mu.Lock()
	f.podsListed = true
	var wakes []wake
	for _, p := range f.pods {
		wakes = append(wakes, f.ownerOf(p.owner)...)
	}
	f.mu.Unlock()
	f.observer.wake(wakes...)
}

func (f *follower) putSet(s replicaSet) { f.observer.wake(f.keepSet(s)...) }

func (f *follower) keepSet(s replicaSet) []wake {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sets[s.Name] == s {
		return nil
	}
	f.sets[s.Name] = s
	return f.ownerOf(s.owner)
}

func (f *follower) removeSet(s replicaSet) {
	f.mu.Lock()
	delete(f.sets, s.Name)
	wakes := f.ownerOf(s.owner)
	f.mu.Unlock()
	f.observer.wake(wakes...)
}

func (f *follower) replaceSets(list []replicaSet, _ string) {
	replaceAll(f, f.sets, list, func(s replicaSet) string { return s.Name }, f.keepSet)
	f.mu.Lock()
	f.listed = true
	var wakes []wake
	for _, s := range f.sets {
		wakes = append(wakes, f.ownerOf(s.owner)...)
	}
	f.mu.Unlock()
	f.observer.wake(wakes...)
}

func (f *follower) putWarning(w warning) { f.observer.wake(f.keepWarning(w)...) }

// keepWarning wakes somebody only for what was not said of the object before.
func (f *follower) keepWarning(w warning) []wake {
	f.mu.Lock()
	defer f.mu.Unlock()
	was, known := f.warnings[w.name]
	f.warnings[w.name] = w
	if known && was.message == w.message && was.reason == w.reason {
		return nil
	}
	if p, ok := f.pods[w.about.Name]; ok && p.uid == w.uid {
		f.schedule(p)
		return f.ownerOf(p.owner)
	}
	return f.ownerOf(owner{ID: w.about, uid: w.uid})
}

func (f *follower) removeWarning(w warning) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.warnings, w.name)
}

func (f *follower) replaceWarnings(list []warning, _ string) {
	replaceAll(f, f.warnings, list, func(w warning) string { return w.name }, f.keepWarning)
}

// replaceAll keeps what is listed and forgets the rest.
func replaceAll[T any](f *follower, m map[string]T, list []T, name func(T) string, keep func(T) []wake) {
	listed := map[string]struct{}{}
	var wakes []wake
	for _, item := range list {
		listed[name(item)] = struct{}{}
		wakes = append(wakes, keep(item)...)
	}
	f.mu.Lock()
	maps.DeleteFunc(m, func(name string, _ T) bool { _, ok := listed[name]; return !ok })
	f.mu.Unlock()
	f.observer.wake(wakes...)
}

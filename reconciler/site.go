package reconciler

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/rollout"
	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/cache"
)

// site is one target cluster and all that the agent has open to it. It connects by itself, as often as it
// takes, and is ready once the agent holds its lease there and has read its state.
type site struct {
	agent *Agent
	ref   config.ClusterRef
	name  string // for people
	log   *slog.Logger

	rest     *rest.Config
	core     typed.CoreV1Interface
	apply    *apply.Cluster
	observer *rollout.Observer
	store    *store
	maker    record.Maker
	uid      string
	kept     *cache.Keyed // renders of former processes; nil: none are kept

	contact contact

	mu         sync.Mutex
	shape      render.Capabilities
	isReady    bool
	readySince time.Time    // of isReady being what it is
	initial    map[Key]held // as they were at the start, each handed out once
	stored     map[Key]bool // who had a state at the start that no heir has taken over since
	handed     map[Key]bool // whose state was handed out since

	searching sync.Mutex
	found     map[Key]possessions // what carries our labels, searched when a state is missing
	asked     map[Key]bool        // who got its part of it
}

// followAfter is when the pods of a release are watched that is not well yet: sooner than that a fault is seldom told
// from a start, and three watches for each namespace are a sixth of all requests of a first deployment.
const followAfter = 3 * time.Second

func newSite(a *Agent, ref config.ClusterRef) *site {
	name := "local"
	if ref.Context != "" {
		name = ref.Context
	}
	s := &site{agent: a, ref: ref, name: name, log: a.log.With("cluster", name)}
	s.contact.changed = a.view.changes.note
	return s
}

func (s *site) ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isReady
}

// run connects, takes the lease, and watches until ctx ends or the lease is lost, which is an error.
func (s *site) run(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	return s.lead(ctx, func(ctx context.Context) error {
		var running sync.WaitGroup
		running.Go(func() { _ = s.observer.Run(ctx) })
		defer running.Wait()
		if err := s.untilDone(ctx, "State was not read", s.begin); err != nil {
			return err
		}
		running.Go(func() { s.listen(ctx) })
		s.agent.wakeAll(s.remembered())
		<-ctx.Done()
		s.mu.Lock()
		s.isReady, s.readySince = false, s.agent.now() // where the lease is lost, no pass begins any more
		s.mu.Unlock()
		return ctx.Err()
	})
}

// connect reaches the cluster for the first time, however long that takes.
func (s *site) connect(ctx context.Context) error {
	return s.untilDone(ctx, "Cluster was not reached", func(ctx context.Context) error {
		ref := s.ref
		if ref == (config.ClusterRef{}) && s.agent.kubeconfig != "" {
			ref.Kubeconfig = s.agent.kubeconfig
		}
		conf, err := config.RestConfig(ref)
		if err != nil {
			return err
		}
		conf.QPS, conf.UserAgent = -1, "sluice"
		s.agent.metrics.counted(conf, s.name)
		s.contact.heard(conf, s.agent.now)
		return s.open(ctx, conf)
	})
}

func (s *site) open(ctx context.Context, conf *rest.Config) error {
	core, err := typed.NewForConfig(conf)
	if err != nil {
		return err
	}
	signer, err := signingKey(ctx, core.Secrets(s.agent.config.StateNamespace), s.agent.name)
	if err != nil {
		return err
	}
	cluster, err := apply.New(ctx, apply.Config{REST: conf, Agent: s.agent.name, HashKey: hashKey(signer)})
	if err != nil {
		return err
	}
	uid, err := cluster.UID(ctx)
	if err != nil {
		return err
	}
	s.rest, s.core, s.apply, s.uid = conf, core, cluster, uid
	s.shape = render.Capabilities{KubeVersion: cluster.Version(), APIVersions: cluster.APIVersions()}
	s.maker = record.Maker{Signer: signer}
	if s.agent.kept != nil {
		s.kept = s.agent.kept.With(renderKey(signer), s.agent.renderer)
	}
	s.store = &store{secrets: core.Secrets(s.agent.config.StateNamespace), namespace: s.agent.config.StateNamespace, agent: s.agent.name, cluster: uid}
	s.observer = rollout.New(rollout.Config{
		REST: conf, Agent: s.agent.name, Hash: cluster.Hash, Log: s.log,
		Wake: s.wake, Grace: followAfter,
	})
	return nil
}

// untilDone tries until it succeeds or ctx ends, with back-off; an error is logged when it changes.
func (s *site) untilDone(ctx context.Context, failed string, try func(context.Context) error) error {
	said := ""
	for wait := firstRetry; ; wait = min(2*wait, 30*time.Second) {
		err := try(ctx)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		s.contact.tell(s.agent.now(), err)
		if text := err.Error(); text != said {
			said = text
			s.log.Error("Cluster is not ready", "reason", failed, "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// begin reads all state in one request, and removes manifests that a process which died wrote for nothing.
func (s *site) begin(ctx context.Context) error {
	all, err := s.store.all(ctx)
	if err != nil {
		return err
	}
	manifests, err := s.listManifests(ctx)
	if err != nil {
		return err
	}
	for _, name := range orphans(manifests, all) {
		if err := s.store.forget(ctx, name); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.initial, s.stored, s.handed, s.isReady, s.readySince = all, map[Key]bool{}, map[Key]bool{}, true, s.agent.now()
	s.agent.view.changes.note()
	for k := range all {
		s.stored[k] = true
	}
	return nil
}

// wake is told by the watches.
func (s *site) wake(k rollout.Key, why rollout.Reason) {
	if why == rollout.DriftCandidate || why == rollout.Deleted {
		s.agent.target(Key(k)).notice(s.agent.now())
	}
	s.agent.queue.Add(Key(k))
}

// remembered are the keys that had state at the start: Git may have lost some.
func (s *site) remembered() []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.initial))
}

// leftBehind is the state of an earlier key that was still there at the start, since a process died before it deleted
// it: the first time. Its own key may have been handed it before the earlier name was known to be one.
func (s *site) leftBehind(ctx context.Context, former Key) (Saved, error) {
	s.mu.Lock()
	h, fresh := s.initial[former]
	there := s.stored[former]
	s.mu.Unlock()
	if !there {
		return Saved{}, nil
	}
	if !fresh {
		var err error
		if h, err = s.store.load(ctx, former); err != nil {
			return Saved{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.initial, former)
	delete(s.stored, former)
	return h.saved, nil
}

// state returns a key's saved state: the first time as it was read at the start, later anew. Where this agent had none
// then, another may have: it is found out when the state is created, which fails, and is read the second time.
func (s *site) state(ctx context.Context, k Key) (held, error) {
	s.mu.Lock()
	h, ok := s.initial[k]
	first := !s.handed[k]
	delete(s.initial, k)
	s.handed[k] = true
	s.mu.Unlock()
	if ok || first {
		return h, nil
	}
	return s.store.load(ctx, k)
}

func (s *site) capabilities() render.Capabilities {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shape
}

// reshape asks the cluster anew what it serves, where that is known from before a time. Charts may ask for it, so
// everybody looks again where it changed; a cluster that does not answer has not.
func (s *site) reshape(ctx context.Context, since time.Time) {
	if err := s.apply.Refresh(ctx, since); err != nil {
		return
	}
	s.mu.Lock()
	fresh := render.Capabilities{KubeVersion: s.apply.Version(), APIVersions: s.apply.APIVersions()}
	same := s.shape.KubeVersion == fresh.KubeVersion && slices.Equal(s.shape.APIVersions, fresh.APIVersions)
	s.shape = fresh
	s.mu.Unlock()
	if !same {
		s.agent.wakeAll(nil)
	}
}

// watch makes sure that the kind of an owned object is watched.
func (s *site) watch(e apply.Entry, namespace, account string) {
	kind := e.GVK()
	if e.Namespace != "" {
		namespace = e.Namespace
	}
	resource, namespaced, err := s.apply.Resource(kind)
	if err != nil {
		return // a kind that is not served has no objects; it is watched when it comes back
	}
	s.observer.Watch(kind, resource, namespaced, namespace, s.apply.Impersonated(account))
}

// synced reports whether a watch has listed all objects of an entry's kind, so that absence means absence.
func (s *site) synced(e apply.Entry, namespace string) bool {
	if e.Namespace != "" {
		namespace = e.Namespace
	}
	return s.observer.Synced(e.GVK(), namespace)
}

// await reports whether a watch has listed all objects of an entry's kind; if not, the key is woken when it has.
func (s *site) await(k Key, e apply.Entry, namespace string) bool {
	if e.Namespace != "" {
		namespace = e.Namespace
	}
	return s.observer.Await(rollout.Key(k), e.GVK(), namespace)
}

// fault says why a watch does not show an entry's kind.
func (s *site) fault(e apply.Entry, namespace string) error {
	if e.Namespace != "" {
		namespace = e.Namespace
	}
	return s.observer.Fault(e.GVK(), namespace)
}

// note tells the watches the answer of an apply, so that its own echo wakes nobody.
func (s *site) note(k Key, live *unstructured.Unstructured) {
	seen := rollout.Describe(live, s.apply.Hash(live))
	seen.Key = rollout.Key(k)
	s.observer.Note(seen)
}

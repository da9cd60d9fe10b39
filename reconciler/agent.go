package reconciler

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/workqueue"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// Config is what an agent is made of.
type Config struct {
	Agent *config.Agent
	// Kubeconfig is the cluster that the agent itself is in, for environments that name no cluster of their
	// own; empty means that it runs in a pod.
	Kubeconfig string
	// Identity tells two processes of one name apart in the lease; empty: made once and kept in DataDir.
	Identity string
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// Agent reconciles. Make it with New, and call Run once.
type Agent struct {
	config       *config.Agent
	rulesVersion string
	kubeconfig   string
	name         string
	identity     string
	log          *slog.Logger
	now          func() time.Time

	catalog   *catalog
	sites     map[config.ClusterRef]*site
	queue     workqueue.TypedRateLimitingInterface[Key]
	publisher *record.Publisher
	metrics   *metrics
	status    *board

	passes atomic.Int64

	mu      sync.Mutex
	targets map[Key]*target
	core    typed.CoreV1Interface // of the agent's own cluster, once it was needed
}

// New makes an agent. It opens mirrors and reaches nothing over the network.
func New(cfg Config) (*Agent, error) {
	a := &Agent{
		config: cfg.Agent, kubeconfig: cfg.Kubeconfig, name: cfg.Agent.Metadata.Name, identity: cfg.Identity,
		log: cfg.Log, now: time.Now, catalog: &catalog{rules: cfg.Agent}, sites: map[config.ClusterRef]*site{},
		targets: map[Key]*target{}, metrics: newMetrics(cfg.Registry), status: newBoard(),
		rulesVersion: "start",
	}
	a.queue = workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[Key](firstRetry, longestWait))
	a.publisher = a.newPublisher()
	for _, served := range cfg.Agent.Environments {
		if _, ok := a.sites[served.Cluster]; !ok {
			a.sites[served.Cluster] = newSite(a, served.Cluster)
		}
	}
	hosts := gitsource.NewHosts(perHost)
	for _, repo := range cfg.Agent.Repositories {
		src, err := a.open(repo, hosts)
		if err != nil {
			return nil, err
		}
		a.catalog.sources = append(a.catalog.sources, src)
	}
	return a, nil
}

const (
	// perHost is how many connections one Git host gets at once: forges count them for each account.
	perHost = 8
	// firstRetry is the wait after the first passing fault; it doubles up to longestWait.
	firstRetry = 250 * time.Millisecond
)

// Run reconciles until ctx ends or the agent may not go on (its lease was lost). It returns after the last of its
// goroutines.
func (a *Agent) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var running sync.WaitGroup
	publishing, stopPublishing := context.WithCancel(context.WithoutCancel(ctx))
	var published sync.WaitGroup
	published.Go(func() { a.publisher.Run(publishing) })
	for _, s := range a.sites {
		running.Go(func() {
			if err := s.run(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	for _, src := range a.catalog.sources {
		running.Go(func() { src.run(ctx) })
	}
	for range a.config.Concurrency {
		running.Go(func() { a.work(ctx) })
	}
	<-ctx.Done()
	a.queue.ShutDown()
	running.Wait()
	stopPublishing()
	published.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// work takes keys from the queue and passes over them, one at a time.
func (a *Agent) work(ctx context.Context) {
	for {
		key, shutdown := a.queue.Get()
		if shutdown {
			return
		}
		a.pass(ctx, key)
		a.queue.Done(key)
	}
}

// pass makes one pass over a key and decides when the next one is due.
func (a *Agent) pass(ctx context.Context, key Key) {
	t := a.target(key)
	served, ok := a.config.Serves(key.Environment)
	if !ok {
		return
	}
	s := a.sites[served.Cluster]
	if !s.ready() {
		return // its keys are queued when it is
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.mu.Lock()
	t.cancel = cancel
	t.mu.Unlock()
	p := &Pass{Key: key, ID: a.passID(), agent: a, target: t, site: s}
	p.log = a.log.With("app", key.Application, "env", key.Environment, "pass", p.ID)
	began := time.Now()
	out := p.guarded(ctx)
	t.mu.Lock()
	t.cancel = nil
	t.mu.Unlock()
	p.conclude(ctx, out, time.Since(began))
	a.schedule(key, out)
}

// guarded runs a pass; a panic in it is an error of one application.
func (p *Pass) guarded(ctx context.Context) (out Outcome) {
	defer func() {
		if r := recover(); r != nil {
			out = retry(fmt.Errorf("pass panicked: %v", r))
			p.target.loaded, p.target.made = false, nil
		}
	}()
	return p.run(ctx)
}

func (a *Agent) schedule(key Key, out Outcome) {
	switch {
	case out.Verdict == Superseded:
		a.queue.Forget(key)
		a.queue.Add(key)
	case out.Verdict == Retry:
		a.queue.AddRateLimited(key)
	default:
		a.queue.Forget(key)
		if out.After > 0 {
			a.queue.AddAfter(key, out.After)
		}
	}
}

func (a *Agent) target(key Key) *target {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.targets[key]
	if !ok {
		t = &target{key: key}
		a.targets[key] = t
	}
	return t
}

// changed is told of each new snapshot: it wakes the keys that the change concerns, and interrupts their passes.
func (a *Agent) changed(src *source) {
	for _, key := range a.catalog.update(a.serves) {
		found, err := a.catalog.find(key.Application)
		if err == nil && found.source != src {
			continue
		}
		t := a.target(key)
		t.mu.Lock()
		stands := err == nil && t.basis.stands(found, key)
		t.mu.Unlock()
		if !stands {
			t.interrupt()
			a.queue.Add(key)
		}
	}
}

func (a *Agent) serves(environment string) bool {
	_, ok := a.config.Serves(environment)
	return ok
}

// spread gives each agent and moment another share of d, so that slow work does not come all at once.
func (a *Agent) spread(d time.Duration) time.Duration {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", a.name, time.Now().UnixNano())
	return time.Duration(h.Sum64() % uint64(max(d, 1)))
}

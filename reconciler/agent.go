package reconciler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/util/workqueue"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/cache"
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
	// Renderer renders what revisions have; nil: this process itself does.
	Renderer promote.Renderer
	// Renders are what former processes rendered; nil: nothing is kept.
	Renders *cache.Cache
	// Version of the program, for people.
	Version string
}

// Agent reconciles. Make it with New, and call Run once.
type Agent struct {
	config     *config.Agent
	kubeconfig string
	name       string
	identity   string
	log        *slog.Logger
	now        func() time.Time

	renderer   promote.Renderer
	kept       *cache.Cache
	catalog    *catalog
	sites      map[config.ClusterRef]*site
	queue      workqueue.TypedRateLimitingInterface[Key]
	publisher  *record.Publisher
	promoters  []*promoter // one for each repository
	ledgers    []*source   // those that are repositories of their own
	budgets    map[account]*forge.Budget
	notes      *noteReader
	metrics    *metrics
	status     *board
	view       *View
	version    string
	providers  map[string]*provider // by name; the one without a name runs Jobs
	decryption *decryptionKeys
	charts     *elsewhere.Fetcher
	turns      *turns

	passes atomic.Int64
	idle   chan struct{} // closed when the last pass has ended

	mu      sync.Mutex
	targets map[Key]*target
	core    typed.CoreV1Interface // of the agent's own cluster, once it was needed
}

// New makes an agent. It opens mirrors and reaches nothing over the network.
func New(cfg Config) (*Agent, error) {
	a := &Agent{
		config: cfg.Agent, kubeconfig: cfg.Kubeconfig, name: cfg.Agent.Metadata.Name, identity: cfg.Identity,
		log: cfg.Log, now: time.Now, version: cfg.Version, catalog: &catalog{rules: cfg.Agent}, sites: map[config.ClusterRef]*site{},
		targets: map[Key]*target{}, budgets: map[account]*forge.Budget{}, metrics: newMetrics(cfg.Registry), status: newBoard(), idle: make(chan struct{}),
	}
	if a.renderer, a.kept = cfg.Renderer, cfg.Renders; a.renderer == nil {
		a.renderer = render.Here{}
	}
	a.turns = newTurns(a.config.Concurrency)
	a.view, a.decryption = newView(a), newDecryptionKeys(a.ReadCredentials)
	a.notes = &noteReader{metrics: a.metrics, now: time.Now, read: map[noteSet]*noteText{}}
	a.queue = workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[Key](firstRetry, longestWait))
	a.publisher, a.providers = record.New(a.publishing()), a.newProviders()
	var err error
	if a.charts, err = a.newFetcher(); err != nil {
		return nil, err
	}
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
	publishing, stopPublishing := context.WithCancel(context.WithoutCancel(ctx))
	var running, working, published sync.WaitGroup
	published.Go(func() { a.publisher.Run(publishing) })
	for _, s := range a.sites {
		running.Go(func() {
			if err := s.run(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	for _, src := range a.polled() {
		running.Go(func() { src.run(ctx) })
		running.Go(func() { src.statuses.run(ctx) })
	}
	for _, p := range a.promoters {
		running.Go(func() { p.run(ctx) })
	}
	running.Go(func() { a.askers(ctx) })
	running.Go(func() { a.charts.Run(ctx) })
	running.Go(func() { a.view.count(ctx) })
	for range a.config.Concurrency {
		working.Go(func() { a.work(ctx) })
	}
	<-ctx.Done()
	a.queue.ShutDown()
	working.Wait()
	close(a.idle) // the leases may go
	running.Wait()
	stopPublishing()
	published.Wait()
	for _, src := range a.polled() {
		_ = src.git.Close() //nolint:errcheck // the mirror stays as it is
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// polled are the repositories with applications, and the ledgers.
func (a *Agent) polled() []*source { return slices.Concat(a.catalog.sources, a.ledgers) }

// work takes keys from the queue and passes over them, one at a time.
func (a *Agent) work(ctx context.Context) {
	for {
		key, shutdown := a.queue.Get()
		if shutdown {
			return
		}
		if ctx.Err() == nil { // what is left in the queue is for the next process
			a.pass(ctx, key)
		}
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
	t.begin(cancel)
	p := &Pass{Key: key, ID: a.passID(), agent: a, target: t, site: s, Hurry: t.takeHurry()}
	p.log = a.log.With("app", key.Application, "env", key.Environment, "pass", p.ID)
	began := time.Now()
	out := p.guarded(ctx)
	t.end()
	p.conclude(ctx, out, time.Since(began))
	a.schedule(key, out)
}

// guarded runs a pass; a panic in it is an error of one application.
func (p *Pass) guarded(ctx context.Context) (out Outcome) {
	defer func() {
		if r := recover(); r != nil {
			p.log.Error("Pass panicked", "err", r, "stack", string(debug.Stack()))
			out = retry(fmt.Errorf("pass panicked: %v", r))
			p.target.unload()
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

// changed is told of each new snapshot: it wakes the keys that the change concerns, and interrupts their passes. It may
// concern keys of other repositories: the end of a clash of names does. The first snapshot of a repository wakes also who
// is not in it: what runs of them can be looked after now.
func (a *Agent) changed(first bool) {
	keys, gone := a.catalog.update(a.serves)
	a.view.changes.note()
	a.divide()
	if first {
		a.mu.Lock()
		gone = slices.AppendSeq(gone, maps.Keys(a.targets))
		a.mu.Unlock()
	}
	for _, key := range slices.Concat(keys, gone) {
		found, err := a.catalog.find(key.Application)
		t := a.target(key)
		t.mu.Lock()
		stands := err == nil && t.basis.stands(found)
		urgent := err != nil || t.basis.urgent(found)
		t.mu.Unlock()
		if !stands && urgent {
			t.interrupt()
		}
		if !stands {
			a.queue.Add(key)
		}
	}
}

func (a *Agent) serves(environment string) bool {
	_, ok := a.config.Serves(environment)
	return ok
}

// spread is a random share of d, so that slow work does not come all at once.
func (a *Agent) spread(d time.Duration) time.Duration { return rand.N(max(d, 1)) }

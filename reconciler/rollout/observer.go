package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

// Reason is why a key is woken.
type Reason string

// The reasons.
const (
	HealthChanged  Reason = "health"          // an object's health, a pod, or what a controller says of it
	DriftCandidate Reason = "drift-candidate" // an object appeared, was made anew, or its managed fields differ
	Deleted        Reason = "deleted"         // gone, being deleted, or without our label: confirm by a GET
	Definitions    Reason = "definitions"     // a kind that the key waits for can be observed, or never will be
)

// Config is what an Observer needs.
type Config struct {
	// REST is the agent's own identity. Its QPS should be -1.
	REST *rest.Config
	// Agent selects: only objects whose label sluice.dev/agent has this value are seen.
	Agent string
	// Hash projects a full object, managedFields included, on the fields that we manage. It must not keep or
	// change the object, and is called concurrently. Nil hashes nothing: then every change is a candidate.
	Hash func(*unstructured.Unstructured) string
	// MetadataOnly says of which kinds contents are never read. Nil: of Secrets.
	MetadataOnly func(schema.GroupKind) bool
	// Wake is called when something moved that may matter to the key, from many goroutines, under no lock. It
	// must not block. Nil: nobody is told.
	Wake func(Key, Reason)
	// Log gets what goes on in the background. Nil: nothing is logged.
	Log *slog.Logger
	// Patience is how long a pod may wait for a ConfigMap or Secret before that is the release's own fault:
	// others may be making it just now, as cert-manager does. Zero: 30 seconds. Negative: none.
	Patience time.Duration
	// Grace is how long Follow waits before it watches: most releases are well before that, and their pods are of no
	// interest. Zero: not at all.
	Grace time.Duration
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Observer watches. Its methods may be called concurrently, before and during Run.
type Observer struct {
	config Config
	store  *store

	mu        sync.Mutex
	kinds     map[schema.GroupVersionKind]*kind
	followers map[string]*follower
	fallbacks map[string]*rest.Config          // the newest of each namespace, for pods
	due       []func(context.Context, *client) // what Run has not started yet
	signal    chan struct{}                    // due is not empty
	turns     chan struct{}                    // held by followers that have just begun
}

// New makes an Observer, which sees nothing before Run.
func New(config Config) *Observer {
	if config.Hash == nil {
		config.Hash = func(*unstructured.Unstructured) string { return "" }
	}
	if config.MetadataOnly == nil {
		config.MetadataOnly = func(k schema.GroupKind) bool { return k == schema.GroupKind{Kind: "Secret"} }
	}
	if config.Wake == nil {
		config.Wake = func(Key, Reason) {}
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Patience == 0 {
		config.Patience = 30 * time.Second
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Observer{
		config: config, store: newStore(),
		kinds: map[schema.GroupVersionKind]*kind{}, followers: map[string]*follower{},
		fallbacks: map[string]*rest.Config{}, signal: make(chan struct{}, 1), turns: make(chan struct{}, turns),
	}
}

// Run watches until ctx ends, and returns after its last goroutine did. It may be called once. The error says
// that the Config cannot work; the end of ctx is none.
func (o *Observer) Run(ctx context.Context) error {
	if o.config.REST == nil || o.config.Agent == "" {
		return errors.New("observe: REST and Agent must be set")
	}
	agent, err := newClient(o.config.REST)
	if err != nil {
		return fmt.Errorf("observe: %w", err)
	}
	var group sync.WaitGroup
	defer group.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.signal:
		}
		o.mu.Lock()
		due := o.due
		o.due = nil
		o.mu.Unlock()
		for _, run := range due {
			group.Go(func() { run(ctx, agent) })
		}
	}
}

// start lets Run begin a goroutine. The caller holds o.mu.
func (o *Observer) start(run func(context.Context, *client)) {
	o.due = append(o.due, run)
	poke(o.signal)
}

// poke leaves a signal, if there is none yet.
func poke(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}

func (o *Observer) wake(wakes ...wake) {
	told := make(map[wake]struct{}, len(wakes))
	for _, w := range wakes {
		if _, again := told[w]; again || w.key == (Key{}) {
			continue
		}
		told[w] = struct{}{}
		o.config.Wake(w.key, w.reason)
	}
}

// Get returns what is known of an object. False means that it was not seen: that it is not there only if
// Synced says so.
func (o *Observer) Get(id ID) (Object, bool) { return o.store.get(id) }

// Objects returns everything seen with these owner labels, sorted.
func (o *Observer) Objects(key Key) []Object { return o.store.of(key) }

// Note tells the answer of the caller's own request, so that the watch event that follows it wakes nobody. An
// answer that is older than what is known changes nothing.
func (o *Observer) Note(seen Object) {
	o.mu.Lock()
	k := o.kinds[schema.GroupVersionKind{Group: seen.Group, Version: seen.Version, Kind: seen.Kind}]
	o.mu.Unlock()
	upTo := ""
	if k != nil {
		upTo = k.seenUpTo(seen.Namespace)
	}
	o.store.note(seen, upTo)
}

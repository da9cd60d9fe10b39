package reconciler

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/reconciler/rollout"
)

const (
	// familyAge is how long the pods of a namespace that were listed serve other viewers.
	familyAge = 3 * time.Second
	// familyWait bounds a list: a page that is slow says what is known.
	familyWait = 5 * time.Second
	// listing is how many namespaces are listed at once, whoever looks.
	listing = 4
)

// families are the pods of namespaces, as they were listed last. No list of a namespace runs beside another of it.
type families struct {
	turns chan struct{}
	mu    sync.Mutex
	known map[familyOf]*family
}

type familyOf struct {
	site      *site
	namespace string
}

type family struct {
	mu  sync.Mutex
	at  time.Time // zero: there is none
	was rollout.Family
	err error
}

func newFamilies() families {
	return families{turns: make(chan struct{}, listing), known: map[familyOf]*family{}}
}

// of are the pods and ReplicaSets of a namespace, not older than familyAge. With an error they are those of before.
func (f *families) of(ctx context.Context, s *site, namespace string) (rollout.Family, error) {
	f.mu.Lock()
	f.sweep()
	one := f.known[familyOf{s, namespace}]
	if one == nil {
		one = &family{}
		f.known[familyOf{s, namespace}] = one
	}
	f.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if time.Since(one.at) < familyAge {
		return one.was, one.err
	}
	ctx, cancel := context.WithTimeout(ctx, familyWait)
	defer cancel()
	select {
	case f.turns <- struct{}{}:
		defer func() { <-f.turns }()
	case <-ctx.Done():
		return one.was, ctx.Err()
	}
	fresh, err := s.observer.Family(ctx, namespace)
	if ctx.Err() != nil && err != nil && context.Cause(ctx) == context.Canceled { //nolint:errorlint // who went away learnt nothing
		return one.was, err
	}
	if one.at, one.err = time.Now(), err; err == nil {
		one.was = fresh
	}
	return one.was, err
}

// sweep forgets what nobody looked at for a while. The caller holds f.mu.
func (f *families) sweep() {
	for of, one := range f.known {
		if one.mu.TryLock() {
			if !one.at.IsZero() && time.Since(one.at) > time.Minute {
				delete(f.known, of)
			}
			one.mu.Unlock()
		}
	}
}

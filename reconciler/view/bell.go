package view

import (
	"context"
	"sync"
)

// Bell tells many that something changed. Whoever rings waits for none of them; whatever is rung while somebody is busy counts for
// them as once. The zero value is ready, and may be used concurrently.
type Bell struct {
	mu   sync.Mutex
	ears map[chan struct{}]struct{}
}

// Ring leaves a signal with everybody who listens.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ear := range b.ears {
		select {
		case ear <- struct{}{}:
		default:
		}
	}
}

// Listen returns the signals until ctx ends, when they are closed.
func (b *Bell) Listen(ctx context.Context) <-chan struct{} {
	ear := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ears == nil {
		b.ears = map[chan struct{}]struct{}{}
	}
	b.ears[ear] = struct{}{}
	context.AfterFunc(ctx, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ears, ear)
		close(ear)
	})
	return ear
}

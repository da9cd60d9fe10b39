package gitsource

import (
	"context"
	"fmt"
	"sync"
)

// Hosts bounds how many conversations are held with one host at a time, over all repositories that share it: a slow
// forge is then not asked by a thousand applications at once. It may be used concurrently.
type Hosts struct {
	limit int
	mu    sync.Mutex
	slots map[string]chan struct{}
}

// NewHosts allows limit conversations for each host; below 1 it allows 1.
func NewHosts(limit int) *Hosts {
	return &Hosts{limit: max(limit, 1), slots: map[string]chan struct{}{}}
}

// enter waits for a free place; the function returned gives it back.
func (h *Hosts) enter(ctx context.Context, host string) (func(), error) {
	if h == nil {
		return func() {}, nil
	}
	h.mu.Lock()
	slot, ok := h.slots[host]
	if !ok {
		slot = make(chan struct{}, h.limit)
		h.slots[host] = slot
	}
	h.mu.Unlock()
	select {
	case slot <- struct{}{}:
		return func() { <-slot }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a free connection to %q: %w", host, context.Cause(ctx))
	}
}

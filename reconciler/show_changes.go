package reconciler

import (
	"context"
	"sync"
	"time"
)

// gathering is how long changes are gathered before they are told, all as one: a thousand environments that are released
// together make five signals a second.
const gathering = 200 * time.Millisecond

// changes tells viewers that something changed. Whoever notes a change waits for none of them. The zero value is ready.
type changes struct {
	mu    sync.Mutex
	due   bool
	count uint64 // of those that were told
	ears  map[chan struct{}]struct{}
}

// note says that something changed.
func (c *changes) note() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.due {
		c.due = true
		time.AfterFunc(gathering, c.tell)
	}
}

// tell leaves a signal with everybody who has none.
func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = false
	c.count++
	for ear := range c.ears {
		select {
		case ear <- struct{}{}:
		default:
		}
	}
}

// counted is how many times changes were told.
func (c *changes) counted() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// listen returns the signals until ctx ends, when they are closed.
func (c *changes) listen(ctx context.Context) <-chan struct{} {
	ear := make(chan struct{}, 1)
	c.mu.Lock()
	if c.ears == nil {
		c.ears = map[chan struct{}]struct{}{}
	}
	c.ears[ear] = struct{}{}
	c.mu.Unlock()
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.ears, ear)
		close(ear)
	})
	return ear
}

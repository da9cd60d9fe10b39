package reconciler

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// gathering is how long changes are gathered before they are told, all as one: a thousand environments that are released
// together make five signals a second.
const gathering = 200 * time.Millisecond

// changes tells viewers that something changed. Whoever notes a change waits for none of them. The zero value is ready.
type changes struct {
	bell  view.Bell
	mu    sync.Mutex
	due   bool
	count uint64 // of those that were told
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
	c.due = false
	c.count++
	c.mu.Unlock()
	c.bell.Ring()
}

// counted is how many times changes were told.
func (c *changes) counted() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// listen returns the signals until ctx ends, when they are closed.
func (c *changes) listen(ctx context.Context) <-chan struct{} { return c.bell.Listen(ctx) }

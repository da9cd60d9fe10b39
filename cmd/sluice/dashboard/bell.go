package dashboard

import (
	"context"
	"sync"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// bell tells all who listen that something changed, from one subscription at the source, and counts how often. It is silent while
// nobody listens.
type bell struct {
	source view.Source
	most   int

	mu        sync.Mutex
	listeners map[chan struct{}]bool
	rung      uint64
	end       func()
}

// listen returns a channel that has something in it after a change, and is closed when there will be none any more; false where
// there are as many listeners as there may be. Whoever listens has to leave.
func (b *bell) listen() (heard <-chan struct{}, leave func(), ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.listeners) >= b.most {
		return nil, nil, false
	}
	if b.listeners == nil {
		b.listeners = map[chan struct{}]bool{}
		b.hang()
	}
	c := make(chan struct{}, 1)
	b.listeners[c] = true
	return c, func() { b.leave(c) }, true
}

// hang begins to hear of changes, until end is called, which waits for that.
func (b *bell) hang() {
	ctx, cancel := context.WithCancel(context.Background())
	changes, done := b.source.Changes(ctx), make(chan struct{})
	b.end = func() { cancel(); <-done }
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case _, more := <-changes:
				if b.ring(more); !more {
					return
				}
			}
		}
	}()
}

func (b *bell) ring(more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rung++
	for c := range b.listeners {
		if !more {
			close(c)
			continue
		}
		select {
		case c <- struct{}{}:
		default: // it has not yet taken the one before
		}
	}
	if !more {
		clear(b.listeners)
	}
}

// leave takes a listener away. The last one takes the bell down.
func (b *bell) leave(c chan struct{}) {
	b.mu.Lock()
	delete(b.listeners, c)
	var end func()
	if len(b.listeners) == 0 {
		end, b.end, b.listeners = b.end, nil, nil
		b.rung++ // what changes now is not heard of
	}
	b.mu.Unlock()
	if end != nil {
		end()
	}
}

// count is how many changes there were; false where nobody would know.
func (b *bell) count() (rung uint64, heard bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rung, len(b.listeners) > 0
}

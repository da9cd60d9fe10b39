package reconciler

import (
	"context"
	"sync/atomic"
	"time"
)

// stuckAfter is when nobody waits any longer for a turn, where none was given back meanwhile.
const stuckAfter = 2 * time.Second

// turns bound how many passes render at once, so that some are left for what needs no render: to put back what was edited, to
// take back what is sick. Those that wait do so only while turns come: where endless templates have all of them, who wants one
// is told to come again. May be used concurrently.
type turns struct {
	taken chan struct{}
	moved atomic.Int64 // when one was taken or given back last, in Unix nanoseconds
}

// newTurns leaves a quarter of the passes, and one at least where there are two.
func newTurns(passes int) *turns {
	return &turns{taken: make(chan struct{}, max(1, passes-max(1, passes/4)))}
}

// take takes a turn, and reports whether it has. Give it back.
func (t *turns) take(ctx context.Context) bool {
	for {
		select {
		case t.taken <- struct{}{}:
			t.moved.Store(time.Now().UnixNano())
			return true
		default:
		}
		left := stuckAfter - time.Since(time.Unix(0, t.moved.Load()))
		if left <= 0 {
			return false
		}
		select {
		case t.taken <- struct{}{}:
			t.moved.Store(time.Now().UnixNano())
			return true
		case <-ctx.Done():
			return false
		case <-time.After(left):
		}
	}
}

func (t *turns) give() {
	t.moved.Store(time.Now().UnixNano())
	<-t.taken
}

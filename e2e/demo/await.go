package main

import (
	"context"
	"fmt"
	"time"
)

// glance is the time between two looks at what cannot be watched.
const glance = 200 * time.Millisecond

// await looks until cond returns nil. After the time it returns the last error.
func await(ctx context.Context, within time.Duration, cond func() error) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return fmt.Errorf("not within %v: %w", within, err)
		case <-tick.C:
		}
	}
}

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// heartbeat is how often an agent says something in any case.
const heartbeat = 15 * time.Second

// run hears of changes, and asks for the board at each of them, until ctx ends.
func (r *remote) run(ctx context.Context) {
	wait := r.soonest
	for ctx.Err() == nil {
		heard, err := r.hear(ctx)
		if heard {
			wait = r.soonest
		}
		if err != nil && ctx.Err() == nil {
			r.tell(nil, nil, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		if wait = min(2*wait, r.latest); err == nil {
			wait = r.soonest
		}
	}
}

// hear listens until the agent ends it, which it does now and then. Heard: the board came at least once.
func (r *remote) hear(ctx context.Context) (heard bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(r.silence, func() { cancel(errors.New("it is silent")) })
	defer quiet.Stop()
	request, err := r.request(ctx, nil, "changes")
	if err != nil {
		return false, err
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return false, r.cause(ctx, fault(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		raw, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16)) //nolint:errcheck // the status says enough
		return false, refused(answer.StatusCode, raw)
	}
	if err := r.refresh(ctx); err != nil { // after listening began, or a change in between would be missed
		return false, r.cause(ctx, err)
	}
	lines := bufio.NewScanner(io.LimitReader(answer.Body, r.largest))
	for lines.Scan() {
		quiet.Reset(r.silence)
		if lines.Text() != "event: changed" {
			continue
		}
		if err := r.refresh(ctx); err != nil {
			return true, r.cause(ctx, err)
		}
	}
	return true, r.cause(ctx, lines.Err())
}

// cause is why listening ended, where it was not the agent.
func (*remote) cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil && err != nil {
		return why
	}
	return err
}

package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cancelAt gives a context that ends when the first request is seen that fits.
func (f *fixture) cancelAt(fits func(*http.Request) bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(f.Context())
	f.wire.answers(func(r *http.Request) (*http.Response, error) {
		if fits(r) {
			cancel()
		}
		return nil, nil
	})
	return ctx, cancel
}

// A release of many objects replaces another, and is cancelled at its n-th write. Then either the agent dies, and
// knows only what it saved before, or it goes on with the result. Nothing may be untracked, and the next apply must
// arrive.
func TestLesson04_CancelledAnywhere(t *testing.T) {
	release := func(f *fixture, version, count, from int) Request {
		var docs []string
		for i := range count {
			docs = append(docs, fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: c%d, namespace: NS}, data: {v: "%d"}}`, from+i, version),
				fmt.Sprintf(`{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: l%d, namespace: NS}, spec: {leaseTransitions: %d}}`, from+i, version))
		}
		return f.request(docs...)
	}
	for n := range 20 {
		for _, dies := range []bool{false, true} {
			t.Run(fmt.Sprintf("Write%dDies%v", n+1, dies), func(t *testing.T) {
				f := setUp(t)
				first := f.apply(release(f, 1, 6, 0))
				req := release(f, 2, 10, 2)
				req.Inventory = first.Entries
				plan := f.plan(req)
				saved := f.cluster.Before(f.owner, req.Objects, first.Entries)
				var writes atomic.Int64
				ctx, cancel := f.cancelAt(func(r *http.Request) bool { return isWrite(r) && writes.Add(1) == int64(n+1) })
				defer cancel()
				result, err := f.client.Apply(ctx, plan)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
				f.wire.answers(nil)
				if int64(len(result.Changes)) != writes.Load() {
					t.Errorf("%d changes after %d writes: a write that was begun must be finished and told", len(result.Changes), writes.Load())
				}
				if !dies {
					saved = Union(result.Entries, saved)
				}
				f.tracked(saved)

				// Back to the first release: what was written meanwhile must not be taken for it.
				back := release(f, 1, 6, 0)
				back.Inventory = saved
				last := f.apply(back)
				stale := Stale(Union(last.Entries, saved), last.Entries)
				must(f.client.Prune(f.Context(), f.owner, stale, PruneOptions{}))(t)
				got := map[string]any{}
				for _, obj := range f.owned() {
					got[obj.GetName()] = []any{nested(obj, "data", "v"), nested(obj, "spec", "leaseTransitions")}
				}
				want := map[string]any{}
				for i := range 6 {
					want[fmt.Sprintf("c%d", i)] = []any{"1", nil}
					want[fmt.Sprintf("l%d", i)] = []any{nil, int64(1)}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
			})
		}
	}
}

// tracked checks that the inventory has every object that bears our labels, and claims to know none that differs.
func (f *fixture) tracked(inv Inventory) {
	f.Helper()
	for _, obj := range f.owned() {
		e, ok := inv.Find(IDOf(obj))
		switch {
		case !ok:
			f.Errorf("%s is untracked", IDOf(obj))
		case e.UID != "" && e.UID != string(obj.GetUID()):
			f.Errorf("%s has another UID than %+v", IDOf(obj), e)
		case e.Hash != "" && e.Hash != f.cluster.Hash(obj):
			f.Errorf("%s is not what %+v claims", IDOf(obj), e)
		}
	}
}

func TestApply_CancelledBeforeItBegins(t *testing.T) {
	f := setUp(t)
	plan := f.plan(f.request(configMap))
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	result, err := f.client.Apply(ctx, plan)
	if !errors.Is(err, context.Canceled) || Final(err) || len(result.Changes) > 0 || f.exists(f.id("ConfigMap", "config")) {
		t.Errorf("error %v, changes %+v", err, result.Changes)
	}
	if _, err := f.client.Plan(ctx, f.request(configMap)); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "config") {
		t.Errorf("plan: error %v; want that it was cancelled", err)
	}
}

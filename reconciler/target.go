package reconciler

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
)

// errGone is a key that Git has no more. What it owns stays.
var errGone = errors.New("application is not in any repository")

// errSuperseded cancels a pass when something newer is there to be done.
var errSuperseded = errors.New("a newer revision arrived")

// target is what the agent remembers of a key between passes. It is only a cache: it can be lost at any
// instant. But for what mu guards, it belongs to the one pass that runs.
type target struct {
	key Key

	mu        sync.Mutex
	cancel    context.CancelCauseFunc // of the running pass, nil when none runs
	basis     basis                   // what the last pass looked at
	confirmed []string                // lines that Git has by now
	verify    bool                    // compare every object at the next pass
	hurry     bool                    // a person asked: no back-off holds the next pass
	following string                  // namespace whose pods are watched, empty at rest

	held        held
	loaded      bool
	former      []Key           // whose state was taken over and is to be deleted
	savedDigest string          // of the manifests that were saved
	handed      map[string]bool // lines that the publisher has
	made        []record.Line   // that are in the state here and not yet in the saved one
	ids         []string        // lines that Git has and the saved outbox still holds
	changes     record.Changes  // by the last apply and prune
	// rules is the environment's block that is in force; its revision is in the saved state.
	rules *config.Environment
	// trace and made are the last render; objects may be nil when they were dropped at rest.
	request render.Request
	trace   render.Trace
	release policies.Release
	objects []*unstructured.Unstructured
	desired map[apply.ID]bool // the objects that made has, kept at rest
	refusal string            // why the last render or its guard failed
	guarded string            // what the guard was last asked about

	applied   policies.ApplyResult
	why       string // of applied
	tries     int    // passes in a row that ended badly
	notBefore time.Time
	audited   time.Time
	compared  map[apply.ID]string // resourceVersion of Secrets whose contents were compared
	secrets   secretTexts         // what must never be shown
	said      string              // the last bad outcome that was logged
}

// basis is what a pass depended on in Git. While all of it stands, a new commit is none of the key's business.
type basis struct {
	known    bool
	dir      string
	file     string // Git object of sluice.yaml
	release  string // Git object of the release file
	revision string // that was followed, where it is not the tip
	tip      bool
	request  render.Request
	trace    render.Trace
}

// stands reports whether a new snapshot changes nothing for the key.
func (b basis) stands(p place, key Key) bool {
	if !b.known || b.dir != p.dir || b.file != object(p.snap, p.dir, "sluice.yaml") ||
		b.release != object(p.snap, p.dir, config.ReleasePath(key.Environment)) {
		return false
	}
	if b.tip {
		return b.trace.Holds(p.snap.tree, b.request)
	}
	env, ok := p.app.Environment(key.Environment)
	if !ok {
		return false
	}
	if env.Follow.Pin {
		return true // the release file is what says it, and stands
	}
	revision, err := p.snap.follow(env.Follow)
	return err == nil && revision == b.revision
}

// interrupt cancels the running pass, if any.
func (t *target) interrupt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel != nil {
		t.cancel(errSuperseded)
	}
}

// confirm notes that Git has these lines.
func (t *target) confirm(ids []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.confirmed = append(t.confirmed, ids...)
}

// takeConfirmed returns the lines confirmed since the last call.
func (t *target) takeConfirmed() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := t.confirmed
	t.confirmed = nil
	return ids
}

// takeHurry reports, once, whether a person asked for a pass.
func (t *target) takeHurry() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	hurry := t.hurry
	t.hurry = false
	return hurry
}

// stale returns the owned objects that Git no longer has. An object that only moved to another API group keeps its UID
// and is not stale.
func (t *target) stale() apply.Inventory {
	var wanted apply.Inventory
	for _, entry := range t.held.saved.Inventory {
		if t.desired[entry.ID] {
			wanted = append(wanted, entry)
		}
	}
	return apply.Stale(t.held.saved.Inventory, wanted)
}

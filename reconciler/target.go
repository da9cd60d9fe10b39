package reconciler

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/helm"
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
	word      string                  // of a person who has the environment go back,
	wordBy    string                  // and who that is
	fired     *policies.Firing        // of the promotion's schedule, to be saved; nil: what is saved stands
	noticed   time.Time               // when a watch reported what may be drift; zero where none did since
	measuring                         // what is asked of providers
	chart     chart                   // what they answered

	memory
	handed  map[string]bool // lines that the publisher has and the saved outbox still holds
	audited time.Time
	watched time.Time // since when this process has looked at it
	// restated: this process has told the forge how the release in the state stands.
	restated bool
	said     string            // the last bad outcome that was logged
	versions map[string]string // what releases call themselves, by digest
}

// memory is what goes with the saved state and is dropped with it.
type memory struct {
	held   held
	loaded bool
	former []Key             // whose state was taken over and is to be deleted
	unsaid []record.Line     // lines that are in the state and wait for it to be saved
	untold []policies.Record // of the state as it is in memory: a pass that ends early leaves them to the next
	ids    []string          // lines that Git has and the saved outbox still holds
	// changes by the last apply and prune of the release in the state.
	changes record.Changes
	// rules is the environment's block that is in force; its revision is in the saved state.
	rules *config.Environment
	pin   ancestry // the last pin that was found in the history
	walk  walked   // where the last trigger was looked for

	rendering
	attempt  attempt
	refused  refusedHook
	assessed assessment
	scene    sceneOf
	ways     ways
	words    words
	listened time.Time // when pods were last asked for them
	read     stillRead
	// provenObjects are what the Secrets of these names hold; nil at rest.
	provenObjects []*unstructured.Unstructured
	provenNames   []string
	provenIDs     map[apply.ID]bool   // kept at rest
	following     []string            // namespaces whose pods are watched, none at rest
	lately        []view.Event        // the warnings that were seen while they were
	compared      map[apply.ID]string // resourceVersion of Secrets whose contents were compared
	drifting      drifting
}

// rendering is the last render, or why there is none.
type rendering struct {
	trace     render.Trace
	release   policies.Release
	objects   []*unstructured.Unstructured // nil when they were dropped at rest
	versioned bool                         // objects has configuration under names of its content,
	plain     []string                     // but for what these workloads read
	desired   map[apply.ID]bool            // the objects that it has, kept at rest
	hooks     policies.Hooks               // how many hooks it has, kept at rest
	secrets   secretTexts                  // what must never be shown
	generated []render.Generated           // what of the objects was made by chance or by the clock,
	adopts    bool                         // or was there already and is to be taken over
	looked    []helm.Lookup                // what charts looked for in the cluster
	opened    secretTexts                  // what of it is encrypted in Git
	files     map[string]string            // of encrypted Secrets
	refusal   string                       // why it failed
	lost      lost                         // a render whose worker was lost
	fetching  bool                         // for want of charts that are being fetched, or could not be
	guarded   bool                         // the guard let it pass,
	warned    []string                     // though it would refuse these now
}

// lost is how often in a row a render of the same files cost its worker, and when it is tried again.
type lost struct {
	tries int
	next  time.Time
}

// ancestry is a pin that is in the history of a tip.
type ancestry struct{ pin, tip string }

// walked is the trigger that was found for a release, from some revision on.
type walked struct {
	release       policies.Release
	from, trigger string
}

// attempt is what became of the applies of the release that began at a time.
type attempt struct {
	began     time.Time
	result    policies.ApplyResult
	why       string
	tries     int // refusals in a row
	notBefore time.Time
}

// unload forgets what goes with the saved state, so that it is read again.
func (t *target) unload() {
	following, lately := t.following, t.lately // the watches go on
	t.memory = memory{following: following, lately: lately, rendering: t.rendering}
}

// interrupt cancels the running pass, if any.
func (t *target) interrupt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cancel != nil {
		t.cancel(errSuperseded)
	}
}

// begin notes the running pass, and end that there is none.
func (t *target) begin(cancel context.CancelCauseFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cancel = cancel
}

func (t *target) end() { t.begin(nil) }

// busy reports whether a pass runs.
func (t *target) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cancel != nil
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

// takeFired returns, once, what became of a firing.
func (t *target) takeFired() *policies.Firing {
	t.mu.Lock()
	defer t.mu.Unlock()
	fired := t.fired
	t.fired = nil
	return fired
}

// notice notes when a watch reported what may be drift.
func (t *target) notice(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.noticed.IsZero() {
		t.noticed = at
	}
}

// takeNoticed returns, once, when a watch reported what may be drift.
func (t *target) takeNoticed() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := t.noticed
	t.noticed = time.Time{}
	return at
}

// stale returns the owned objects that the release in the state does not have; none where its objects are not known.
// An object that only moved to another API group keeps its UID and is not stale.
func (t *target) stale() apply.Inventory {
	inventory, state, desired := t.held.saved.Inventory, t.held.saved.State, t.desired
	if state.Back {
		desired = t.provenIDs
	} else if !t.release.Same(state.Release) {
		return nil
	}
	if desired == nil {
		return nil
	}
	wanted := slices.DeleteFunc(slices.Clone(inventory), func(e apply.Entry) bool { return !desired[e.ID] && !t.splits(e.ID) })
	return apply.Stale(inventory, wanted)
}

package reconciler

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/view"
	"github.com/sluice-cd/sluice/render"
)

// View is the agent as it is shown to people: it implements [view.Source]. Of environments it has copies that their passes left.
// Everything else it reads when somebody asks, a little at a time, so that no pass waits for a viewer. It writes nothing.
type View struct {
	agent   *Agent
	changes changes
	started time.Time

	mu       sync.Mutex
	cells    map[Key]shown
	requests map[Key]requests
	commits  map[string]CommitWords // by hash

	made      madeCells
	calendar  calendar
	histories histories
	families  families
	saved     savedManifests
	diffs     diffs
	distances distances
}

var _ view.Source = (*View)(nil)

// shown is what a pass left of its environment.
type shown struct {
	cell      view.Cell
	inventory apply.Inventory
	hooks     []hookRun         // whose objects may be there still
	drift     map[string]string // by object
	reasons   map[string]string // why an object is not well
	manifests []string          // the Secrets with what was sent
	proven    map[string]string // hash of the proven template, by staged workload
	secrets   secretTexts       // of what runs, which nobody sees
	generated []render.Generated
}

func newView(a *Agent) *View {
	return &View{
		agent: a, started: a.now(), cells: map[Key]shown{}, requests: map[Key]requests{}, commits: map[string]CommitWords{},
		histories: newHistories(), families: newFamilies(), saved: newSavedManifests(), diffs: newDiffs(), distances: newDistances(),
	}
}

// View returns the agent as it is shown.
func (a *Agent) View() *View { return a.view }

// Changes implements view.Source.
func (v *View) Changes(ctx context.Context) <-chan struct{} { return v.changes.listen(ctx) }

// put keeps what a pass left.
func (v *View) put(k Key, s shown) {
	v.mu.Lock()
	v.cells[k] = s
	v.mu.Unlock()
	v.changes.note()
}

// drop forgets an environment that is not there any more.
func (v *View) drop(k Key) {
	v.mu.Lock()
	delete(v.cells, k)
	v.mu.Unlock()
	v.changes.note()
}

// last is what the last pass left.
func (v *View) last(k Key) (shown, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	s, ok := v.cells[k]
	return s, ok
}

// shownKey is a key as it is shown.
func shownKey(k Key) view.Key { return view.Key(k) }

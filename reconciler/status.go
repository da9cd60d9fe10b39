package reconciler

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/promote"
)

// Status is how one key was at the end of its last pass. It is a copy: whoever has it can change nothing.
type Status struct {
	Key
	Verdict  Verdict               `json:"verdict"`
	Reason   string                `json:"reason,omitempty"`
	Phase    policies.Phase        `json:"phase,omitempty"`
	Revision string                `json:"revision,omitempty"`
	Trigger  string                `json:"trigger,omitempty"`
	Proven   string                `json:"proven,omitempty"`  // the revision that serves, where another release failed
	Failure  string                `json:"failure,omitempty"` // and why that did
	Health   policies.HealthStatus `json:"health,omitempty"`
	NotWell  []string              `json:"notWell,omitempty"`
	Drifted  []string              `json:"drifted,omitempty"` // objects and fields that differ from Git
	Objects  int                   `json:"objects"`
	Since    time.Time             `json:"since,omitzero"`
	At       time.Time             `json:"at"`

	read  bool            // the state was, in the cluster
	fired policies.Firing // as it is saved
	anew  bool            // the state was lost: what runs is made sure of, and what Git asks for comes after it
	// barred is what Git asks for that failed here before, and that only the notes remember: another release is in the state.
	barred promote.Fallen
}

// fallen is the release that failed while Git asks for it still, as far as the state says; zero: none did.
func (s Status) fallen() promote.Fallen {
	if s.Proven == "" {
		return s.barred
	}
	return promote.Fallen{Revision: s.Revision, Trigger: s.Trigger, Proven: s.Proven, Reason: s.Failure}
}

// board holds the last status of each key. It may be used concurrently.
type board struct {
	mu   sync.RWMutex
	last map[Key]Status
}

func newBoard() *board { return &board{last: map[Key]Status{}} }

func (b *board) set(k Key, s Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last[k] = s
}

func (b *board) get(k Key) Status {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.last[k]
}

func (b *board) drop(k Key) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.last, k)
}

// Status returns how all keys are, sorted by application and environment.
func (a *Agent) Status() []Status {
	a.status.mu.RLock()
	defer a.status.mu.RUnlock()
	all := make([]Status, 0, len(a.status.last))
	for _, s := range a.status.last {
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y Status) int {
		return cmp.Or(cmp.Compare(x.Application, y.Application), cmp.Compare(x.Environment, y.Environment))
	})
	return all
}

// Ready reports whether the agent reached every cluster and read its state there.
func (a *Agent) Ready() bool {
	for _, s := range a.sites {
		if !s.ready() {
			return false
		}
	}
	return true
}

func (p *Pass) summary(out Outcome) Status {
	state := p.target.held.saved.State
	s := Status{
		Key: p.Key, Verdict: out.Verdict, Reason: p.target.secrets.mask(out.Reason), Phase: shownPhase(state), Revision: state.Release.Revision,
		Trigger: state.Release.Trigger, Health: p.Seen.Health, Objects: len(p.target.held.saved.Inventory),
		Drifted: p.Drifted.list(), Since: state.Since, At: p.agent.now(),
		read: p.target.loaded, anew: p.Anew, fired: p.target.held.saved.Fired,
	}
	if state.Phase == policies.RolledBack {
		s.Proven, s.Failure = state.Proven.Revision, p.target.secrets.mask(state.Reason)
	}
	for _, failed := range state.Quarantined {
		if state.Phase == policies.Healthy && failed.Trigger == state.Refused.Trigger {
			s.barred = promote.Fallen{
				Revision: failed.Revision, Trigger: failed.Trigger, Proven: state.Release.Revision, Reason: p.target.secrets.mask(state.Refused.Reason),
			}
		}
	}
	for _, o := range p.NotWell {
		s.NotWell = append(s.NotWell, o.Object+": "+p.target.secrets.mask(o.Reason))
	}
	return s
}

package world

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// CommitStatus is one at the forge.
type CommitStatus struct {
	ID          int64  `json:"id"` // later ones have greater ones
	Context     string `json:"context"`
	State       string `json:"status"` // pending, success, failure or error
	Description string `json:"description"`
	URL         string `json:"target_url"`
	Creator     User   `json:"creator"`
}

// SetStatus sets a status on a revision, as a build server would.
func (p *Project) SetStatus(t testing.TB, revision, context, state string) {
	t.Helper()
	p.call(t, http.MethodPost, "/statuses/"+revision, map[string]any{"context": context, "state": state}, nil)
}

// StatusLog is every status that a revision ever got, the oldest first.
func (p *Project) StatusLog(t testing.TB, revision string) []CommitStatus {
	t.Helper()
	log := all[CommitStatus](t, p.Forge, p.By, "/repos"+p.path()+"/statuses/"+revision+"?sort=oldest")
	slices.SortFunc(log, func(a, b CommitStatus) int { return cmp.Compare(a.ID, b.ID) })
	return log
}

// Statuses are those of a revision now, by their context.
func (p *Project) Statuses(t testing.TB, revision string) map[string]CommitStatus {
	t.Helper()
	out := map[string]CommitStatus{}
	for _, s := range p.StatusLog(t, revision) {
		out[s.Context] = s
	}
	return out
}

// AwaitStatus waits until a revision's status is in a state, and returns it.
func (p *Project) AwaitStatus(t testing.TB, revision, context, state string) CommitStatus {
	t.Helper()
	var found CommitStatus
	Await(t, Patience, fmt.Sprintf("status %s of %s is %s", context, revision, state), func() error {
		var ok bool
		if found, ok = p.Statuses(t, revision)[context]; !ok {
			return errors.New("there is none")
		}
		if found.State != state {
			return fmt.Errorf("it is %s: %s", found.State, found.Description)
		}
		return nil
	})
	return found
}

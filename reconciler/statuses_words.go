package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// mostStatuses are the applications of a commit that each get a status of their own. More of them get one together: forges
// allow few writes, and nobody reads so many.
const mostStatuses = 20

// statusWord is what a commit is told of one application.
type statusWord struct {
	state forge.State
	text  string
}

// statusOf is what a phase is to a commit. Success is never said before health.
func statusOf(phase policies.Phase, reason string) statusWord {
	text := string(phase)
	if reason != "" {
		text += ": " + reason
	}
	switch phase {
	case policies.Healthy:
		return statusWord{forge.StateSuccess, text}
	case policies.Failed, policies.RolledBack, policies.Blocked:
		return statusWord{forge.StateFailure, text}
	case policies.Superseded:
		return statusWord{forge.StateError, text}
	case policies.Pending, policies.Progressing, policies.Holding, policies.Promoting:
	}
	return statusWord{forge.StatePending, text}
}

// poster is a forge that takes statuses.
type poster interface {
	SetStatus(ctx context.Context, revision string, s forge.Status) error
}

// post sets the statuses that are due: one for each application, or where there are many one for all. Those that got one of
// their own before the others came keep it, or it would say for ever what it did then.
func post(ctx context.Context, to poster, links config.Links, at commitIn, t saying) error {
	if len(t.words) > mostStatuses {
		if err := to.SetStatus(ctx, at.revision, together(links, at, t.words)); err != nil {
			return err
		}
		maps.DeleteFunc(t.due, func(application string, _ bool) bool { return !t.alone[application] })
	}
	for _, application := range slices.Sorted(maps.Keys(t.due)) {
		w := t.words[application]
		status := forge.Status{
			Context: forge.Prefix + application + "/" + at.environment, State: w.state, Description: w.text, TargetURL: at.link(links, application),
		}
		if err := to.SetStatus(ctx, at.revision, status); err != nil {
			return err
		}
		t.alone[application] = true
		delete(t.due, application)
	}
	return nil
}

// together is one status for many applications: the worst of theirs, with counts.
func together(links config.Links, at commitIn, words map[string]statusWord) forge.Status {
	counts := map[forge.State]int{}
	for _, w := range words {
		counts[w.state]++
	}
	status := forge.Status{Context: forge.Prefix + at.environment, State: forge.StateSuccess, TargetURL: at.link(links, "")}
	for _, state := range []forge.State{forge.StatePending, forge.StateError, forge.StateFailure} {
		if counts[state] > 0 {
			status.State = state
		}
	}
	status.Description = fmt.Sprintf("%d of %d applications are healthy, %d failed, %d superseded, %d under way", counts[forge.StateSuccess],
		len(words), counts[forge.StateFailure], counts[forge.StateError], counts[forge.StatePending])
	return status
}

// link is where a status of a commit leads to; without an application it is about many.
func (c commitIn) link(links config.Links, application string) string {
	return links.StatusOf(config.LinkNames{App: application, Env: c.environment, Revision: c.revision})
}

package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// windows finds when changes may begin: what agent.yaml says to everybody comes first.
func (p *Pass) windows(ctx context.Context) error {
	p.Wanted.Windows = slices.Concat(p.agent.config.WindowsOf(p.Application, p.Environment), p.Rules.OwnWindows())
	p.Wanted.Override = p.Words.Override.Policy()
	if p.Wanted.Openness(p.Seen.Now).Open {
		return nil
	}
	known, err := p.known(ctx)
	p.Wanted.Known = known
	return err
}

// known reports whether a state that knows of nothing was lost, and what Git asks for is what the notes say was proven last.
// Windows are not for a cluster that gets back what it had.
func (p *Pass) known(ctx context.Context) (bool, error) {
	state, release := p.target.held.saved.State, p.Wanted.Release
	switch {
	case p.Anew:
		return true, nil
	case state.Proven != (policies.Release{}), release == (policies.Release{}), p.Place.source == nil:
		return false, nil
	case state.Phase != "" && !state.Release.Same(release):
		return false, nil
	}
	lines, err := p.agent.notes.of(ctx, p.Place.source, p.Key)
	if err != nil {
		return false, fmt.Errorf("read notes to know what was proven: %w", err)
	}
	counting := record.Counting(lines, record.Verify(lines, p.agent.keyring(p.site)))
	proven := record.Proven(counting, record.Subject{Application: p.Application, Environment: p.Environment})
	if len(proven) == 0 {
		return false, nil
	}
	return policies.Release{Inputs: proven[0].Inputs, Digest: proven[0].Digest}.Same(release), nil
}

// waits is what a pass says of a release that a window keeps from beginning, beside what else there is to say.
func waits(reason string, state policies.State) string {
	if state.Waiting.Reason == "" {
		return reason
	}
	text := state.Waiting.Reason
	if revision := state.Waiting.Release.Revision; revision != "" {
		text = fmt.Sprintf("%.7s: %s", revision, text)
	}
	if reason != "" {
		text = reason + "; " + text
	}
	return text
}

// shownPhase is the phase that people see: of an environment in which nothing began yet, that of what waits.
func shownPhase(state policies.State) policies.Phase {
	if state.Waiting != (policies.Waiting{}) {
		return cmp.Or(state.Phase, policies.Pending)
	}
	return state.Phase
}

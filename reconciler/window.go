package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// WindowsOf are all windows of an environment of an application: those of agent.yaml, which may be nil, come first.
func WindowsOf(agent *config.Agent, application string, env config.Environment) (windows []policies.Window) {
	if agent != nil {
		for _, w := range agent.WindowsOf(application, env.Name) {
			windows = append(windows, windowOf(w, "agent.yaml"))
		}
	}
	for _, w := range env.Windows {
		windows = append(windows, windowOf(w, ""))
	}
	return windows
}

func windowOf(w config.Window, of string) policies.Window {
	made := policies.Window{Deny: w.Deny != "", Cron: w.Allow + w.Deny, For: w.For.Std(), Of: of}
	var err error
	if made.Schedule, made.Zone, err = w.Times(); err != nil { // it was never validated: nothing begins by it
		made.Deny, made.Schedule, made.Zone = true, always{}, time.UTC
	}
	return made
}

// always fires every minute.
type always struct{}

func (always) Next(after time.Time) time.Time { return after.Truncate(time.Minute).Add(time.Minute) }

// OverrideOf is a person's word against windows.
func OverrideOf(words config.Release) policies.Override {
	if words.Override == nil {
		return policies.Override{}
	}
	return policies.Override{Reason: words.Override.Reason, Until: words.Override.Until.Std()}
}

// windows finds when changes may begin: by agent.yaml, the rules in force, and the release file.
func (p *Pass) windows(ctx context.Context) error {
	p.Wanted.Windows, p.Wanted.Override = WindowsOf(p.agent.config, p.Application, p.Rules), OverrideOf(p.Words)
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

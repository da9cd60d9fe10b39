package reconciler

import (
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// PreviewAsked is what a release would be to its environment, where that is known.
type PreviewAsked struct {
	// Asked is the revision that is meant where it is not what was rendered: what the release file pins.
	Asked string `json:"asked,omitempty"`
	// RollsBack is the revision that it would leave by a roll-back: in one wave without stages, whatever windows say.
	RollsBack string `json:"rollsBack,omitempty"`
	// Quarantined is why it would not be tried again.
	Quarantined string `json:"quarantined,omitempty"`
	// Blocked is why the agent would refuse it as a pin.
	Blocked string `json:"blocked,omitempty"`
}

// StateOf is what notes say of an environment, as far as it decides what a release would be to it. lines must be those that
// count.
func StateOf(lines []record.Line, of record.Subject) (state policies.State) {
	history := record.History(lines, of) // the newest first
	if len(history) == 0 {
		return state
	}
	state.Release, state.Phase, state.Reason = releaseOf(history[0]), history[0].Phase, history[0].Reason
	if proven := record.Proven(lines, of); len(proven) > 0 {
		state.Proven = releaseOf(proven[0])
	}
	state.Sequence, state.Quarantined = proofs(lines, of), quarantined(lines, of)
	return state
}

// ask says what the release would be. A roll-back has no stages.
func (of PreviewOf) ask(made Preview) Preview {
	if of.Pinned {
		made.Asked = of.Asked.Revision
	}
	made.Blocked = of.Blocked
	switch left := of.State.Leaves(policies.Plan{Reach: of.Rules.Rollout.RollbackTo}, of.Asked); {
	case left != (policies.Release{}):
		made.RollsBack = left.Revision
	case of.State.Fell(of.Asked):
		made.Quarantined = fmt.Sprintf("it failed here before, and is tried again by a new trigger only: %s, or another retry: in the release file", of.trigger())
	}
	if made.Waves() {
		made.Stages, made.Capacity, made.Closed, made.Opens, made.Override = nil, "", "", time.Time{}, ""
		for i := range made.Objects {
			if made.Objects[i].When == InStages {
				made.Objects[i].When = InWave
			}
		}
	}
	return made
}

// Waves reports whether what was rendered is a roll-back, so that its pods come back in one wave.
func (p Preview) Waves() bool { return p.RollsBack != "" && p.Asked == "" }

// trigger is what would bring a release anew.
func (of PreviewOf) trigger() string {
	if of.Rules.Follow.Pin {
		return "a pin that is moved there"
	}
	return "a commit that changes it"
}

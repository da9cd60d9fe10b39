package reconciler

import (
	"slices"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/render"
)

// PreviewHook is a hook that would run.
type PreviewHook struct {
	Moment policies.Moment `json:"moment"`
	Weight int             `json:"weight"`
	Object string          `json:"object"` // Kind/namespace/name
}

// hooks are those that would run with the release, in order. The release that is there already runs none.
func (of PreviewOf) hooks() (all []PreviewHook) {
	state := of.State
	if state.Phase == "" {
		state = of.Saved.State
	}
	if state.Release.Same(of.Asked) {
		return nil
	}
	plan := policies.Plan{Release: of.Asked, Reach: of.Rules.Rollout.RollbackTo, Tests: of.Rules.Rollout.Tests}
	moments := state.Moments(plan, policies.Observation{Owned: len(of.Saved.Inventory), Runs: len(of.Live) > 0})
	if state.Phase == "" && of.Changes == nil { // nobody was asked what is there
		moments = append([]policies.Moment{policies.PreInstall, policies.PreUpgrade, policies.PostInstall, policies.PostUpgrade}, moments[2:]...)
	}
	hooks := render.InOrder(of.Hooks, of.Tests)
	for _, moment := range moments {
		for _, h := range hooks {
			if slices.Contains(h.Events, string(moment)) {
				all = append(all, PreviewHook{moment, h.Weight, apply.IDOf(h.Object).String()})
			}
		}
	}
	return all
}

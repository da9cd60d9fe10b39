package promote

import (
	"context"
	"fmt"

	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// propose has the merge request be as the decision says.
func (k *Keeper) propose(ctx context.Context, l lane, now known, d policies.PromotionDecision) (forge.MergeRequest, error) {
	if d.Candidate == nil {
		return forge.MergeRequest{}, k.withdraw(ctx, l, now, d.Reason)
	}
	text, err := k.evidence(ctx, l.Subject, d)
	if err != nil {
		return now.request, err
	}
	revision := d.Candidate.Revision
	ready := &forge.Status{
		Context: forge.Prefix + "promotable/" + l.Application + "/" + l.Environment, State: forge.StatePending, Description: d.Reason,
		TargetURL: l.Links.StatusOf(config.LinkNames{App: l.Application, Env: l.Environment, Revision: revision}),
	}
	if d.Due {
		ready.State = forge.StateSuccess
	}
	title := fmt.Sprintf("Promote %s to %s: %.7s", l.Application, l.Environment, revision)
	return k.keep(ctx, l, now, ask{revision: revision, title: title, text: text, ready: ready})
}

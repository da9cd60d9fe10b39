package promote

import (
	"context"
	"fmt"

	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// propose has the merge request be as the decision says. upto decides as if what its branch pins were the newest commit.
func (k *Keeper) propose(ctx context.Context, l lane, now known, d policies.PromotionDecision, upto func(string) policies.PromotionDecision) (forge.MergeRequest, error) {
	if d.Candidate == nil {
		return forge.MergeRequest{}, k.withdraw(ctx, l, now, d.Reason)
	}
	says, err := k.proposal(ctx, l.Subject, d)
	if why(now) != "" && now.asks != d.Candidate.Revision {
		says, err = k.kept(ctx, l.Subject, now.asks, upto(now.asks), d)
	}
	if err != nil {
		return now.request, err
	}
	return k.keep(ctx, l, now, says)
}

// proposal asks for a decision's candidate.
func (k *Keeper) proposal(ctx context.Context, s Subject, d policies.PromotionDecision) (ask, error) {
	text, err := k.evidence(ctx, s, d)
	return s.asks(d.Candidate.Revision, text, d), err
}

// kept is what a request says that stays where it is: it tells of what its branch pins, since that is what a person merges, and
// then of the newer one.
func (k *Keeper) kept(ctx context.Context, s Subject, asks string, d, newest policies.PromotionDecision) (ask, error) {
	var says ask
	var err error
	if d.Candidate != nil && d.Candidate.Revision == asks {
		says, err = k.proposal(ctx, s, d)
	} else {
		d.Due, d.Reason = false, "what its branch pins is not proven where it comes from"
		says = s.asks(asks, fmt.Sprintf("Pins **%s** in **%s** to %s.\n\n**%s**\n\n"+askedMark+"\n", s.Application, s.Environment, orNone(asks), d.Reason, asks), d)
	}
	says.text += fmt.Sprintf("\nThere is a newer one: %s\n", newest.Reason)
	return says, err
}

// asks is a request for a revision, with what the decision has sluice/promotable say.
func (s Subject) asks(revision, text string, d policies.PromotionDecision) ask {
	ready := &forge.Status{
		Context: forge.Prefix + "promotable/" + s.Application + "/" + s.Environment, State: forge.StatePending, Description: d.Reason,
		TargetURL: s.Links.StatusOf(config.LinkNames{App: s.Application, Env: s.Environment, Revision: revision}),
	}
	if d.Due {
		ready.State = forge.StateSuccess
	}
	title := fmt.Sprintf("Promote %s to %s: %.7s", s.Application, s.Environment, revision)
	return ask{revision: revision, title: title, text: text, ready: ready}
}

package promote

import (
	"context"
	"fmt"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// Member is an environment of a group at one moment.
type Member struct {
	Keeper  *Keeper // its own; nil where it is out
	Subject Subject
	// Out is why it has no part in the group now; empty: it has.
	Out string
}

// share is what a member would have, and why not.
type share struct {
	Member
	decision policies.PromotionDecision
	asked    bool // what there is of a branch asks for it already
}

// LookTogether looks at the members of a group once, all of one repository and at one tip, as Look does at one environment: each
// decides for itself, and what they come to is asked for on one branch by one request, or committed together. k keeps that request,
// and is no member's. The outcomes are those of the members, in their order, whatever the error. Where one cannot be looked at, all
// stays as it is.
func (k *Keeper) LookTogether(ctx context.Context, name string, members []Member) ([]Outcome, error) {
	return k.look(ctx, k.groupLane(name, members), members)
}

// GroupBranch is where a group of a repository asks, without refs/heads/. In a ledger, which others may share, it has the name of
// the repository too.
func GroupBranch(repo config.Repository, name string) string {
	if repo.WriteBack.Ledger != nil {
		name = repo.Name + "/" + name
	}
	return "sluice/group/" + name
}

// groupLane asks for the candidates of several.
func (k *Keeper) groupLane(name string, members []Member) lane {
	first := members[0].Subject
	l := lane{
		Subject: first, in: k.ledger(first), group: name, name: "group/" + name, branch: GroupBranch(first.Repository, name), log: k.Log.With("group", name),
	}
	for _, m := range members {
		l.members = append(l.members, m.Subject)
	}
	l.message = func(asked picks) string {
		var messages []string
		for _, s := range l.members {
			if revision, in := asked[s.file()]; in {
				messages = append(messages, s.promotes(revision))
			}
		}
		return joined("Move the pins of the group "+name, messages)
	}
	return pins(l)
}

// weigh decides about a member as if it were alone. What its request asks for already is decided about where that is not moved.
func (m Member) weigh(ctx context.Context, now known) (share, error) {
	asks, asked := now.asks[m.Subject.file()]
	s := share{Member: m, asked: asked}
	fixed := asked && why(now) != ""
	if m.Out != "" {
		s.decision = policies.PromotionDecision{Reason: m.Out, Fired: m.Subject.Fired}
	} else {
		facts, err := m.Keeper.facts(ctx, m.Subject, now)
		if err != nil {
			return s, err
		}
		rules, err := rulesOf(m.Subject.promotion())
		if err != nil {
			return s, err
		}
		s.decision = rules.Decide(facts)
		if fixed && m.Subject.promotion().By == config.ByMergeRequest {
			s.decision = ofFixed(rules, facts, s.decision, asks)
		}
	}
	return s, nil
}

// apart are those that a request asks for, and those that it does not. Of one that is not moved that is what its branch has,
// unless there is nothing of it left to ask for.
func apart(all []share, now known) (in, out []share) {
	fixed, left := why(now) != "", false
	for _, s := range all {
		left = left || s.asked && s.decision.Candidate != nil
	}
	for _, s := range all {
		switch {
		case fixed && left && s.asked && s.decision.Candidate == nil:
			s.decision.Candidate = &policies.Candidate{Revision: now.asks[s.Subject.file()]}
			s.decision.Reason = fmt.Sprintf("%.7s is in it, and is not to be asked for any more: %s", s.decision.Candidate.Revision, s.decision.Reason)
			in = append(in, s)
		case fixed && !s.asked, s.decision.Candidate == nil:
			out = append(out, s)
		default:
			in = append(in, s)
		}
	}
	return in, out
}

// commit has the pins committed that are due, of a group when all are that have one.
func (k *Keeper) commit(ctx context.Context, l lane, all []share, outs []Outcome) (err error) {
	due, reason := l.whole(all)
	for i, s := range all {
		out := &outs[i]
		switch {
		case !due && l.group != "" && out.Due:
			out.Due, out.Reason = false, out.Reason+"; its group waits: "+reason
		case due && out.Due && out.Candidate != "":
			if out.Pin, out.Reason, err = k.pin(ctx, k.promotionLane(s.Subject), out.Candidate, out.Reason); err != nil {
				return err
			}
			if out.Pin != nil {
				out.Pin.Group = l.group
			}
		}
	}
	return nil
}

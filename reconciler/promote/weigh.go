package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// Weighed is a promotion as it is told to a person who moves the pin by hand.
type Weighed struct {
	policies.PromotionDecision
	// Revision is what the pin would name; empty: there is none.
	Revision string
	// Blocked is why the agent would refuse it; empty: it would not.
	Blocked string
	// Branch is where the agent asks for just this; empty: nowhere.
	Branch string
	// Message is that of the commit that moves the pin, and Stages say how the release would replace the one before it.
	Message, Stages string
}

// Weigh decides as Look does, and keeps nothing. to names the revision that is meant; empty: the newest candidate. What only a
// forge knows plays no part where there is none: checks, and requests that a person closed. The times of what was proven are
// those of its notes, since nobody has watched here.
func (k *Keeper) Weigh(ctx context.Context, s Subject, to string, hotfix bool) (Weighed, error) {
	if k.memos == nil {
		k.memos = memos{}
	}
	rules, err := rulesOf(s.promotion())
	if err != nil {
		return Weighed{}, err
	}
	if k.Checks == nil {
		rules.Checks = nil
	}
	facts, err := k.facts(ctx, s, known{})
	if err != nil {
		return Weighed{}, err
	}
	for from, a := range facts.Arrived {
		if proven := record.Proven(s.Lines[from], record.Subject{Application: s.Application, Environment: from}); len(proven) > 0 {
			a.Last = proven[0].At
			facts.Arrived[from] = a
		}
	}
	w := Weighed{Revision: to}
	if to == "" {
		w.PromotionDecision = rules.Decide(facts)
	} else {
		w.PromotionDecision = decideOn(rules, facts, to)
	}
	if to == "" && w.Candidate != nil {
		w.Revision = w.Candidate.Revision
	}
	if w.Revision == "" {
		return w, nil
	}
	w.Message = s.promotes(w.Revision)
	if env, ok := s.Rules.Environment(s.Environment); ok && s.Release.Revision != "" {
		w.Stages = strings.TrimPrefix(strings.TrimSpace(stages(*env)), "Merged, ")
	}
	if w.Branch, err = k.asking(ctx, s, w.Revision); err != nil {
		return w, err
	}
	w.Blocked, err = k.Blocked(ctx, s, w.Revision, hotfix)
	return w, err
}

// decideOn decides as if a revision were the only one.
func decideOn(rules policies.Promotion, facts policies.PromotionFacts, revision string) policies.PromotionDecision {
	i := slices.IndexFunc(facts.Candidates, func(c policies.Candidate) bool { return c.Revision == revision })
	if i < 0 {
		return policies.PromotionDecision{Reason: fmt.Sprintf("%.7s is none of the commits after what is pinned that render here", revision)}
	}
	facts.Candidates = facts.Candidates[i : i+1]
	return rules.Decide(facts)
}

// Blocked is why the agent would refuse a pin, by the lines that the subject has of the environment itself and of those that
// releases come from; empty: it would not.
func (k *Keeper) Blocked(ctx context.Context, s Subject, revision string, hotfix bool) (string, error) {
	if k.memos == nil {
		k.memos = memos{}
	}
	own, of := s.Lines[s.Environment], record.Subject{Application: s.Application, Environment: s.Environment}
	facts := policies.PinFacts{Revision: revision, Branch: s.Repository.Branch, Hotfix: hotfix, First: len(record.Sequence(own, of)) == 0}
	var err error
	if facts.OnBranch, err = k.Git.IsAncestor(ctx, revision, s.Tip); err != nil && !errors.Is(err, gitsource.ErrNotFound) {
		return "", err
	}
	facts.ProvenHere = slices.ContainsFunc(record.Proven(own, of), func(l record.Line) bool { return l.Revision == revision })
	if facts.OnBranch {
		if facts.ProvenIn, err = ProvenIn(ctx, k.Git, s, revision, s.promotion().From); err != nil {
			return "", err
		}
	}
	if why := policies.MayPin(s.promotion().From, facts); why != "" {
		return why, nil
	}
	return k.fault(ctx, s, revision)
}

// fault is why an environment does not render at a revision; empty: it does.
func (k *Keeper) fault(ctx context.Context, s Subject, revision string) (string, error) {
	tree, err := k.Git.Tree(revision)
	if err != nil {
		return "", err
	}
	req, ok := s.at(tree, s.Environment)
	if !ok {
		return "there is no " + s.Environment + " of " + s.Application + " at " + revision[:7], nil
	}
	rendered, err := k.memos.of(s.Environment).of(ctx, s.Renderer, tree, s.Charts, req)
	if err != nil || rendered.fault == nil {
		return "", err
	}
	return rendered.fault.Error(), nil
}

// asking is the branch of a promotion where it pins a revision; empty: there is none, or it pins another.
func (k *Keeper) asking(ctx context.Context, s Subject, revision string) (string, error) {
	lane := k.promotionLane(s)
	refs, err := lane.in.Git.Fetch(ctx, "refs/heads/"+lane.branch)
	head := refs["refs/heads/"+lane.branch]
	if err != nil || head == "" {
		return "", err
	}
	if asks, _, err := lane.asksAt(ctx, head); err != nil || asks[s.file()] != revision {
		return "", err
	}
	return lane.branch, nil
}

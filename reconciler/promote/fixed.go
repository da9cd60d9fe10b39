package promote

import (
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice/policies"
)

// ofFixed is the decision about what a request asks for that is not moved: its words are to be of what is merged with it, and a
// newer candidate is only told of. Where what it asks for is none any more the decision is the one about all.
func ofFixed(rules policies.Promotion, facts policies.PromotionFacts, all policies.PromotionDecision, asks string) policies.PromotionDecision {
	if all.Candidate == nil || all.Candidate.Revision == asks {
		return all
	}
	i := slices.IndexFunc(facts.Candidates, func(c policies.Candidate) bool { return c.Revision == asks })
	if i < 0 {
		return all
	}
	facts.Candidates, facts.Fired = facts.Candidates[i:i+1], all.Fired
	fixed := rules.Decide(facts)
	if fixed.Candidate == nil {
		return all
	}
	fixed.Fired = all.Fired
	fixed.Reason += fmt.Sprintf("; %.7s is newer: %s", all.Candidate.Revision, all.Reason)
	return fixed
}

package promote

import (
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice/policies"
)

// ofFixed is the decision about what a request asks for that is not moved: its words are to be of what is merged with it, and a
// newer candidate is only told of. Where there is nothing to ask for at all it is the decision about that.
func ofFixed(rules policies.Promotion, facts policies.PromotionFacts, all policies.PromotionDecision, asks string) policies.PromotionDecision {
	if all.Candidate == nil || all.Candidate.Revision == asks {
		return all
	}
	var fixed policies.PromotionDecision
	if i := slices.IndexFunc(facts.Candidates, func(c policies.Candidate) bool { return c.Revision == asks }); i >= 0 {
		facts.Candidates, facts.Fired = facts.Candidates[i:i+1], all.Fired
		fixed = rules.Decide(facts)
	}
	if fixed.Candidate == nil {
		fixed = policies.PromotionDecision{
			Candidate: &policies.Candidate{Revision: asks}, Reason: "what its branch pins is not proven where it comes from", RetryAfter: all.RetryAfter,
		}
	}
	fixed.Fired = all.Fired
	fixed.Reason += fmt.Sprintf("; %.7s is newer: %s", all.Candidate.Revision, all.Reason)
	return fixed
}

package policies

import (
	"fmt"
	"slices"
	"strings"
)

// PinFacts is what is known of a revision that a release file pins.
type PinFacts struct {
	Revision string
	// Branch is polled; OnBranch: the revision is an ancestor of its tip.
	Branch   string
	OnBranch bool
	// ProvenHere: a line that counts says that it was proven in the target. Branches do get rewritten.
	ProvenHere bool
	// ProvenIn are the environments that it, or what is the same there, was ever proven in.
	ProvenIn []string
	// Hotfix: the release file lets it, or one that is the same, come from nowhere.
	Hotfix bool
	// First: no release was ever proven in the target.
	First bool
}

// MayPin says why a target may not take a pin; empty: it may. From are the environments that its releases come from, none where
// it has no promotion.
func MayPin(from []string, f PinFacts) string {
	var never []string
	for _, env := range from {
		if !slices.Contains(f.ProvenIn, env) {
			never = append(never, env)
		}
	}
	switch {
	case f.ProvenHere:
		return ""
	case !f.OnBranch:
		return fmt.Sprintf("%s is pinned, which is no commit of branch %q and was never proven here", short(f.Revision), f.Branch)
	case f.First || f.Hotfix || len(never) == 0:
		return ""
	}
	return fmt.Sprintf("%s is pinned, which was never proven in %s; hotfix: {revision: %s} in the release file lets it through",
		short(f.Revision), strings.Join(never, " and "), f.Revision)
}

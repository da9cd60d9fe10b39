package policies

import "fmt"

// again says of a release that was proven here before why it takes the stages all the same, for the end of a sentence: whoever
// reverts a revert sees in the note why that is no roll-back. Empty: it was never proven here, as far as is known.
func (s State) again(p Plan) string {
	i := s.proofOf(s.Release)
	switch {
	case i < 0:
		return ""
	case s.Sequence[i].Left != "":
		return "; it was proven here before, and left: " + s.Sequence[i].Left
	case i < s.proofOf(s.Proven):
		return fmt.Sprintf("; it was proven here after %s, so this is no roll-back", short(s.Proven.Revision))
	case i >= p.reach():
		return fmt.Sprintf("; it was proven here before the last %d, which can be rolled back to", p.reach())
	}
	return ""
}

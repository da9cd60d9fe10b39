package policies

import "slices"

// MostQuarantined bounds what is remembered of releases that were taken back: older ones are no tip's or tag's any more.
const MostQuarantined = 10

// quarantine notes that the release in the state failed and was taken back. By the same trigger it is not tried again, whatever
// runs meanwhile.
func (s State) quarantine() State {
	rest := slices.DeleteFunc(slices.Clone(s.Quarantined), s.Release.asked)
	s.Quarantined = slices.Insert(rest, 0, s.Release)
	s.Quarantined = s.Quarantined[:min(len(s.Quarantined), MostQuarantined)]
	return s
}

// barred refuses a release that is in quarantine and not the one in the state, which says itself how it is.
func (s State) barred(p Plan) Plan {
	if p.Release == (Release{}) || s.Release.asked(p.Release) || !slices.ContainsFunc(s.Quarantined, p.Release.asked) {
		return p
	}
	p.Refused = Refusal{
		Revision: p.Release.Revision, Trigger: p.Release.Trigger,
		Reason: "the release failed here before, and is tried again by a new trigger only: a commit that changes it, or another retry: in the release file",
	}
	p.Release = Release{}
	return p
}

// Fell reports whether a release failed here, whatever brought it, and nothing has proven it since. By what brought it then it
// is not tried again.
func (s State) Fell(r Release) bool {
	if s.Release.Same(r) {
		return s.Phase == Failed || s.Phase == RolledBack
	}
	i := s.proofOf(r)
	return (i < 0 || s.Sequence[i].Left != "") && slices.ContainsFunc(s.Quarantined, r.Same)
}

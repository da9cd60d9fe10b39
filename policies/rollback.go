package policies

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Proof is a release that was healthy to the end in its environment.
type Proof struct {
	Release
	// At is when it was last.
	At time.Time `json:"at,omitzero"`
	// Left is how it was left, where that withdrew its proof: by a failure, or by a roll-back. Empty: its proof counts.
	Left string `json:"left,omitempty"`
	// Versioned and Plain are the names that its configuration had, see [Staging]: by them its very pods come back.
	Versioned bool     `json:"versioned,omitempty"`
	Plain     []string `json:"plain,omitempty"`
	// Noted: it is known from notes alone, which do not say these names.
	Noted bool `json:"noted,omitempty"`
}

// defaultReach is how many of the last proven releases can be rolled back to, where the rules do not say: what is older is
// seldom meant, and data may have moved on since.
const defaultReach = 10

func (p Plan) reach() int { return cmp.Or(p.Reach, defaultReach) }

// Leaves is the release that a move to another one leaves by a roll-back: the proven one, where the other was proven before
// it, within reach, and was itself not left by a failure or a roll-back. Zero: the move is no roll-back.
func (s State) Leaves(p Plan, r Release) Release {
	left, to := s.proofOf(s.Proven), s.proofOf(r)
	if left < 0 || to <= left || to >= p.reach() || s.Sequence[to].Left != "" {
		return Release{}
	}
	return s.Proven
}

// proofOf is the place of a release in the sequence; below 0: it is not there.
func (s State) proofOf(r Release) int {
	return slices.IndexFunc(s.Sequence, func(p Proof) bool { return p.Same(r) })
}

// withdraw notes how a release was left: to come back it takes the stages.
func (s State) withdraw(r Release, left string) State {
	if i := s.proofOf(r); i >= 0 && s.Sequence[i].Left == "" {
		s.Sequence = slices.Clone(s.Sequence)
		s.Sequence[i].Left = left
	}
	return s
}

// unleft gives the proven release its proof again where a roll-back from it failed: it is back, and was not left after all.
// Git's last word would be that it was.
func (s State) unleft(told []Record) (State, []Record) {
	i := s.proofOf(s.Proven)
	if i < 0 || s.Sequence[i].Left == "" {
		return s, told
	}
	s.Sequence = slices.Clone(s.Sequence)
	s.Sequence[i].Left = ""
	return s, append(told, Record{Phase: Healthy, Release: s.Proven, Reason: "it is back, as " + short(s.Release.Revision) + " failed"})
}

// prove puts the release in front of the sequence. A roll-back leaves it where it stands: what was proven after it is not
// older for that. The same goes for a sequence that was read from notes.
func (s State) prove(p Plan, now time.Time) State {
	proof := Proof{Release: s.Release, At: now, Versioned: s.Versioned, Plain: s.Plain}
	stays := s.rolls() || s.Proven == (Release{})
	s.Proven, s.Sequence = s.Release, slices.Clone(s.Sequence)
	if at := s.proofOf(s.Release); at >= 0 && stays && (s.rolls() || s.Sequence[at].Left == "") {
		s.Sequence[at] = proof
		return s
	}
	s.Sequence = slices.DeleteFunc(s.Sequence, func(p Proof) bool { return p.Same(s.Release) })
	s.Sequence = slices.Insert(s.Sequence, 0, proof)
	s.Sequence = s.Sequence[:min(len(s.Sequence), p.reach())]
	return s
}

// rolls reports whether the release in the state came by a roll-back that is not over.
func (s State) rolls() bool { return s.From != (Release{}) }

// rollBack makes a release that has just begun a roll-back from another. Its pods get the names that they had.
func (s State) rollBack(p Plan, from Release) State {
	proof := s.Sequence[s.proofOf(s.Release)]
	if s.From, s.Assess, s.Told = from, true, p.Told; !proof.Noted {
		s.Versioned, s.Plain = proof.Versioned, proof.Plain
	}
	return s
}

// rolled says from where to where, for people; empty: it is no roll-back.
func (s State) rolled() string {
	if !s.rolls() {
		return ""
	}
	to := s.Release
	if i := s.proofOf(to); i >= 0 {
		to = s.Sequence[i].Release // the revision that was proven, which people know, and not the one of its revert
	}
	return "rolled back from " + short(s.From.Revision) + " to " + short(to.Revision) + saidBy(s.Told)
}

// sweep begins the one wave of a roll-back, in which all pods come back at once. With it the release that is left loses its
// proof.
func sweep(s State, p Plan, o Observation, told []Record) (State, []Record) {
	s = s.withdraw(s.From, s.rolled())
	told = append(told, Record{Phase: RolledBack, Release: s.From, Reason: s.rolled()})
	s.Assess, s.Phase, s.Reason, s.Staged = false, Progressing, s.rolled(), slices.Clone(o.Changed)
	s.Stage, s.StageBegan, s.Applied = len(p.Canary.steps())+1, o.Now, false
	if len(s.Staged) > 0 {
		s.Form = Wave
	}
	for i := range s.Staged {
		s.Staged[i].Order = 0
	}
	return s.unmoved(), told
}

// soon reports whether a roll-back is to end before a newer release begins, which is staged over what it brings back. It gets
// a minute for that; then what it left comes back, and the newer one begins from there.
func (s State) soon(now time.Time) bool {
	return s.rolls() && !s.Back && s.Phase != Failed && now.Before(s.since().Add(returnFor))
}

// supersededText is why an unproven release is taken back when Git asks for another.
func (s State) supersededText(p Plan) string {
	if s.goesBack(p.Release) {
		return "rolled back to " + short(s.Proven.Revision) + ", which is proven" + saidBy(p.Told)
	}
	return "superseded by a newer release"
}

// sweeping is what a wave says of itself, or else a release that finishes.
func (s State) sweeping(o Observation) string {
	return strings.TrimSuffix(cmp.Or(s.rolled(), wellText)+"; "+silent(s.Staged, o), "; ")
}

// saidBy is by whose word, for the end of a sentence.
func saidBy(by string) string {
	if by == "" {
		return ""
	}
	return "; " + by
}

// Return is the release that a person means who tells an environment to go back, whatever Git asks for: by a revision that was
// proven here, of which some digits will do, or "proven", which is the proven release where another is under way, and else
// the one before it. why says that there is none.
func (s State) Return(word string) (to Release, why string) {
	if word == "proven" {
		if s.Proven != (Release{}) && !s.goesBack(s.Release) {
			return s.Proven, ""
		}
		for _, proof := range s.Sequence[s.proofOf(s.Proven)+1:] {
			if proof.Left == "" {
				return proof.Release, ""
			}
		}
		return Release{}, "no release was proven here before this one"
	}
	if len(word) < 7 {
		return Release{}, fmt.Sprintf("%q is neither a revision, of 7 digits at least, nor proven", word)
	}
	for _, proof := range s.Sequence {
		switch {
		case !strings.HasPrefix(proof.Revision, word):
		case proof.Left != "":
			return Release{}, fmt.Sprintf("%s is proven here no more: %s", short(proof.Revision), proof.Left)
		default:
			return proof.Release, ""
		}
	}
	return Release{}, fmt.Sprintf("%s is not among the releases that were proven here last", word)
}

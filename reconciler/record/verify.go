package record

import (
	"cmp"
	"fmt"
	"slices"
)

// Standing is what a line is worth.
type Standing string

// The standings of a line. Only Verified decides.
const (
	Verified       Standing = "verified"
	UnknownKey     Standing = "unknown key"
	BadSignature   Standing = "bad signature"
	BrokenChain    Standing = "broken chain"
	UnknownVersion Standing = "unknown version"
	Unreadable     Standing = "unreadable"
	Unverified     Standing = "unverified" // no keys were given
)

// Verdict says what a line is worth, and why.
type Verdict struct {
	Standing Standing
	Detail   string // for people; empty for verified lines
}

// Decisive reports whether the line may decide anything.
func (v Verdict) Decisive() bool { return v.Standing == Verified }

// String returns "broken chain: the line after it is missing".
func (v Verdict) String() string {
	if v.Detail == "" {
		return string(v.Standing)
	}
	return string(v.Standing) + ": " + v.Detail
}

// Verify returns a verdict for each line, in the order of the lines. A chain can only be judged whole: lines
// must hold all lines of the environments in question.
//
// It cannot see that the newest lines of a chain were deleted; the agent that wrote them does ([Outbox.Lost]).
func Verify(lines []ParsedLine, keys Keyring) []Verdict {
	verdicts := make([]Verdict, len(lines))
	type chainKey struct {
		Subject
		key string
	}
	chains := map[chainKey][]int{}
	for i, line := range lines {
		verdicts[i] = check(line, keys)
		// A line of a later version may have changed its meaning, but not its place: without it, the lines
		// around it would look like a gap.
		if s := verdicts[i].Standing; s == Verified || s == UnknownVersion && signed(line, keys) == Verified {
			key := chainKey{line.Line.Subject(), line.Line.Key}
			chains[key] = append(chains[key], i)
		}
	}
	for _, chain := range chains {
		followChain(lines, chain, verdicts)
	}
	return verdicts
}

// check judges a line by itself.
func check(line ParsedLine, keys Keyring) Verdict {
	switch {
	case line.Err != nil:
		return Verdict{Unreadable, line.Err.Error()}
	case line.Line.Revision != line.Revision:
		return Verdict{BrokenChain, "it lies on " + shortHash(line.Revision) + " and names " + shortHash(clean(line.Line.Revision))}
	case line.Line.V != Version:
		return Verdict{UnknownVersion, fmt.Sprintf("version %d", line.Line.V)}
	case line.Line.Seq < 1 || line.Line.Seq > maxSeq:
		return Verdict{BadSignature, "its sequence number is out of range"}
	case keys.Empty():
		return Verdict{Unverified, "no keys were given"}
	}
	switch standing := signed(line, keys); standing {
	case UnknownKey:
		return Verdict{standing, fmt.Sprintf("key %q does not count for environment %q", clean(line.Line.Key), line.Line.Environment)}
	case BadSignature:
		return Verdict{standing, "it was edited or forged, or never signed"}
	default:
		return Verdict{Standing: standing}
	}
}

// signed judges the signature alone.
func signed(line ParsedLine, keys Keyring) Standing {
	candidates := keys.candidates(line.Line.Key, line.Line.Environment)
	if len(candidates) == 0 {
		return UnknownKey
	}
	payload, signature, ok := splitSignature(line.Text)
	if ok && slices.ContainsFunc(candidates, func(key PublicKey) bool { return key.verifies(payload, signature) }) {
		return Verified
	}
	return BadSignature
}

// followChain walks one chain from its newest line to its oldest. At the first line that is not followed by its
// own successor the walk is over: that line and all before it do not count, since what is missing or doubled
// after it might withdraw them. The beginning of a chain may be missing.
func followChain(lines []ParsedLine, chain []int, verdicts []Verdict) {
	slices.SortStableFunc(chain, func(a, b int) int { return cmp.Compare(lines[a].Line.Seq, lines[b].Line.Seq) })
	fault := ""
	for n := len(chain) - 1; n >= 0; n-- {
		this := lines[chain[n]].Line
		if fault == "" && n > 0 && lines[chain[n-1]].Line.Seq == this.Seq {
			fault = fmt.Sprintf("there are two lines %d", this.Seq)
		}
		if fault == "" && n < len(chain)-1 {
			if next := lines[chain[n+1]].Line; next.Prev != hash(this.payload()) {
				fault = breach(this, next)
			}
		}
		if fault != "" && verdicts[chain[n]].Standing == Verified {
			verdicts[chain[n]] = Verdict{BrokenChain, fault}
		}
	}
}

// breach says why next does not follow this.
func breach(this, next Line) string {
	switch next.Prev {
	case "":
		return fmt.Sprintf("the chain began anew with line %d", next.Seq)
	case this.Prev:
		return fmt.Sprintf("lines %d and %d follow the same line", this.Seq, next.Seq)
	default:
		return fmt.Sprintf("a line between %d and %d is missing", this.Seq, next.Seq)
	}
}

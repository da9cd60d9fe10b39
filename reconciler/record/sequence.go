package record

import (
	"slices"

	"github.com/sluice-cd/sluice/policies"
)

// Proof is a release that was proven: its newest Healthy line, and the line that withdrew its proof since, which is zero where
// none did.
type Proof struct{ Healthy, Left Line }

// Sequence returns the releases that were ever proven in an environment, the newest first, each once: at the place of the first
// Healthy line that no Failed or RolledBack line has followed, since to come back by a roll-back proves nothing new. lines must
// be those that count ([Counting]).
func Sequence(lines []Line, of Subject) (sequence []Proof) {
	history := History(lines, of)
	slices.Reverse(history)
	for _, line := range history {
		i := slices.IndexFunc(sequence, func(p Proof) bool { return p.Healthy.SameRelease(line) })
		switch {
		case line.Phase == policies.Failed || line.Phase == policies.RolledBack:
			if i >= 0 {
				sequence[i].Left = line
			}
		case line.Phase != policies.Healthy:
		case i >= 0 && sequence[i].Left.Phase == "":
			sequence[i].Healthy = line
		default:
			if i >= 0 {
				sequence = slices.Delete(sequence, i, i+1)
			}
			sequence = slices.Insert(sequence, 0, Proof{Healthy: line})
		}
	}
	return sequence
}

// Quarantined returns the RolledBack line of each release that failed in an environment and was taken back, the newest first. A
// release that was tried again since by the same trigger is none of them. lines must be those that count ([Counting]).
func Quarantined(lines []Line, of Subject) (quarantined []Line) {
	history := History(lines, of)
	for i, line := range history {
		asked := func(other Line) bool { return other.Trigger == line.Trigger && line.SameRelease(other) }
		if line.Phase != policies.RolledBack || slices.ContainsFunc(history[:i], asked) {
			continue
		}
		before := slices.IndexFunc(history[i+1:], asked)
		if before >= 0 && history[i+1+before].Phase == policies.Failed {
			quarantined = append(quarantined, line)
		}
	}
	return quarantined
}

package record

import (
	"cmp"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/policies"
)

// ParsedLine is a line as it was found in a note.
type ParsedLine struct {
	Revision string // the commit whose note it lies in
	Text     string // exactly as it stands there
	Line     Line   // the zero value where Err is set
	Err      error  // the text is no line: shown, never decisive
}

// ParseNotes reads the notes of one or more refs, by the commit that they lie on. It never fails: what is no line
// comes back with its error. The same line on the same commit, there twice after a union, comes back once; two
// different lines with one ID are both kept, since one of them must be forged. Sorted by application,
// environment, sequence and time, unreadable ones last.
func ParseNotes(notes map[string][]byte) []ParsedLine {
	type place struct{ revision, text string }
	seen := map[place]bool{}
	var lines []ParsedLine
	for revision, note := range notes {
		for text := range strings.SplitSeq(string(note), "\n") {
			text = strings.TrimSpace(text)
			if text == "" || seen[place{revision, text}] {
				continue
			}
			seen[place{revision, text}] = true
			line, err := ParseLine(text)
			lines = append(lines, ParsedLine{Revision: revision, Text: text, Line: line, Err: err})
		}
	}
	slices.SortFunc(lines, compareParsed)
	return lines
}

func compareParsed(a, b ParsedLine) int {
	unreadable := func(l ParsedLine) int {
		if l.Err != nil {
			return 1
		}
		return 0
	}
	return cmp.Or(
		cmp.Compare(unreadable(a), unreadable(b)),
		cmp.Compare(a.Line.Application, b.Line.Application),
		cmp.Compare(a.Line.Environment, b.Line.Environment),
		cmp.Compare(a.Line.Seq, b.Line.Seq),
		a.Line.At.Compare(b.Line.At),
		cmp.Compare(a.Text, b.Text),
		cmp.Compare(a.Revision, b.Revision),
	)
}

// Summary returns one sentence for people, also for what is no line.
func (p ParsedLine) Summary() string {
	if p.Err != nil {
		return "unreadable on " + shortHash(p.Revision) + ": " + cut(clean(p.Text), 80)
	}
	return p.Line.Summary()
}

// Counting returns the lines that decide: those that were verified, in their order. verdicts is what [Verify]
// said of the same lines.
func Counting(lines []ParsedLine, verdicts []Verdict) []Line {
	var counting []Line
	for i, line := range lines {
		if verdicts[i].Decisive() {
			counting = append(counting, line.Line)
		}
	}
	return counting
}

// Latest returns the newest line of each (application, environment), by sequence, then by time.
func Latest(lines []Line) map[Subject]Line {
	latest := map[Subject]Line{}
	for _, line := range lines {
		if known, ok := latest[line.Subject()]; !ok || compareLines(known, line) < 0 {
			latest[line.Subject()] = line
		}
	}
	return latest
}

// History returns what happened to one subject, the newest line first. An empty application or environment
// stands for all of them, newest by time.
func History(lines []Line, of Subject) []Line {
	var history []Line
	for _, line := range lines {
		if (of.Application == "" || of.Application == line.Application) &&
			(of.Environment == "" || of.Environment == line.Environment) {
			history = append(history, line)
		}
	}
	slices.SortStableFunc(history, func(a, b Line) int {
		if a.Subject() == b.Subject() {
			return compareLines(b, a)
		}
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Application, b.Application), cmp.Compare(a.Environment, b.Environment))
	})
	return history
}

// Proven returns the Healthy lines of releases that are proven in an environment and were not withdrawn since,
// the newest first, each release once. A Failed or RolledBack line of the same release withdraws its proof.
// lines must be those that count ([Counting]).
func Proven(lines []Line, of Subject) []Line {
	var proven, withdrawn []Line
	for _, line := range History(lines, of) {
		same := func(other Line) bool { return line.SameRelease(other) }
		switch {
		case line.Phase == policies.Failed || line.Phase == policies.RolledBack:
			withdrawn = append(withdrawn, line)
		case line.Phase != policies.Healthy, slices.ContainsFunc(withdrawn, same), slices.ContainsFunc(proven, same):
		default:
			proven = append(proven, line)
		}
	}
	return proven
}

// Unclosed returns the newest line of each release that was applied (or is being applied) and has no closing
// line since, the oldest first. At rest there is none: every release that was applied was closed, and a
// superseded one says so.
func Unclosed(lines []Line, of Subject) []Line {
	var open, closed []Line
	for _, line := range History(lines, of) {
		same := func(other Line) bool { return line.Revision == other.Revision && line.Trigger == other.Trigger }
		switch {
		case line.Phase.Closing():
			closed = append(closed, line)
		case line.Phase == policies.Pending, line.Phase == policies.Blocked, slices.ContainsFunc(closed, same), slices.ContainsFunc(open, same):
		default:
			open = append(open, line)
		}
	}
	slices.Reverse(open)
	return open
}

func compareLines(a, b Line) int {
	return cmp.Or(cmp.Compare(a.Seq, b.Seq), a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
}

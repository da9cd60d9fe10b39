package record

import (
	"slices"
	"strings"
)

// keptReleases is how many closed releases an outbox remembers: as far as a roll-back may go by default.
const keptReleases = 10

// Outbox is the part of the saved state that waits for Git. It is plain data; its methods return a new one and
// share nothing that is changed. The zero value is empty.
type Outbox struct {
	// Waiting are the exact texts of the lines that no push has confirmed, oldest first.
	Waiting []string `json:"waiting,omitempty"`
	// Closed are the closing lines of the last 10 releases, oldest first, one for each release. They are made
	// again when the notes lack them.
	Closed []string `json:"closed,omitempty"`
}

// Add returns the outbox with one more line, which [Maker.Make] made.
func (o Outbox) Add(l Line) Outbox {
	if text := l.Text(); !slices.Contains(o.Waiting, text) {
		o.Waiting = append(slices.Clip(o.Waiting), text)
	}
	if !l.Phase.Closing() {
		return o
	}
	closed := make([]string, 0, len(o.Closed)+1)
	for _, text := range o.Closed {
		if known, err := ParseLine(text); err == nil && (known.Revision != l.Revision || known.Trigger != l.Trigger) {
			closed = append(closed, text)
		}
	}
	closed = append(closed, l.Text())
	o.Closed = closed[max(0, len(closed)-keptReleases):]
	return o
}

// Confirm returns the outbox without the lines of these IDs: a push has put them into the notes.
func (o Outbox) Confirm(ids []string) Outbox {
	var waiting []string
	for _, text := range o.Waiting {
		if line, err := ParseLine(text); err == nil && !slices.Contains(ids, line.ID) {
			waiting = append(waiting, text)
		}
	}
	o.Waiting = waiting
	return o
}

// Lines returns the lines that wait, oldest first.
func (o Outbox) Lines() []Line { return parseAll(o.Waiting) }

// Size returns the bytes that the outbox takes in the saved state, before it is encoded.
func (o Outbox) Size() int {
	return len(strings.Join(o.Waiting, "")) + len(strings.Join(o.Closed, ""))
}

// Lost returns the closing lines that have to be made again, oldest first, where one of them that is not waiting
// any more is missing from the notes or does not count there; none if all is well. It returns all of them, not
// only the missing ones, so that the order in which things happened stays the order of the sequence. lines and
// verdicts must come from a fetch that began after the last call of Confirm: an older view lacks lines that are
// there, and each of its answers would make them once more.
//
// Each is given to [Maker.Make] and [Outbox.Add] as it is: it gets a new place in the chain and keeps its time.
func (o Outbox) Lost(lines []ParsedLine, verdicts []Verdict) []Line {
	counting := map[string]bool{}
	for i, line := range lines {
		if verdicts[i].Decisive() {
			counting[line.Text] = true
		}
	}
	for _, text := range o.Closed {
		if !counting[text] && !slices.Contains(o.Waiting, text) {
			return parseAll(o.Closed)
		}
	}
	return nil
}

func parseAll(texts []string) []Line {
	var lines []Line
	for _, text := range texts {
		if line, err := ParseLine(text); err == nil {
			lines = append(lines, line)
		}
	}
	return lines
}

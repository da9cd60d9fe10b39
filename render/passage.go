package render

import (
	"encoding/base64"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sluice-cd/sluice/render/helm"
)

// shownGenerated stands for what was generated, wherever people look.
const shownGenerated = "<generated>"

// passage is a text of which parts differ from render to render, in pieces: most of a configuration file with a password in
// it comes from Git, and a change of that must get through while the password stays.
type passage struct {
	encoded bool // the pieces are those of what the base64 stands for
	pieces  []piece
}

// piece is a line, or a block of PEM, with what ends it.
type piece struct {
	before, made, after string
	generated           bool // made is; otherwise before is all of it
}

// compared compares one render of a text with others. encoded: it is base64 whatever is in it, as the data of a Secret.
func compared(one string, others []string, encoded bool) passage {
	if plain, ok := decoded(one); ok {
		plains, same := make([]string, len(others)), true
		for i, other := range others {
			var fine bool
			plains[i], fine = decoded(other)
			same = same && fine && (encoded || helm.Marked(plains[i]))
		}
		if made := (passage{true, pieces(plain, plains)}); same && !made.whole() {
			return made
		}
	}
	made := passage{false, pieces(one, others)}
	if made.whole() {
		return wholly(one)
	}
	return made
}

// wholly is a text of which nothing comes from Git.
func wholly(made string) passage { return passage{pieces: []piece{{made: made, generated: true}}} }

// decoded is the text that base64 stands for; false where it is none.
func decoded(encoded string) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) == 0 || !utf8.Valid(raw) {
		return "", false
	}
	plain := string(raw)
	return plain, !strings.ContainsFunc(plain, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n", r) })
}

func pieces(one string, others []string) []piece {
	lines, columns := linesOf(one), make([][]string, len(others))
	for i, other := range others {
		if columns[i] = linesOf(other); len(columns[i]) != len(lines) {
			return []piece{{made: one, generated: true}}
		}
	}
	made := make([]piece, len(lines))
	for i, line := range lines {
		made[i] = piece{before: line}
		var differing []string
		for _, column := range columns {
			if column[i] != line {
				differing = append(differing, column[i])
			}
		}
		if len(differing) > 0 {
			made[i] = split(line, differing)
		}
	}
	return made
}

// linesOf cuts a text into its lines, each with its end, a block of PEM being one.
func linesOf(s string) (all []string) {
	inBlock := false
	for line := range strings.Lines(s) {
		if inBlock {
			all[len(all)-1] += line
		} else {
			all = append(all, line)
		}
		if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "-----BEGIN ") {
			inBlock = true
		} else if strings.HasPrefix(trimmed, "-----END ") {
			inBlock = false
		}
	}
	return all
}

// wordEnds are where what was generated may begin or end: chance might have given two renders the same first letter. An
// equals sign ends base64, and so may only stand before it.
const wordEnds = " \t\r\n\"'`:,;@&?|()[]{}<>"

// split finds the part of a line that differs from the others, widened to whole words.
func split(line string, others []string) piece {
	begin, end := len(line), 0 // the end counts from the back
	for i, other := range others {
		from, to := commonPrefix(line, other), commonSuffix(line, other)
		if begin = min(begin, from); i == 0 || to < end {
			end = to
		}
	}
	if strings.HasPrefix(strings.TrimSpace(line), "-----BEGIN ") {
		begin, end = 0, 0
	}
	end = max(begin, len(line)-end)
	for begin > 0 && !strings.ContainsRune(wordEnds+"=", rune(line[begin-1])) {
		begin--
	}
	for end < len(line) && !strings.ContainsRune(wordEnds, rune(line[end])) {
		end++
	}
	return piece{line[:begin], line[begin:end], line[end:], true}
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonSuffix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}

// whole reports whether nothing of the text comes from Git.
func (t passage) whole() bool {
	return !slices.ContainsFunc(t.pieces, func(p piece) bool { return !p.generated || p.before != "" || p.after != "" })
}

// with is the text with other parts in the place of those that were generated, in their order.
func (t passage) with(parts []string) string {
	var b strings.Builder
	for _, p := range t.pieces {
		b.WriteString(p.before)
		if p.generated {
			b.WriteString(parts[0])
			parts = parts[1:]
		}
		b.WriteString(p.after)
	}
	if t.encoded {
		return base64.StdEncoding.EncodeToString([]byte(b.String()))
	}
	return b.String()
}

// shown is the text as people see it. What was encoded is not any more, so that nobody takes it for what can be applied.
func (t passage) shown() string {
	t.encoded = false
	return t.with(slices.Repeat([]string{shownGenerated}, len(t.parts())))
}

// parts are what was generated, with what stands before each.
func (t passage) parts() (all []Part) {
	nth := map[string]int{}
	for _, p := range t.pieces {
		if p.generated {
			nth[p.before]++
			all = append(all, Part{After: p.before, Nth: nth[p.before], Text: p.made})
		}
	}
	return all
}

// in finds, in another text of the same place, what stands where the parts stand: nil for what is not found. Other lines
// may have come or gone.
func (t passage) in(other string) []*string {
	if t.whole() {
		return []*string{&other}
	}
	if plain, ok := decoded(other); ok && t.encoded {
		other = plain
	}
	var found []*string
	lines, used := linesOf(other), map[int]bool{}
	for at, p := range t.pieces {
		if !p.generated {
			continue
		}
		i := slices.IndexFunc(lines, p.fits)
		if strings.TrimSpace(p.before) == "" { // only its place says which line it is
			i = at
			if len(lines) != len(t.pieces) || !p.fits(lines[i]) {
				i = -1
			}
		}
		for i >= 0 && used[i] {
			next := slices.IndexFunc(lines[i+1:], p.fits)
			i += 1 + next
			if next < 0 {
				i = -1
			}
		}
		if i < 0 {
			found = append(found, nil)
			continue
		}
		used[i] = true
		part := strings.TrimSuffix(strings.TrimPrefix(lines[i], p.before), p.ending(lines[i]))
		found = append(found, &part)
	}
	return found
}

// ending is what stands after the part in a line: at the end of a text the line may have no end.
func (p piece) ending(line string) string {
	if !strings.HasSuffix(line, "\n") {
		return strings.TrimSuffix(p.after, "\n")
	}
	return p.after
}

func (p piece) fits(line string) bool {
	after := p.ending(line)
	return len(line) > len(p.before)+len(after) && strings.HasPrefix(line, p.before) && strings.HasSuffix(line, after)
}

package reconciler

import (
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/apply"
)

// mostMarkdown bounds the lines of a diff in a merge request, at some 200 bytes each a third of what forges take for its text.
const mostMarkdown = 100

// Markdown is the diff for the text of a merge request: what it means first, then the fields, folded where there are many.
// Whatever names and values hold, it stays inside its code block, mentions nobody and links nowhere.
func (d ObjectDiff) Markdown() string {
	if !d.Different() {
		return "No object differs.\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "**Objects**, from %s to %s: %s.\n", d.From.text(), d.To.text(), d.counts())
	for _, part := range d.parts()[:len(d.parts())-3] {
		for i, o := range part.objects {
			if i == 0 {
				fmt.Fprintf(&b, "\n%s:\n\n", part.title)
			}
			fmt.Fprintf(&b, "- %s\n", codeSpan(o.text()))
		}
	}
	lines := d.fenced()
	more := len(lines) - mostMarkdown
	if more > 0 {
		lines = lines[:mostMarkdown]
	}
	text := strings.Join(lines, "\n")
	fence := strings.Repeat("`", max(3, longestRun(text, '`')+1))
	if len(lines) > mostLines {
		b.WriteString("\n<details><summary>All fields</summary>\n")
	}
	fmt.Fprintf(&b, "\n%sdiff\n%s\n%s\n", fence, text, fence)
	if more > 0 {
		fmt.Fprintf(&b, "\n… and %d more lines, which `sluice diff` shows.\n", more)
	}
	if len(lines) > mostLines {
		b.WriteString("\n</details>\n")
	}
	return b.String()
}

// counts says how many objects there are of each kind of change.
func (d ObjectDiff) counts() string {
	words := []string{"created", "changed", "deleted"}
	if d.between() {
		words = []string{"only in " + d.To.Environment, "different", "only in " + d.From.Environment}
	}
	var counts []string
	for i, n := range []int{len(d.Created), len(d.Changed), len(d.Deleted)} {
		if n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, words[i]))
		}
	}
	return strings.Join(append(counts, fmt.Sprintf("%d unchanged", d.Unchanged)), ", ")
}

// fenced are the lines of the code block: what comes and goes, in the form of a text diff, so that forges colour it.
func (d ObjectDiff) fenced() (lines []string) {
	for _, part := range d.parts()[len(d.parts())-3:] {
		for _, o := range part.objects {
			mark := part.mark
			if mark == DiffChanged {
				mark = DiffPlain
			}
			lines = append(lines, string(mark)+" "+o.text())
			for _, f := range o.Fields {
				lines = append(lines, f.fenced()...)
			}
		}
	}
	return lines
}

func (f DiffField) fenced() (lines []string) {
	path := "    " + oneLine(f.Path)
	before, isText := f.Before.(string)
	after, stays := f.After.(string)
	switch {
	case f.Reordered:
		return []string{" " + path + ": the same in another order"}
	case f.hidden():
		return []string{" " + path + ": another " + apply.HiddenValue}
	case isText && stays && strings.Contains(before+after, "\n"):
		lines = append(lines, " "+path+":")
		for _, l := range textLines(before, after) {
			lines = append(lines, string(l.Mark)+"    "+strings.TrimPrefix(strings.TrimSpace(l.Text), string(l.Mark)))
		}
		return lines
	}
	if f.Before != nil {
		lines = append(lines, "-"+path+": "+shownValue(f.Before))
	}
	if f.After != nil {
		lines = append(lines, "+"+path+": "+shownValue(f.After))
	}
	return lines
}

// codeSpan is a text that Markdown takes as it stands. See https://spec.commonmark.org/0.31.2/#code-spans
func codeSpan(text string) string {
	ticks := strings.Repeat("`", longestRun(text, '`')+1)
	if strings.Contains(text, "`") {
		return ticks + " " + text + " " + ticks
	}
	return ticks + text + ticks
}

// longestRun is the length of the longest run of a character.
func longestRun(text string, of rune) (longest int) {
	run := 0
	for _, r := range text {
		if run++; r != of {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

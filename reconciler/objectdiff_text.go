package reconciler

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/sluice-cd/sluice/reconciler/apply"
)

// DiffMark says what a line of an object diff is about, so that it can be coloured.
type DiffMark string

// The marks of lines.
const (
	DiffPlain   DiffMark = " "
	DiffAdded   DiffMark = "+"
	DiffRemoved DiffMark = "-"
	DiffChanged DiffMark = "~"
)

// DiffLine is one line of an object diff as people read it.
type DiffLine struct {
	Mark DiffMark
	Text string
}

// longestShown bounds the text of one value, and mostLines the lines of a text that are shown of one field: who wants more
// asks for JSON.
const (
	longestShown = 160
	mostLines    = 24
)

// Lines are the diff as people read it in a terminal: a line for each field, old → new.
func (d ObjectDiff) Lines() []DiffLine {
	lines := []DiffLine{{DiffPlain, fmt.Sprintf("%s: %s → %s", d.Application, d.From.text(), d.To.text())}}
	if !d.Different() {
		lines = append(lines, DiffLine{DiffPlain, fmt.Sprintf("No object differs; the same: %d", d.Unchanged)})
		for _, o := range d.Encrypted {
			lines = append(lines, DiffLine{DiffPlain, "  " + o.text()})
		}
		return lines
	}
	for _, part := range d.parts() {
		if len(part.objects) == 0 {
			continue
		}
		lines = append(lines, DiffLine{DiffPlain, ""}, DiffLine{DiffPlain, fmt.Sprintf("%s: %d", part.title, len(part.objects))})
		for _, o := range part.objects {
			lines = append(lines, DiffLine{part.mark, string(part.mark) + " " + o.text()})
			for _, f := range o.Fields {
				lines = append(lines, f.lines()...)
			}
		}
	}
	if d.Unchanged > 0 {
		lines = append(lines, DiffLine{DiffPlain, ""}, DiffLine{DiffPlain, fmt.Sprintf("Unchanged: %d", d.Unchanged)})
	}
	return lines
}

type diffPart struct {
	title   string
	mark    DiffMark
	objects []DiffObject
}

// parts are the groups of a diff in the order in which they matter.
func (d ObjectDiff) parts() []diffPart {
	if d.between() {
		return []diffPart{
			{"Other pods", DiffChanged, d.Restarts}, {"Only in " + d.To.Environment, DiffAdded, d.Created},
			{"Different", DiffChanged, d.Changed}, {"Only in " + d.From.Environment, DiffRemoved, d.Deleted},
		}
	}
	return []diffPart{
		{"Pods are replaced", DiffChanged, d.Restarts}, {"Running pods keep what they read before", DiffChanged, d.Stale},
		{"Encrypted", DiffPlain, d.Encrypted},
		{"Created", DiffAdded, d.Created}, {"Changed", DiffChanged, d.Changed}, {"Deleted", DiffRemoved, d.Deleted},
	}
}

// text names a side: "production at 1a2b3c4", "production in the working folder", "production in the cluster".
func (s DiffSide) text() string {
	switch {
	case s.Live:
		return s.Environment + " in the cluster"
	case s.Revision == "":
		return s.Environment + " in the working folder"
	}
	return fmt.Sprintf("%s at %.7s", s.Environment, s.Revision)
}

func (o DiffObject) text() string {
	if o.Reason == "" {
		return oneLine(o.Object)
	}
	return oneLine(o.Object) + ": " + oneLine(o.Reason)
}

// lines show a field: one line, or where a text of several lines changes, its lines.
func (f DiffField) lines() []DiffLine {
	path := "    " + oneLine(f.Path)
	before, isText := f.Before.(string)
	after, stays := f.After.(string)
	switch {
	case f.Reordered:
		return []DiffLine{{DiffChanged, path + ": the same in another order"}}
	case f.hidden():
		return []DiffLine{{DiffChanged, path + ": another " + apply.HiddenValue}}
	case isText && stays && strings.Contains(before+after, "\n"):
		return append([]DiffLine{{DiffChanged, path + ":"}}, textLines(before, after)...)
	case f.Before == nil:
		return []DiffLine{{DiffAdded, path + ": " + shownValue(f.After)}}
	case f.After == nil:
		return []DiffLine{{DiffRemoved, path + ": " + shownValue(f.Before) + " goes"}}
	}
	return []DiffLine{{DiffChanged, fmt.Sprintf("%s: %s → %s", path, shownValue(f.Before), shownValue(f.After))}}
}

// hidden reports whether both values are a Secret's.
func (f DiffField) hidden() bool {
	return f.Before == apply.HiddenValue && f.After == apply.HiddenValue
}

// textLines are the lines between the first and the last that differ.
func textLines(before, after string) []DiffLine {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var lines []DiffLine
	for _, part := range []struct {
		mark DiffMark
		text []string
	}{{DiffRemoved, a}, {DiffAdded, b}} {
		for _, line := range part.text[:min(len(part.text), mostLines/2)] {
			lines = append(lines, DiffLine{part.mark, fmt.Sprintf("      %s %s", part.mark, cutShown(oneLine(line)))})
		}
		if more := len(part.text) - mostLines/2; more > 0 {
			lines = append(lines, DiffLine{part.mark, fmt.Sprintf("      %s … and %d more lines", part.mark, more)})
		}
	}
	return lines
}

// shownValue is a value in one line. A string has quotes only where it could be taken for something else.
func shownValue(value any) string {
	text, ok := value.(string)
	if ok && text != "" && text == oneLine(text) && text == strings.TrimSpace(text) && !looksTyped(text) {
		return cutShown(text)
	}
	var raw strings.Builder
	encoder := json.NewEncoder(&raw)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return cutShown(oneLine(fmt.Sprint(value)))
	}
	return cutShown(oneLine(strings.TrimSpace(raw.String())))
}

// looksTyped reports whether a text without quotes reads as a number, a truth value, nothing, or a collection.
func looksTyped(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || slices.Contains([]string{"true", "false", "null"}, text) || strings.ContainsAny(text[:1], `{["`)
}

func cutShown(text string) string {
	if runes := []rune(text); len(runes) > longestShown {
		return string(runes[:longestShown]) + "…"
	}
	return text
}

// oneLine leaves out what could end a line or repaint a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

package dashboard

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"unicode"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// badge answers /badge/shop/production.svg: phase and revision of an environment, as a picture for a README. Where there is no
// such environment, or the viewer may not see it, it is grey, says "unknown", and has the status 404: programs see that there
// is nothing, and browsers draw it all the same.
func (s *Server) badge(w http.ResponseWriter, r *http.Request, from view.Source) error {
	environment, isSVG := strings.CutSuffix(r.PathValue("file"), ".svg")
	status, picture := http.StatusNotFound, badgeOf("sluice", "unknown", grey)
	if cell, origin, err := badgeFor(r, from, environment); err == nil && isSVG {
		status, picture = http.StatusOK, cellBadge(cell, origin)
	} else if err != nil && !errors.Is(err, view.ErrUnknown) {
		return err
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "private, max-age=60") // what one may see is not for all who ask a cache
	w.WriteHeader(status)
	_, _ = w.Write([]byte(picture)) //nolint:errcheck // who asked is gone
	return nil
}

// badgeFor finds the cell of the application that a path names.
func badgeFor(r *http.Request, from view.Source, environment string) (view.Cell, view.Origin, error) {
	board, err := from.Board(r.Context())
	if err != nil {
		return view.Cell{}, "", err
	}
	for _, c := range board.Cells {
		if c.Application == r.PathValue("app") && c.Environment == environment {
			return c, board.Origin, nil
		}
	}
	return view.Cell{}, "", view.ErrUnknown
}

// The colours of badges. White text on each has a contrast of 4.5 to 1 at least.
const (
	grey  = "#5c6370"
	green = "#1a7f37"
	blue  = "#0969da"
	amber = "#8a5a00"
	red   = "#c01c28"
)

// cellBadge says phase and revision in words; the colour says it once more. What was only reported, by a line that may not even
// count, is never green.
func cellBadge(c view.Cell, origin view.Origin) string {
	phase, colour := phaseOf(c), grey
	doubtful := c.Stale != "" || !counts(c.Standing) || c.Verdict == "retry"
	switch {
	case !counts(c.Standing):
	case c.Phase == "Failed", c.Phase == "RolledBack", c.Phase == "Blocked", c.Health == view.Sick:
		colour = red
	case doubtful, origin == view.FromNotes && c.IsWell():
	case c.IsWell():
		colour = green
	case c.Phase == "Progressing", c.Phase == "Promoting":
		colour = blue
	case c.Phase != "":
		colour = amber
	}
	if origin == view.FromNotes {
		phase = "reported " + phase
	}
	if doubtful {
		phase += "?"
	}
	return badgeOf(c.Key.String(), strings.TrimSpace(phase+" "+shortRevision(c.Release.Revision)), colour)
}

// phaseOf is the phase as people read it.
func phaseOf(c view.Cell) string {
	if c.Phase == "" {
		return "unknown"
	}
	return c.Phase
}

func shortRevision(revision string) string { return revision[:min(len(revision), 7)] }

// badgeShape is two fields beside one another. Sizes are those of 11 px text; the text itself is stretched to the place that it
// was given, so that another font changes nothing.
const badgeShape = `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="20" role="img" aria-label="%[4]s: %[5]s"><title>%[4]s: %[5]s</title>` +
	`<rect width="%[1]d" height="20" rx="3" fill="#3b4048"/><path d="M%[2]d 0h%[7]dq3 0 3 3v14q0 3 -3 3h-%[7]dz" fill="%[6]s"/>` +
	`<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">` +
	`<text x="6" y="14" textLength="%[8]d">%[4]s</text><text x="%[3]d" y="14" textLength="%[9]d">%[5]s</text></g></svg>`

func badgeOf(left, right, colour string) string {
	left, right = plainText(left, longestBadge), plainText(right, longestBadge)
	a, b := textWidth(left), textWidth(right)
	return fmt.Sprintf(badgeShape, a+b+24, a+12, a+18, template.HTMLEscapeString(left), template.HTMLEscapeString(right), colour, b+9, a, b)
}

const longestBadge = 80

// plainText is a text in one line, without what could change how the rest is read: control characters, and marks that turn the
// direction of writing.
func plainText(text string, longest int) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar, unicode.Is(unicode.Noncharacter_Code_Point, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest-1]) + "…"
	}
	return text
}

// textWidth is how many pixels a text needs at 11 px, by the classes of letters that Verdana has.
func textWidth(text string) int {
	tenths := 0
	for _, r := range text {
		switch {
		case strings.ContainsRune("ijlI.,:;'|!", r):
			tenths += 40
		case strings.ContainsRune(" frt/()[]-", r):
			tenths += 48
		case strings.ContainsRune("mwMW@%", r):
			tenths += 108
		case r > unicode.MaxLatin1:
			tenths += 110
		case unicode.IsUpper(r):
			tenths += 78
		default:
			tenths += 68
		}
	}
	return (tenths + 9) / 10
}

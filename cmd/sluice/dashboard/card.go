package dashboard

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// card is what a pasted link says of a page, by https://ogp.me. The template "og" puts it into a page's head.
type card struct{ Title, Description string }

const longestCard = 200

// cellCard says "shop/production: Healthy 4f1c0c2, 3 h ago". From notes alone it says that this was reported.
func cellCard(c view.Cell, origin view.Origin, now time.Time) card {
	said := phaseOf(c)
	switch {
	case !counts(c.Standing):
		said = "said to be " + said
	case origin == view.FromNotes:
		said = "last reported " + said
	case c.Stale != "", c.Verdict == "retry":
		said = "last seen " + said
	}
	title := fmt.Sprintf("%s: %s %s", c.Key, said, shortRevision(c.Release.Revision))
	if !c.Since.IsZero() {
		title = strings.TrimSpace(title) + ", " + ago(c.Since, now)
	}
	why := c.Reason
	if c.Stale != "" {
		why = c.Stale
	}
	if why == "" {
		why = c.Release.Subject
	}
	return card{plainText(title, longestCard), plainText(why, longestCard)}
}

// boardCard says how many environments there are, and how many of them somebody has to look at.
func boardCard(title string, board view.Board) card {
	n, first := 0, ""
	for _, c := range board.Cells {
		if c.IsWell() {
			continue
		}
		if n++; first == "" {
			first = strings.TrimSpace(fmt.Sprintf("%s is %s: %s", c.Key, phaseOf(c), c.Reason))
		}
	}
	description := fmt.Sprintf("%d environments, all well", len(board.Cells))
	if board.Origin == view.FromNotes {
		description = fmt.Sprintf("%d environments, all reported well", len(board.Cells))
	}
	if n > 0 {
		description = fmt.Sprintf("%d of %d environments are not simply well. %s", n, len(board.Cells), strings.TrimSuffix(first, ":"))
	}
	return card{plainText(title, longestCard), plainText(description, longestCard)}
}

// onlyOf is a board of one application.
func onlyOf(board view.Board, application string) view.Board {
	board.Cells = slices.DeleteFunc(slices.Clone(board.Cells), func(c view.Cell) bool { return c.Application != application })
	return board
}

// ago is a time with its one largest unit: "3 h ago".
func ago(at, now time.Time) string {
	const day = 24 * time.Hour
	switch d := now.Sub(at); {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h ago", d/time.Hour)
	default:
		return fmt.Sprintf("%d days ago", d/day)
	}
}

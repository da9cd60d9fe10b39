package dashboard

import (
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

type timeOf = time.Time

// state is what one wants to know first of an environment. Each is in one.
type state string

const (
	well     state = "well"
	changing state = "changing"
	waiting  state = "waiting" // for a person, a window, or another release
	sick     state = "sick"
	unknown  state = "unknown" // it was not seen, or not lately, or nobody who counts says so
)

// states are all of them, what is worst first.
func states() []state { return []state{sick, waiting, changing, unknown, well} }

// worse is the place of a state among all.
func (s state) worse() int {
	for i, other := range states() {
		if s == other {
			return i
		}
	}
	return len(states())
}

// Icon of a state.
func (s state) Icon() string { return string(s) }

// counts reports whether a line with this standing decides anything. What an agent says itself has none.
func counts(standing string) bool { return standing == "" || standing == "verified" }

// cell is an environment as it is shown.
type cell struct {
	view.Cell
	Origin view.Origin
	State  state
}

func cellOf(board view.Board, c view.Cell) cell {
	return cell{Cell: c, Origin: board.Origin, State: stateOf(c)}
}

func stateOf(c view.Cell) state {
	switch {
	case c.Stale != "" || !counts(c.Standing):
		return unknown
	case c.Health == view.Sick:
		return sick
	case c.Phase == "Healthy" && c.Verdict == "retry": // nobody could look
		return unknown
	case c.Paused, c.Phase == "RolledBack": // what serves is well, and a person has to decide
		return waiting
	case c.Phase == "Failed", c.Phase == "Blocked", c.Verdict == "stall":
		return sick
	case c.Phase == "Pending", c.Next != nil, len(c.Drifted) > 0, waitsForAPerson(c):
		return waiting
	case c.Phase == "" || c.Health == view.Unseen:
		return unknown
	case c.Phase == "Healthy" && c.Health != view.Changing:
		return well
	}
	return changing
}

func waitsForAPerson(c view.Cell) bool {
	if c.Canary != nil && c.Canary.Approve > 0 {
		return true
	}
	for _, r := range c.Requests {
		if r.Due {
			return true
		}
	}
	return false
}

// URL is the page of the release that is there.
func (c cell) URL() string { return address("a", c.Application, c.Environment) }

// ID is the cell's element.
func (c cell) ID() string { return id("c", c.Application, c.Environment) }

// Reported is a state that was so when it was written down, and that nobody looked at since.
func (c cell) Reported() bool { return c.Origin == view.FromNotes }

// Icon is that of the state, or of what says more than it.
func (c cell) Icon() string {
	switch {
	case c.Reported() && c.State == well:
		return "reported"
	case c.Paused:
		return "paused"
	case c.State == waiting && c.Phase == "RolledBack":
		return "back"
	}
	return c.State.Icon()
}

// Word is the phase as people say it. Where nobody looked just now, it says what was so last.
func (c cell) Word() string {
	word := phaseWord(c.Phase)
	switch {
	case word == "":
		return "Not known yet"
	case !counts(c.Standing):
		return "Said to be " + lowered(word)
	case c.Origin == view.FromNotes:
		return "Last reported " + lowered(word)
	case c.Stale != "", c.Phase == "Healthy" && c.Verdict == "retry":
		return "Last seen " + lowered(word)
	case c.Paused:
		return "Paused, " + lowered(word)
	case c.Phase == "Healthy" && c.Health == view.Sick:
		return "Degraded"
	case c.Phase == "Healthy" && c.Health == view.Changing:
		return "Changing"
	}
	return word
}

func phaseWord(phase string) string {
	if phase == "RolledBack" {
		return "Rolled back"
	}
	return phase
}

func lowered(word string) string { return strings.ToLower(word[:1]) + word[1:] }

// Why is one line of why it is not simply well.
func (c cell) Why() string {
	switch {
	case !counts(c.Standing):
		return "The line's signature does not count: " + c.Standing + "."
	case c.Stale != "":
		return c.Stale
	case c.Reason != "":
		return c.Reason
	case len(c.NotWell) > 0:
		return c.NotWell[0].Object + ": " + c.NotWell[0].Reason
	case len(c.Drifted) > 0:
		return "Differs from Git: " + strings.Join(c.Drifted, ", ")
	}
	return ""
}

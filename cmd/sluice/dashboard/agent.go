package dashboard

import (
	"net/http"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// agentPage is what an agent is itself.
type agentPage struct {
	page
	Agent    view.Agent
	Calendar calendar
	Partial  bool // the viewer does not see all applications, so not all of this
}

func (s *Server) agent(w http.ResponseWriter, r *http.Request, from view.Source) error {
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	p := agentPage{page: s.newPage(from, "Agent", "agent", board), Agent: board.Agent}
	p.Calendar = calendarOf(board.Agent.Windows, board.At)
	if v, ok := from.(visible); ok {
		p.Partial = v.viewer.Sees != nil
	}
	return s.show(w, r, "agent", board.At, p)
}

// calendar is the windows of the days ahead, a line each. It is 700 wide, a hundred a day.
type calendar struct {
	Days []day
	Rows []calendarRow
}

// day is where one begins.
type day struct {
	X    float64
	Text string
}

// calendarRow is the windows of one environment, or of all.
type calendarRow struct {
	Name  string
	Marks []mark
}

// calendarOf draws the seven days from the beginning of today, in UTC. It moves once a day, so pages do not change with the clock.
func calendarOf(windows []view.Window, at time.Time) calendar {
	const wide, days = 100.0, 7
	begin := at.UTC().Truncate(24 * time.Hour)
	end := begin.AddDate(0, 0, days)
	var c calendar
	for i := range days {
		c.Days = append(c.Days, day{float64(i) * wide, begin.AddDate(0, 0, i).Format("Mon 2 Jan")})
	}
	rows := map[string]int{}
	for _, w := range windows {
		if !w.Until.After(begin) || !w.From.Before(end) {
			continue
		}
		name := nameOf(w)
		i, ok := rows[name]
		if !ok {
			i = len(c.Rows)
			rows[name] = i
			c.Rows = append(c.Rows, calendarRow{Name: name})
		}
		x := max(0, w.From.Sub(begin).Hours()/24*wide)
		m := mark{X: rounded(x), W: rounded(max(1, min(days*wide, w.Until.Sub(begin).Hours()/24*wide)-x)), Class: "deny"}
		if w.Allow {
			m.Class = "allow"
		}
		c.Rows[i].Marks = append(c.Rows[i].Marks, m)
	}
	return c
}

// nameOf is what a window is of.
func nameOf(w view.Window) string {
	switch {
	case w.Application == "" && w.Environment == "":
		return "everything"
	case w.Application == "":
		return "all of " + w.Environment
	case w.Environment == "":
		return w.Application
	}
	return w.Key.String()
}

// NameOf is what a window is of.
func (p agentPage) NameOf(w view.Window) string { return nameOf(w) }

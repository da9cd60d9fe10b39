package dashboard

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

const (
	// columns is how many environments are columns at most. With more, as where each branch has one, they stand one after another.
	columns = 6
	// cellsOfRow is how many of those an application shows at most, the worst first; all are on its own page.
	cellsOfRow = 40
	// cellsOfPage is how many environments a page shows at most.
	cellsOfPage = 400
)

// homePage is applications by environments.
type homePage struct {
	page
	Filter  filter
	Counts  []count
	Total   int      // environments that there are
	Apps    int      // applications that there are
	Found   int      // applications that are left by the filter
	Columns []string // nil: too many to be columns
	Groups  []group
	Pages   int
	Choices choices
	Young   bool // the agent has hardly started
}

// count is how many environments are in a state, and where to see only those.
type count struct {
	State state
	Of    int
	Word  string
	URL   string
	On    bool
}

// group is applications under one heading; the heading is empty where they are not grouped.
type group struct {
	Name string
	Rows []row
}

// row is an application. Cells are by column; nil where it has no such environment.
type row struct {
	Application string
	Labels      map[string]string
	Repository  string
	Cells       []*cell
	More        int // environments that are not shown
}

// URL is the application's page.
func (r row) URL() string { return address("a", r.Application) }

// ID is the row's element.
func (r row) ID() string { return id("a", r.Application) }

func (s *Server) home(w http.ResponseWriter, r *http.Request, from view.Source) error {
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	f := filterOf(r.URL.Query())
	p := homePage{page: s.newPage(from, "Applications", "home", board), Filter: f, Choices: choicesOf(board)}
	p.Young = !board.Agent.Started.IsZero() && s.config.Now().Sub(board.Agent.Started) < time.Minute
	rows, all := f.rows(board)
	p.Total, p.Apps, p.Found = len(board.Cells), all, len(rows)
	if p.Counts = countsOf(board, f); p.Counts[0].Of > 0 { // a tab that is not looked at says it too
		p.Title = fmt.Sprintf("%d %s · Applications", p.Counts[0].Of, p.Counts[0].Word)
	}
	pages := paged(rows, f.Per)
	p.Pages = len(pages)
	p.Filter.Page = min(f.Page, p.Pages)
	rows = pages[p.Filter.Page-1]
	if p.Columns = columnsOf(rows); p.Columns == nil {
		for i := range rows {
			rows[i].shorten()
		}
	}
	p.Groups = grouped(rows, p.Columns, f.Group)
	return s.show(w, r, "home", board.At, p)
}

// paged parts rows into pages, of which there is one at least.
func paged(rows []row, per int) (pages [][]row) {
	begin, cells := 0, 0
	for i, r := range rows {
		n := min(len(r.Cells), cellsOfRow)
		if i-begin == per || i > begin && cells+n > cellsOfPage {
			pages, begin, cells = append(pages, rows[begin:i]), i, 0
		}
		cells += n
	}
	return append(pages, rows[begin:])
}

// shorten leaves the worst of very many environments.
func (r *row) shorten() {
	if r.More = len(r.Cells) - cellsOfRow; r.More <= 0 {
		r.More = 0
		return
	}
	r.Cells = slices.SortedStableFunc(slices.Values(r.Cells), func(a, b *cell) int { return cmp.Compare(a.State.worse(), b.State.worse()) })[:cellsOfRow]
}

// countsOf counts states among what the rest of the filter leaves.
func countsOf(board view.Board, f filter) []count {
	state := f.State
	f.State, f.Unwell = "", false
	of := map[string]int{}
	for _, c := range board.Cells {
		if c := cellOf(board, c); f.takes(c) {
			of[string(c.State)]++
		}
	}
	words := map[string]string{"well": "well", "changing": "changing", "waiting": "waiting", "sick": "sick", "unknown": "not known"}
	if board.Origin == view.FromNotes {
		words["well"] = "last reported well"
	}
	var out []count
	for _, s := range []string{"sick", "waiting", "changing", "well", "unknown"} {
		if s == "unknown" && of[s] == 0 && state != s {
			continue
		}
		f.State, f.Page = s, 1
		c := count{stateNamed(s), of[s], words[s], f.URL(), state == s}
		if c.On {
			f.State = ""
			c.URL = f.URL()
		}
		out = append(out, c)
	}
	return out
}

func stateNamed(name string) state {
	for _, s := range states() {
		if string(s) == name {
			return s
		}
	}
	return ""
}

// Narrowed reports whether anything is filtered.
func (p homePage) Narrowed() bool {
	f := p.Filter
	return f.Query != "" || f.Env != "" || f.State != "" || f.Phase != "" || f.Unwell || f.Label != ""
}

// Before and After are the pages beside; empty at the ends.
func (p homePage) Before() string { return p.at(p.Filter.Page - 1) }

// After is the next page.
func (p homePage) After() string { return p.at(p.Filter.Page + 1) }

func (p homePage) at(n int) string {
	if n < 1 || n > p.Pages {
		return ""
	}
	f := p.Filter
	f.Page = n
	return f.URL()
}

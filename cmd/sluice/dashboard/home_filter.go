package dashboard

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// filter is what is asked of the home page. All of it is in the address, so that any view of it can be sent to somebody.
type filter struct {
	Query  string
	Env    string
	State  string
	Phase  string
	Label  string // key=value
	Unwell bool   // applications that are well everywhere are left out
	Group  string // repository, cluster, or a label's key
	Sort   string // worst (or empty), name, or age
	Page   int
	Per    int
}

func filterOf(q url.Values) filter {
	f := filter{
		Query: strings.TrimSpace(q.Get("q")), Env: q.Get("env"), State: q.Get("state"), Phase: q.Get("phase"), Label: q.Get("label"),
		Unwell: q.Get("unwell") != "", Group: q.Get("group"), Sort: q.Get("sort"), Page: 1, Per: 40,
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil {
		f.Page = min(max(1, n), 1_000_000)
	}
	return f
}

// URL is the home page filtered like this.
func (f filter) URL() string {
	q := url.Values{}
	for key, value := range map[string]string{
		"q": f.Query, "env": f.Env, "state": f.State, "phase": f.Phase, "label": f.Label, "group": f.Group, "sort": f.Sort,
	} {
		if value != "" {
			q.Set(key, value)
		}
	}
	if f.Unwell {
		q.Set("unwell", "1")
	}
	if f.Page > 1 {
		q.Set("page", strconv.Itoa(f.Page))
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}

// takes reports whether an environment is what is looked for. Unwell is of whole applications.
func (f filter) takes(c cell) bool {
	if f.Env != "" && c.Environment != f.Env || f.State != "" && string(c.State) != f.State || f.Phase != "" && c.Phase != f.Phase {
		return false
	}
	if key, value, ok := strings.Cut(f.Label, "="); ok && c.Labels[key] != value {
		return false
	}
	for word := range strings.FieldsSeq(strings.ToLower(f.Query)) {
		if !c.has(word) {
			return false
		}
	}
	return true
}

// has reports whether a word is in what one would look a release up by.
func (c cell) has(word string) bool {
	for _, text := range []string{
		c.Application + "/" + c.Environment, c.Namespace, c.Cluster, c.Repository, c.Release.Version, c.Release.Subject, c.Release.Author,
		c.Phase, c.Reason,
	} {
		if strings.Contains(strings.ToLower(text), word) {
			return true
		}
	}
	for key, value := range c.Labels {
		if strings.Contains(strings.ToLower(key+"="+value), word) {
			return true
		}
	}
	return len(word) >= 4 && (strings.HasPrefix(c.Release.Revision, word) || strings.HasPrefix(c.Release.Trigger, word))
}

// rows are the applications of which an environment is looked for, sorted, and how many there are at all. Where only one
// environment is asked for, or a state, the others are shown still, since they say where it stands; a column that is not asked for is not.
func (f filter) rows(board view.Board) (out []row, all int) {
	for cells := range byApplication(board.Cells) {
		all++
		r := row{Application: cells[0].Application, Labels: cells[0].Labels, Repository: cells[0].Repository}
		taken, unwell := false, false
		for _, c := range cells {
			shown := cellOf(board, c)
			taken = taken || f.takes(shown)
			unwell = unwell || shown.State != well
			if f.Env == "" || c.Environment == f.Env {
				r.Cells = append(r.Cells, &shown)
			}
		}
		if taken && (unwell || !f.Unwell) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, f.order)
	return out, all
}

// byApplication parts cells, which are sorted by application.
func byApplication(cells []view.Cell) func(func([]view.Cell) bool) {
	return func(yield func([]view.Cell) bool) {
		for len(cells) > 0 {
			n := 1
			for n < len(cells) && cells[n].Application == cells[0].Application {
				n++
			}
			if !yield(cells[:n]) {
				return
			}
			cells = cells[n:]
		}
	}
}

func (f filter) order(a, b row) int {
	var by int
	switch f.Sort {
	case "name":
	case "age":
		by = b.newest().Compare(a.newest())
	default:
		by = cmp.Compare(a.worst(), b.worst())
	}
	return cmp.Or(cmp.Compare(a.under(f.Group), b.under(f.Group)), by, cmp.Compare(a.Application, b.Application))
}

func (r row) worst() int {
	least := len(states())
	for _, c := range r.Cells {
		least = min(least, c.State.worse())
	}
	return least
}

func (r row) newest() (at time.Time) {
	for _, c := range r.Cells {
		if c.Since.After(at) {
			at = c.Since
		}
	}
	return at
}

// under is the heading that an application stands under.
func (r row) under(group string) string {
	switch group {
	case "":
		return ""
	case "repository":
		return r.Repository
	case "cluster":
		for _, c := range r.Cells {
			return c.Cluster
		}
		return ""
	}
	return r.Labels[strings.TrimPrefix(group, "label:")]
}

// columnsOf are the environments of some applications, in the order of their pipelines.
func columnsOf(rows []row) []string {
	place := map[string]int{}
	for _, r := range rows {
		for _, c := range r.Cells {
			place[c.Environment] = max(place[c.Environment], c.Place)
		}
	}
	if len(place) > columns {
		return nil
	}
	return slices.SortedFunc(maps.Keys(place), func(a, b string) int {
		return cmp.Or(cmp.Compare(place[a], place[b]), cmp.Compare(a, b))
	})
}

// grouped puts rows under headings, and their cells into columns.
func grouped(rows []row, columns []string, by string) []group {
	var out []group
	for _, r := range rows {
		if columns != nil {
			cells := make([]*cell, len(columns))
			for _, c := range r.Cells {
				cells[slices.Index(columns, c.Environment)] = c
			}
			r.Cells = cells
		}
		name := r.under(by)
		if by != "" && name == "" {
			name = "(none)"
		}
		if len(out) == 0 || out[len(out)-1].Name != name {
			out = append(out, group{Name: name})
		}
		out[len(out)-1].Rows = append(out[len(out)-1].Rows, r)
	}
	return out
}

// choices are what the form offers.
type choices struct {
	Environments []string
	Phases       []string
	Groups       []string
}

func choicesOf(board view.Board) choices {
	environments, phases, labels := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range board.Cells {
		environments[c.Environment] = true
		if c.Phase != "" {
			phases[c.Phase] = true
		}
		for key := range c.Labels {
			labels["label:"+key] = true
		}
	}
	return choices{
		Environments: some(environments), Phases: some(phases), Groups: append([]string{"repository", "cluster"}, some(labels)...),
	}
}

// some are the names in order, and not so many that nobody would choose among them.
func some(names map[string]bool) []string {
	out := slices.Sorted(maps.Keys(names))
	return out[:min(len(out), 50)]
}

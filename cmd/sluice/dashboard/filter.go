package dashboard

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// Sorting is the order of applications.
type Sorting string

// The orders. Within an application its environments stay as its pipeline has them.
const (
	ByName    Sorting = ""
	ByAge     Sorting = "age"     // whatever changed last comes first
	ByTrouble Sorting = "trouble" // whatever has the most environments that are not well comes first
)

// pageSize is how many applications a page has: with four environments each it stays below 300 kB of HTML.
const pageSize = 50

// longestFilter bounds each word of a filter: it is repeated in every link of a page.
const longestFilter = 200

// Filter says what of a board is shown. Its zero value is all of it. As a query, ?q=&env=&phase=&notWell=&label=&sort=&page=,
// it is the same for pages and for /api/v1, and a link to it stays what it is.
type Filter struct {
	// Text is looked for in names, revision, version, subject and author, whatever its case; several words must all be found.
	Text         string
	Environments []string // any of them
	Phases       []string // any of them
	NotWell      bool     // only what somebody has to look at
	// Labels are all to be there: "team=payments", or "team" with whatever value.
	Labels []string
	Sort   Sorting
	Page   int // from 1; zero is the first
}

// FilterOf reads a filter. What makes no sense in it counts for nothing: a link that was typed by hand shows too much, never an
// error.
func FilterOf(query url.Values) Filter {
	f := Filter{
		Text: short(strings.TrimSpace(query.Get("q"))), Environments: words(query["env"]), Phases: words(query["phase"]), Labels: words(query["label"]),
		Sort: Sorting(query.Get("sort")),
	}
	f.NotWell, _ = strconv.ParseBool(query.Get("notWell"))
	f.Page, _ = strconv.Atoi(query.Get("page"))
	f.Page = max(f.Page, 0)
	if f.Sort != ByAge && f.Sort != ByTrouble {
		f.Sort = ByName
	}
	return f
}

// words are those that are not empty, each once.
func words(values []string) (kept []string) {
	for _, value := range values {
		if value = short(strings.TrimSpace(value)); value != "" && !slices.Contains(kept, value) {
			kept = append(kept, value)
		}
	}
	return kept
}

func short(text string) string {
	if runes := []rune(text); len(runes) > longestFilter {
		return string(runes[:longestFilter])
	}
	return text
}

// Query is the filter as a link has it, without "?"; empty for all.
func (f Filter) Query() string {
	query := url.Values{"env": f.Environments, "phase": f.Phases, "label": f.Labels}
	for name, value := range map[string]string{"q": f.Text, "sort": string(f.Sort)} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if f.NotWell {
		query.Set("notWell", "true")
	}
	if f.Page > 1 {
		query.Set("page", strconv.Itoa(f.Page))
	}
	return query.Encode()
}

// At is the same filter on another page.
func (f Filter) At(page int) Filter {
	f.Page = page
	return f
}

// IsAll reports whether nothing is left out, pages apart.
func (f Filter) IsAll() bool {
	return f.Text == "" && len(f.Environments)+len(f.Phases)+len(f.Labels) == 0 && !f.NotWell
}

// Found are the cells that a filter leaves.
type Found struct {
	Cells        []view.Cell // of the page, in order
	Applications int         // how many there are on all pages
	Page, Pages  int         // from 1; one page where nothing was found
}

// Find looks for what a filter asks for, and returns the page of it. Cells are sorted by application, as those of a board are.
func (f Filter) Find(cells []view.Cell) Found {
	var found [][]view.Cell
	for _, of := range byApplication(cells) {
		if kept := slices.DeleteFunc(slices.Clone(of), func(c view.Cell) bool { return !f.matches(c) }); len(kept) > 0 {
			found = append(found, kept)
		}
	}
	f.sort(found)
	answer := Found{Applications: len(found), Pages: max(1, (len(found)+pageSize-1)/pageSize)}
	answer.Page = min(max(f.Page, 1), answer.Pages)
	first := (answer.Page - 1) * pageSize
	answer.Cells = slices.Concat(found[first:min(first+pageSize, len(found))]...)
	return answer
}

// All is what a filter leaves, on one page.
func (f Filter) All(cells []view.Cell) (all []view.Cell) {
	for _, c := range cells {
		if f.matches(c) {
			all = append(all, c)
		}
	}
	return all
}

// byApplication parts cells by their application, in the order that they have.
func byApplication(cells []view.Cell) (parts [][]view.Cell) {
	for i, c := range cells {
		if i == 0 || cells[i-1].Application != c.Application {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], c)
	}
	return parts
}

func (f Filter) sort(found [][]view.Cell) {
	switch f.Sort {
	case ByAge:
		slices.SortStableFunc(found, func(a, b []view.Cell) int { return newest(b).Since.Compare(newest(a).Since) })
	case ByTrouble:
		slices.SortStableFunc(found, func(a, b []view.Cell) int { return cmp.Compare(troubled(b), troubled(a)) })
	case ByName:
	}
}

func newest(cells []view.Cell) view.Cell {
	return slices.MaxFunc(cells, func(a, b view.Cell) int { return a.Since.Compare(b.Since) })
}

func troubled(cells []view.Cell) (n int) {
	for _, c := range cells {
		if !c.IsWell() {
			n++
		}
	}
	return n
}

func (f Filter) matches(c view.Cell) bool {
	any := func(of []string, value string) bool { return len(of) == 0 || slices.Contains(of, value) }
	return any(f.Environments, c.Environment) && any(f.Phases, c.Phase) && (!f.NotWell || !c.IsWell()) && f.labelled(c.Labels) && f.mentions(c)
}

func (f Filter) labelled(labels map[string]string) bool {
	return !slices.ContainsFunc(f.Labels, func(label string) bool {
		name, value, valued := strings.Cut(label, "=")
		has, ok := labels[name]
		return !ok || valued && has != value
	})
}

// mentions reports whether all words are somewhere in what people know a cell by.
func (f Filter) mentions(c view.Cell) bool {
	if f.Text == "" {
		return true
	}
	known := strings.ToLower(strings.Join([]string{
		c.Key.String(), c.Namespace, c.Cluster, c.Repository, c.Release.Revision, c.Release.Version, c.Release.Subject, c.Release.Author,
	}, "\n"))
	return !slices.ContainsFunc(strings.Fields(strings.ToLower(f.Text)), func(word string) bool { return !strings.Contains(known, word) })
}

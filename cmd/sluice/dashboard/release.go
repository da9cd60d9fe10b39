package dashboard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// releasePage is one release in one environment.
type releasePage struct {
	page
	view.Key
	Release  view.Release
	Cell     *cell // nil: the environment is none any more
	Present  bool  // it is what the environment is at
	Past     *view.Past
	Lines    []line      // its lines in Git, the oldest first
	Attempts []view.Past // the other ones of the same revision
	Earlier  *view.Past
	Later    *view.Past
	Steps    []step
	Charts   []analysisChart
	Commit   string // where it is to be seen
	Request  string // where what merged it is
	Links    []Link
	Note     string // the command that prints what Git has
	Siblings []cell
	Stale    string
}

// line is one of a release's, and how long it took until the next.
type line struct {
	view.Phase
	Bar mark
}

// Word of the phase.
func (l line) Word() string { return phaseWord(l.Phase.Phase) }

// State that a line is drawn in.
func (l line) State() state { return stateOf(view.Cell{Phase: l.Phase.Phase}) }

// step is a part of the last pass.
type step struct {
	view.Step
	Bar  mark
	Last string // how the pass ended, at its last step, where it did not go through
}

func (s *Server) release(w http.ResponseWriter, r *http.Request, from view.Source) error {
	key := view.Key{Application: r.PathValue("app"), Environment: r.PathValue("env")}
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	history, err := from.History(r.Context(), key.Application)
	if err != nil && !errors.Is(err, view.ErrUnknown) {
		s.config.Log.Warn("History was not read", "app", key.Application, "err", err)
		history.Stale = "Its history cannot be read now."
	}
	p := releasePage{Key: key, Stale: history.Stale}
	for _, c := range cellsOf(board, key.Application) {
		if c.Environment == key.Environment {
			p.Cell = &c
		}
		p.Siblings = append(p.Siblings, c)
	}
	revision := first(r.PathValue("revision"), r.URL.Query().Get("revision"))
	if !p.find(history.Releases, revision, r.URL.Query().Get("trigger")) {
		return view.ErrUnknown
	}
	p.page = s.newPage(from, hash(p.Release.Revision)+" in "+key.String(), "home", board,
		crumb{"Applications", "/"}, crumb{key.Application, address("a", key.Application)},
		crumb{key.Environment, address("a", key.Application, key.Environment)})
	if p.Release.Revision == "" {
		p.Title = key.String()
	}
	if p.Present {
		p.Card = cellCard(p.Cell.Cell, board.Origin, s.config.Now())
	}
	s.furnish(&p)
	return s.show(w, r, "release", board.At, p)
}

// find takes the release that is asked for: the present one, unless a revision or a trigger says otherwise.
func (p *releasePage) find(releases []view.Past, revision, trigger string) bool {
	if p.Cell != nil && (revision == "" && trigger == "" || is(p.Cell.Release, revision, trigger)) {
		p.Release, p.Present = p.Cell.Release, true
		revision, trigger = p.Release.Revision, p.Release.Trigger
	}
	for i := range releases {
		r := &releases[i]
		switch {
		case r.Environment != p.Environment:
		case p.Past == nil && r.Revision != "" && is(r.Release, revision, trigger):
			p.Past = r
		case p.Past == nil && r.Revision != p.Release.Revision:
			p.Later = r
		case p.Past != nil && r.Revision == p.Past.Revision:
			p.Attempts = append(p.Attempts, *r)
		case p.Past != nil && p.Earlier == nil:
			p.Earlier = r
		}
	}
	if p.Past == nil {
		p.Later = nil
		return p.Present
	}
	if !p.Present {
		p.Release = p.Past.Release
	}
	return true
}

// is reports whether a release is the one that is asked for. A revision may be shortened.
func is(r view.Release, revision, trigger string) bool {
	if trigger != "" && r.Trigger != trigger && (r.Trigger != "" || r.Revision != trigger) {
		return false
	}
	return revision == "" || r.Revision == revision || len(revision) >= 7 && strings.HasPrefix(r.Revision, revision)
}

// furnish puts in what follows from the release.
func (s *Server) furnish(p *releasePage) {
	if p.Past != nil {
		p.Lines = linesOf(*p.Past)
	}
	at := view.Cell{Key: p.Key}
	if p.Cell != nil {
		at = p.Cell.Cell
		p.Links = s.moreLinks(at)
		if p.Present {
			p.Steps = stepsOf(at)
			if at.Canary != nil {
				for _, a := range at.Canary.Analyses {
					p.Charts = append(p.Charts, chartOf(a))
				}
			}
		}
	}
	p.Commit = s.commitLink(at, first(p.Release.Trigger, p.Release.Revision))
	if p.Past != nil {
		p.Request = s.requestLink(at, p.Past.Merged, first(p.Release.Trigger, p.Release.Revision))
	}
	if p.Release.Revision != "" {
		p.Note = "git log -1 --notes=" + quoted("sluice/"+p.Environment) + " " + quoted(p.Release.Revision)
	}
}

func linesOf(p view.Past) []line {
	whole, before := 0.0, 0.0
	for _, l := range p.Phases {
		whole += l.Seconds
	}
	var out []line
	for _, l := range p.Phases {
		m := line{Phase: l}
		if whole > 0 {
			m.Bar = mark{X: rounded(100 * before / whole), W: rounded(max(1, 100*l.Seconds/whole))}
		}
		before += l.Seconds
		out = append(out, m)
	}
	return out
}

func stepsOf(c view.Cell) []step {
	longest := 0.0
	for _, s := range c.Steps {
		longest = max(longest, s.Seconds)
	}
	var out []step
	for i, s := range c.Steps {
		shown := step{Step: s}
		if longest > 0 {
			shown.Bar = mark{W: rounded(max(0.5, 100*s.Seconds/longest))}
		}
		if i == len(c.Steps)-1 && c.Verdict != "ready" {
			shown.Last = c.Verdict
		}
		out = append(out, shown)
	}
	return out
}

// quoted is a word for a shell, whatever is in it.
func quoted(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// DiffURL compares with the release before, or with another environment.
func (p releasePage) DiffURL(with string) string {
	q := url.Values{"to": {p.Release.Revision}}
	switch {
	case with != "":
		q.Set("with", with)
	case p.Earlier != nil:
		q.Set("from", p.Earlier.Revision)
	}
	return address("a", p.Application, p.Environment, "diff") + "?" + q.Encode()
}

// PastURL is another release's page.
func (p releasePage) PastURL(of view.Past) string { return pastURL(of) }

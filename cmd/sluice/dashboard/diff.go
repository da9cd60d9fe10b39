package dashboard

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// diffPage is how the objects of two releases differ.
type diffPage struct {
	page
	view.Key
	From, To  view.Side
	Diff      view.Diff
	Parts     []diffPart
	Restarts  int
	Why       string // why there is no difference to be shown
	With      string
	Revisions []view.Past // that can be chosen
	Others    []cell      // environments that can be chosen
}

// diffPart is what happens to some objects.
type diffPart struct {
	Word    string // created, changed or deleted
	Objects []view.DiffObject
}

func (s *Server) diff(w http.ResponseWriter, r *http.Request, from view.Source) error {
	key := view.Key{Application: r.PathValue("app"), Environment: r.PathValue("env")}
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	history, err := from.History(r.Context(), key.Application)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	p := diffPage{Key: key, With: q.Get("with")}
	var here, there *cell
	for _, c := range cellsOf(board, key.Application) {
		switch c.Environment {
		case key.Environment:
			here = &c
		case p.With:
			there = &c
			p.Others = append(p.Others, c)
		default:
			p.Others = append(p.Others, c)
		}
	}
	if here == nil || p.With != "" && there == nil {
		return view.ErrUnknown
	}
	for _, past := range history.Releases {
		if past.Environment == key.Environment && !slices.ContainsFunc(p.Revisions, func(o view.Past) bool { return o.Revision == past.Revision }) {
			p.Revisions = append(p.Revisions, past)
		}
	}
	p.Revisions = p.Revisions[:min(len(p.Revisions), 100)]
	p.To = view.Side{Key: key, Revision: first(q.Get("to"), here.Release.Revision)}
	p.From = view.Side{Key: key, Revision: first(q.Get("from"), p.before(p.To.Revision))}
	if there != nil {
		p.From = view.Side{Key: there.Key, Revision: first(q.Get("from"), there.Release.Revision)}
	}
	p.page = s.newPage(from, "What differs in "+key.String(), "home", board, crumb{"Applications", "/"},
		crumb{key.Application, address("a", key.Application)}, crumb{key.Environment, address("a", key.Application, key.Environment)})
	if err := p.compare(r, from); err != nil {
		return err
	}
	return s.show(w, r, "diff", board.At, p)
}

// before is the revision that was there before another one.
func (p *diffPage) before(revision string) string {
	i := slices.IndexFunc(p.Revisions, func(o view.Past) bool { return o.Revision == revision })
	if i+1 < len(p.Revisions) {
		return p.Revisions[i+1].Revision
	}
	return ""
}

func (p *diffPage) compare(r *http.Request, from view.Source) error {
	if p.From.Revision == "" || p.To.Revision == "" {
		p.Why = "There is no release before this one. Choose what to compare it with."
		return nil
	}
	diff, err := from.Diff(r.Context(), p.From, p.To)
	switch {
	case errors.Is(err, view.ErrElsewhere):
		p.Why = "The objects of a release are not known here: ask a dashboard that an agent serves, or run sluice diff."
		return nil
	case errors.Is(err, view.ErrUnknown):
		p.Why = "One of the two releases is not kept any more. Another one can be chosen."
		return nil
	case err != nil:
		return err
	}
	p.Diff, p.Why = diff, diff.Failed
	for _, part := range []diffPart{{"changed", diff.Changed}, {"created", diff.Created}, {"deleted", diff.Deleted}} {
		if len(part.Objects) > 0 {
			p.Parts = append(p.Parts, part)
		}
		for _, o := range part.Objects {
			if o.Restarts != "" {
				p.Restarts++
			}
		}
	}
	return nil
}

// Same reports whether nothing differs.
func (p diffPage) Same() bool { return p.Why == "" && len(p.Parts) == 0 }

// Lines are an object's, each with what it is.
func (p diffPage) Lines(of view.DiffObject) []diffLine {
	out := make([]diffLine, len(of.Lines))
	for i, text := range of.Lines {
		out[i] = diffLine{"same", " ", text}
		for sign, class := range map[string]string{"+": "plus", "-": "minus", "~": "other", " ": "same"} {
			if rest, ok := strings.CutPrefix(text, sign); ok {
				out[i] = diffLine{class, sign, strings.TrimPrefix(rest, " ")}
			}
		}
	}
	return out
}

// diffLine is a line with its sign apart.
type diffLine struct{ Class, Sign, Text string }

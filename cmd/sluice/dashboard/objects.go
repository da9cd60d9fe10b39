package dashboard

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// objectsOfPage is how many objects of an environment that are looked for are on a page, beside those they came from.
const objectsOfPage = 500

// objectsPage is the objects of an environment, as they come from each other.
type objectsPage struct {
	page
	view.Key
	Cell   *cell
	Query  string
	Unwell bool
	Tree   []*node
	Total  int
	Found  int // objects that were looked for
	Kinds  []kindCount
	Number int // of the page
	Pages  int
	Away   string // why there are none
	// Object is the one whose manifest is shown.
	Object   *view.Object
	Manifest string
	NoText   string // why it is not shown
}

// kindCount is how many objects there are of a kind.
type kindCount struct {
	Kind string
	Of   int
}

// node is an object with those below it.
type node struct {
	view.Object
	Below []*node // those that are shown
	Has   int     // how many there are
	Open  bool
	URL   string
}

// State of an object.
func (n node) State() state { return stateOfObject(n.Object) }

// ID is the object's element.
func (n node) Anchor() string { return id("o", n.ID) }

func stateOfObject(o view.Object) state {
	switch o.Health {
	case "Failed", "NotFound":
		return sick
	case "InProgress", "Terminating":
		return changing
	case "Current":
		if o.Drift != "" {
			return waiting
		}
		return well
	}
	return unknown
}

func (s *Server) objects(w http.ResponseWriter, r *http.Request, from view.Source) error {
	key := view.Key{Application: r.PathValue("app"), Environment: r.PathValue("env")}
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	q := r.URL.Query()
	p := objectsPage{Key: key, Query: strings.TrimSpace(q.Get("q")), Unwell: q.Get("unwell") != "", Number: 1, Pages: 1}
	for _, c := range cellsOf(board, key.Application) {
		if c.Environment == key.Environment {
			p.Cell = &c
		}
	}
	if p.Cell == nil {
		return view.ErrUnknown
	}
	p.page = s.newPage(from, "Objects of "+key.String(), "home", board, crumb{"Applications", "/"},
		crumb{key.Application, address("a", key.Application)}, crumb{key.Environment, address("a", key.Application, key.Environment)})
	objects, err := from.Objects(r.Context(), key)
	switch {
	case errors.Is(err, view.ErrElsewhere):
		p.Away = "There is no cluster here. Objects are shown by a dashboard that an agent serves."
	case err != nil:
		return err
	}
	if n, err := strconv.Atoi(q.Get("page")); err == nil {
		p.Number = max(1, n)
	}
	p.grow(objects)
	if name := q.Get("object"); name != "" {
		if err := p.take(r, from, objects, name); err != nil {
			return err
		}
	}
	return s.show(w, r, "objects", board.At, p)
}

// take shows one object's manifest.
func (p *objectsPage) take(r *http.Request, from view.Source, objects []view.Object, name string) error {
	i := slices.IndexFunc(objects, func(o view.Object) bool { return o.ID == name })
	if i < 0 {
		return view.ErrUnknown
	}
	p.Object = &objects[i]
	text, err := from.Manifest(r.Context(), p.Key, name)
	switch {
	case errors.Is(err, view.ErrUnknown), errors.Is(err, view.ErrElsewhere):
		p.NoText = "It was not applied by the agent: a controller made it, so Git has no manifest of it."
	case err != nil:
		return err
	}
	p.Manifest = text
	return nil
}

// grow makes the tree of what is looked for. An object that is found is shown with all that it came from.
func (p *objectsPage) grow(objects []view.Object) {
	p.Total = len(objects)
	nodes, kinds := map[string]*node{}, map[string]int{}
	for _, o := range objects {
		nodes[o.ID] = &node{Object: o, URL: p.with("object", o.ID)}
		kinds[o.Kind]++
	}
	for _, o := range objects {
		if above := nodes[o.Parent]; above != nil {
			above.Has++
		}
	}
	for kind, n := range kinds {
		p.Kinds = append(p.Kinds, kindCount{kind, n})
	}
	slices.SortFunc(p.Kinds, func(a, b kindCount) int { return cmp.Or(b.Of-a.Of, cmp.Compare(a.Kind, b.Kind)) })
	wanted := map[string]bool{}
	for _, o := range p.turn(inTree(objects, nodes)) {
		for n := nodes[o.ID]; n != nil && !wanted[n.ID]; n = nodes[n.Parent] {
			wanted[n.ID] = true
		}
	}
	narrow := p.Query != "" || p.Unwell
	for _, o := range objects {
		n := nodes[o.ID]
		if !wanted[o.ID] {
			continue
		}
		above := nodes[o.Parent]
		if above == nil {
			p.Tree = append(p.Tree, n)
			continue
		}
		above.Below = append(above.Below, n)
		if narrow || n.State() != well || p.Total <= 60 {
			for up := above; up != nil && !up.Open; up = nodes[up.Parent] {
				up.Open = true
			}
		}
	}
}

// turn is what of the objects is looked for and on this page.
func (p *objectsPage) turn(objects []view.Object) []view.Object {
	found := slices.DeleteFunc(objects, func(o view.Object) bool { return !p.takes(o) })
	p.Found = len(found)
	p.Pages = max(1, (len(found)+objectsOfPage-1)/objectsOfPage)
	p.Number = min(p.Number, p.Pages)
	return found[(p.Number-1)*objectsOfPage : min(p.Number*objectsOfPage, len(found))]
}

// inTree is objects in the order in which a tree shows them: each before what is below it.
func inTree(objects []view.Object, nodes map[string]*node) []view.Object {
	below, made := map[string][]view.Object{}, make([]view.Object, 0, len(objects))
	for _, o := range objects {
		above := o.Parent
		if nodes[above] == nil {
			above = ""
		}
		below[above] = append(below[above], o)
	}
	var take func(above string)
	take = func(above string) {
		for _, o := range below[above] {
			made = append(made, o)
			take(o.ID)
		}
	}
	take("")
	return made
}

// takes reports whether an object is looked for: by name, kind, or what is known of a pod.
func (p *objectsPage) takes(o view.Object) bool {
	if p.Unwell && stateOfObject(o) == well {
		return false
	}
	text := []string{o.ID, o.Health, o.Reason, o.Drift, o.Hook}
	if o.Pod != nil {
		text = append(append(text, o.Pod.IP, o.Pod.Node), o.Pod.Images...)
	}
	for word := range strings.FieldsSeq(strings.ToLower(p.Query)) {
		if !slices.ContainsFunc(text, func(t string) bool { return strings.Contains(strings.ToLower(t), word) }) {
			return false
		}
	}
	return true
}

// with is this page with another value of one of its parameters; without it where the value is empty.
func (p objectsPage) with(key, value string) string {
	q := url.Values{}
	if p.Query != "" {
		q.Set("q", p.Query)
	}
	if p.Unwell {
		q.Set("unwell", "1")
	}
	if p.Number > 1 {
		q.Set("page", strconv.Itoa(p.Number))
	}
	if q.Del(key); value != "" {
		q.Set(key, value)
	}
	out := address("a", p.Application, p.Environment, "objects")
	if len(q) > 0 {
		out += "?" + q.Encode()
	}
	return out
}

// Closed is the page without a manifest; Before and After are those beside it.
func (p objectsPage) Closed() string { return p.with("object", "") }

// Before is the page before; empty on the first.
func (p objectsPage) Before() string {
	if p.Number <= 1 {
		return ""
	}
	return p.with("page", strconv.Itoa(p.Number-1))
}

// After is the next page; empty on the last.
func (p objectsPage) After() string {
	if p.Number >= p.Pages {
		return ""
	}
	return p.with("page", strconv.Itoa(p.Number+1))
}

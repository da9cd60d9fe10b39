package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/render"
)

// mostGenerated bounds, in bytes, the generated values that are kept of what no render has any more: a chart that comes back
// finds its password. A Secret holds 1 MiB.
const mostGenerated = 128 << 10

// make renders, with what the environment has already of what its charts make by chance or by the clock. Which live objects
// that takes is known from the render before, or else after a first one.
func (p *Pass) make(ctx context.Context, tree render.Tree, req render.Request, before *render.Result) (*render.Result, error) {
	req.Kept.Values = p.target.held.saved.Generated
	if p.Allowed == nil {
		return p.once(ctx, tree, req) // nobody to look as, and nothing will be applied
	}
	var asked []liveID
	for made := before; ; {
		missing := p.needed(made)
		missing = slices.DeleteFunc(missing, func(id liveID) bool { return slices.Contains(asked, id) })
		if made != nil && made != before && len(missing) == 0 {
			return made, nil
		}
		for _, id := range missing {
			live, err := p.owned(ctx, id)
			if err != nil {
				return nil, err
			}
			if live != nil {
				req.Kept.Objects = append(req.Kept.Objects, live)
			}
		}
		asked = append(asked, missing...)
		var err error
		if made, err = p.once(ctx, tree, req); err != nil {
			return nil, err
		}
	}
}

// liveID is a live object that a render may need.
type liveID struct {
	apply.ID
	version string
	// plain is the name that it is rendered under.
	plain string
	// foreign: it is not ours yet and will be taken over.
	foreign bool
}

// needed are the owned objects that a chart looked up, or that hold what it generates. A chart that generates nothing needs
// none: what it looks up shapes nothing else.
func (p *Pass) needed(made *render.Result) (all []liveID) {
	if made == nil || len(made.Generated) == 0 {
		return nil
	}
	for _, entry := range p.target.held.saved.Inventory {
		at := &unstructured.Unstructured{}
		at.SetGroupVersionKind(entry.GVK())
		at.SetNamespace(entry.Namespace)
		for plain := range p.namesOf(entry) {
			at.SetName(plain)
			id := liveID{ID: entry.ID, version: entry.Version, plain: plain}
			held := slices.ContainsFunc(made.Generated, func(g render.Generated) bool { return g.Is(at) })
			for _, l := range made.Looked {
				of, err := schema.ParseGroupVersion(l.APIVersion)
				if at.SetAPIVersion(l.APIVersion); err == nil && of.Group == entry.Group && l.Finds(at) {
					held, id.version = true, of.Version
				}
			}
			if held {
				all = append(all, id)
			}
		}
	}
	return append(all, p.adopted(made)...)
}

// namesOf are the names that an object may be rendered under: its own, and the plain one of a version of configuration, of
// which nothing is kept where the values are saved.
func (p *Pass) namesOf(entry apply.Entry) map[string]bool {
	names := map[string]bool{entry.Name: true}
	i := strings.LastIndex(entry.Name, "-")
	if len(p.target.held.saved.Generated) == 0 && i > 0 && entry.Group == "" && (entry.Kind == "Secret" || entry.Kind == "ConfigMap") {
		names[entry.Name[:i]] = true
	}
	return names
}

// adopted are the objects of others that hold generated values and are about to be taken over: their password is the one in
// use.
func (p *Pass) adopted(made *render.Result) (all []liveID) {
	if !p.Rules.Adopt {
		return nil
	}
	for _, o := range p.site.apply.Scoped(slices.Clone(made.Objects)) {
		id := apply.IDOf(o)
		if _, ours := p.target.held.saved.Inventory.Find(id); ours || !p.site.apply.Kind(o.GroupVersionKind()) {
			continue
		}
		if slices.ContainsFunc(made.Generated, func(g render.Generated) bool { return g.Is(o) }) {
			all = append(all, liveID{ID: id, version: o.GroupVersionKind().Version, plain: id.Name, foreign: true})
		}
	}
	return all
}

// owned gets a live object, by the rights of the application. Nil: it is not there, or is somebody else's.
func (p *Pass) owned(ctx context.Context, id liveID) (*unstructured.Unstructured, error) {
	live, err := p.client().Get(ctx, id.ID, id.version)
	switch {
	case errors.Is(err, apply.ErrGone):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%w: look at %s for the values that were generated: %w", errNotSeen, id.ID, err)
	case id.foreign && live.GetLabels()[apply.LabelApplication] == "":
		return live, nil
	case !p.owner().Owns(live):
		return nil, nil
	}
	if id.plain != id.Name {
		if cmp.Or(live.GetLabels()[policies.LabelVersionOf], live.GetAnnotations()[policies.LabelVersionOf]) != id.plain {
			return nil, nil
		}
		live = live.DeepCopy()
		live.SetName(id.plain)
	}
	return live, nil
}

// errNotSeen is a cluster that did not show what a render needs of it.
var errNotSeen = errors.New("cluster did not answer")

// renderedAs is an object by the name that it was rendered with: a copy that stages have of a ConfigMap or a Secret has another.
func renderedAs(o *unstructured.Unstructured) *unstructured.Unstructured {
	name := cmp.Or(o.GetLabels()[policies.LabelVersionOf], o.GetAnnotations()[policies.LabelVersionOf], o.GetName())
	if name == o.GetName() {
		return o
	}
	named := o.DeepCopy()
	named.SetName(name)
	return named
}

// keepGenerated notes what was generated, so that it is saved before anything that has it is applied. It reports whether
// that still is what is to be applied: another process may have made other values meanwhile, which then count.
func (p *Pass) keepGenerated() (agreed bool) {
	t, saved := p.target, &p.target.held.saved
	if len(t.generated) == 0 {
		return true
	}
	if t.adopts != p.Rules.Adopt {
		return false // what another tool left has the values that are in use
	}
	for _, made := range t.generated {
		i := slices.IndexFunc(saved.Generated, func(g render.Generated) bool { return g.Place == made.Place })
		if i >= 0 && !slices.Equal(saved.Generated[i].Parts, made.Parts) {
			return false
		}
	}
	saved.Generated = mergeGenerated(t.generated, saved.Generated)
	return true
}

// mergeGenerated adds to what was generated now what is known from before, as far as there is room. Neither is changed.
func mergeGenerated(now, before []render.Generated) []render.Generated {
	all, room := slices.Clone(now), mostGenerated
	for _, g := range before {
		if slices.ContainsFunc(now, func(n render.Generated) bool { return n.Place == g.Place }) {
			continue
		}
		for _, text := range g.Texts() {
			room -= len(text)
		}
		if room > 0 {
			all = append(all, g)
		}
	}
	return all
}

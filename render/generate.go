package render

import (
	"context"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/render/helm"
)

// rounds is how often a render is repeated with the values that it made: a checksum is right after the first, one of a
// checksum after the second.
const rounds = 3

// pass is one run of the engines. What it collects is of all charts that were run in it.
type pass struct {
	other, reverse bool
	kept           []*unstructured.Unstructured // what lookup answers with
	charts         []*helm.Output
}

// chart runs a chart as this pass wants it. Every engine that runs charts does it by this.
func (p *pass) chart(ctx context.Context, in helm.Input) (*helm.Output, error) {
	if p == nil {
		return helm.Render(ctx, in)
	}
	in.Other, in.Reverse, in.Kept = p.other, p.reverse, p.kept
	out, err := helm.Render(ctx, in)
	if err == nil {
		p.charts = append(p.charts, out)
	}
	return out, err
}

func (p *pass) repeats() (n int) {
	for _, c := range p.charts {
		n = max(n, c.Repeats)
	}
	return n
}

// passes are several of the same request.
type passes []*pass

func (all passes) repeats() (n int) {
	for _, p := range all {
		n = max(n, p.repeats())
	}
	return n
}

func (p *pass) looked() (all []helm.Lookup) {
	for _, c := range p.charts {
		for _, l := range c.Looked {
			if !slices.Contains(all, l) {
				all = append(all, l)
			}
		}
	}
	return all
}

// blame says which chart's function made an object differ from render to render.
func (p *pass) blame(at Place, order bool) error {
	for _, c := range p.charts {
		for _, o := range c.Objects {
			if o.GetKind() == at.Object.Kind && (o.GetName() == at.Object.Name || at.Object.Name == "") {
				return c.Blame(o.Path, order)
			}
		}
		for _, h := range c.Hooks {
			if h.GetKind() == at.Object.Kind && (h.GetName() == at.Object.Name || at.Object.Name == "") {
				return c.Blame(h.Path, order)
			}
		}
	}
	return nil
}

// generation renders a request, with the values that its charts make by chance or by the clock.
type generation struct {
	ctx   context.Context //nolint:containedctx // lives for one render
	view  *view
	req   Request
	asked map[string]string
	from  string // the source's path
}

func (g *generation) once(p *pass) (*Result, error) {
	req := g.req
	req.pass = p
	made, err := engine(g.ctx, g.view, req)
	if len(made.asked) > 0 && g.asked == nil {
		g.asked = map[string]string{}
	}
	maps.Copy(g.asked, made.asked)
	if err != nil {
		return nil, err
	}
	g.from = made.from
	return finish(made, req)
}

// result renders once, and where that may come out differently each time as often as it takes to know what differs and to
// fill it in. What the first render gave stays but for those places.
func (g *generation) result() (*Result, error) {
	first := &pass{}
	result, err := g.once(first)
	if err != nil {
		return nil, err
	}
	result.Looked = first.looked()
	if first.repeats() == 0 {
		return result, nil
	}
	leaves, err := g.leaves(result, first)
	if err != nil || len(leaves) == 0 {
		return result, err
	}
	f := newFilling(g.req.Kept, result, leaves)
	if len(result.Looked) > 0 {
		if err := g.settle(f); err != nil {
			return nil, err
		}
	}
	f.derive()
	result.Generated = f.generated()
	return result, nil
}

// leaves finds what differs.
func (g *generation) leaves(result *Result, first *pass) ([]leaf, error) {
	d := differ{}
	passes := passes{first}
	for _, c := range first.charts {
		d.unordered = d.unordered || c.Unordered
	}
	for i := 0; i < passes.repeats(); i++ {
		if err := g.ctx.Err(); err != nil {
			return nil, err
		}
		p := &pass{other: true}
		other, err := g.once(p)
		if err != nil {
			return nil, err
		}
		d.others, passes = append(d.others, other), append(passes, p)
	}
	d.compare(result)
	if d.fault == nil {
		return d.leaves, nil
	}
	for _, p := range passes {
		if err := p.blame(*d.fault, d.order); err != nil {
			return nil, err
		}
	}
	return nil, &Error{Path: g.from, Err: errDiffers}
}

// settle repeats the render with what was made so far: a chart that looks up what it made before then makes what follows
// from it, such as a checksum.
func (g *generation) settle(f *filling) error {
	for range rounds {
		if err := g.ctx.Err(); err != nil {
			return err
		}
		kept := f.kept()
		one, err := g.once(&pass{kept: kept})
		if err != nil {
			return nil //nolint:nilerr // the chart refuses what it finds; as with nothing found it has been rendered
		}
		other, err := g.once(&pass{kept: kept, other: true})
		if err != nil {
			return nil //nolint:nilerr // see above
		}
		if !f.fix(one, other) {
			return nil
		}
	}
	return nil
}

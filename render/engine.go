package render

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"

	"github.com/sluice-cd/sluice/render/helm"
	"github.com/sluice-cd/sluice/render/kustomize"
	"github.com/sluice-cd/sluice/render/manifest"
)

// engine runs the sources in their order. What was asked is known even of a failure.
func engine(ctx context.Context, v *view, req Request) (made, error) {
	if err := req.Source.Validate(); err != nil {
		return made{}, err
	}
	if req.Source.All == nil {
		return one(ctx, v, req)
	}
	all := made{from: path.Clean(req.Dir), asked: map[string]string{}}
	for i, source := range req.Source.All {
		req.Source = source
		m, err := one(ctx, v, req)
		maps.Copy(all.asked, m.asked)
		if err == nil && len(m.objects) == 0 {
			err = &Error{Path: m.from, Err: errEmpty} // the others would hide that it has nothing any more
		}
		if err != nil {
			return made{asked: all.asked}, nth(i, err)
		}
		all.objects, all.hooks, all.tests = append(all.objects, m.objects...), append(all.hooks, m.hooks...), append(all.tests, m.tests...)
		if len(all.objects) > manifest.MaxObjects {
			return made{asked: all.asked}, manifest.Faultf(m.from, "the sources give more than %d objects", manifest.MaxObjects)
		}
	}
	return all, nil
}

// one runs a single source, and fills in values where it asks for them.
func one(ctx context.Context, v *view, req Request) (made, error) {
	m, err := run(ctx, v, req)
	if err == nil {
		err = substituted(v, req, m)
	}
	return m, err
}

func run(ctx context.Context, v *view, req Request) (made, error) {
	s := req.Source
	if s.Directory != nil {
		return manifests(v, req)
	}
	m := made{asked: map[string]string{}}
	if s.Helm != nil {
		var err error
		if m, err = chart(ctx, v, req); err != nil || s.Kustomize == nil {
			return m, err
		}
	}
	return overlaid(ctx, v, req, m)
}

func manifests(v *view, req Request) (made, error) {
	at, err := within(req.Dir, "directory.path", req.Source.Directory.Path)
	if err != nil {
		return made{}, err
	}
	d := directory{tree: v, own: path.Clean(req.Dir), recurse: req.Source.Directory.Recurse}
	err = d.read(at, 0)
	return made{from: at, objects: d.objects}, err
}

// overlaid builds a kustomization over what a chart gave, if there is one. Hooks pass it by, as they pass by Helm's
// post-renderers; definitions of crds/ do not.
func overlaid(ctx context.Context, v *view, req Request, m made) (made, error) {
	at, err := within(req.Dir, "kustomize.path", req.Source.Kustomize.Path)
	if err != nil {
		return m, err
	}
	if m.asked == nil {
		m.asked = map[string]string{}
	}
	m.from = at
	m.objects, err = kustomize.Build(ctx, kustomize.Input{
		Tree: v, Dir: at, Before: m.objects, Charts: inflation{v, req, m.asked},
	})
	return m, err
}

// chartInput is what every chart of a request is given.
func (r Request) chartInput(v *view, chart string) helm.Input {
	in := helm.Input{
		Tree: v, Chart: chart, Fetched: Fetched(r.Dir), Namespace: r.Namespace,
		KubeVersion: r.Capabilities.KubeVersion, APIVersions: r.Capabilities.APIVersions,
	}
	if in.Namespace == "" {
		in.Namespace = "default"
	}
	return in
}

func chart(ctx context.Context, v *view, req Request) (made, error) {
	s := req.Source.Helm
	at, away, err := s.where(req.Dir)
	if err != nil {
		return made{}, err
	}
	in := req.chartInput(v, at)
	in.Elsewhere, in.Inline, in.Release = away, s.Set, req.releaseName()
	if away != nil {
		at = path.Join(in.Fetched, away.File())
	}
	for i, file := range s.Values {
		name, err := within(req.Dir, fmt.Sprintf("helm.values[%d]", i), file)
		if err != nil {
			return made{}, err
		}
		in.Values = append(in.Values, name)
	}
	out, err := req.pass.chart(ctx, in)
	if _, placed := errors.AsType[*Error](err); err != nil && !placed && away != nil && ctx.Err() == nil {
		err = &Error{Field: "helm.version", Err: err}
	}
	return made{from: at, objects: out.Objects, hooks: out.Hooks, tests: out.Tests, asked: out.Asked}, err
}

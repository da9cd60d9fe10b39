package render

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/render/helm"
	"github.com/sluice-cd/sluice/render/kustomize"
	"github.com/sluice-cd/sluice/render/manifest"
)

// inflation renders the charts that the kustomizations of a request name.
type inflation struct {
	view  *view
	req   Request
	asked map[string]string // what they wanted to know of the cluster, and its answers
}

// input is what such a chart is given. Its namespace is never the environment's: the kustomization means the same for
// everybody who builds it.
func (i inflation) input(c kustomize.Chart) (helm.Input, error) {
	in := i.req.chartInput(i.view, c.Path)
	in.Base, in.Values, in.Release, in.Further, in.Namespace = c.Base, c.Values, c.Release, c.APIVersions, c.Namespace
	if c.KubeVersion != "" {
		in.KubeVersion = c.KubeVersion
	}
	if c.Path == "" {
		away, err := elsewhere(c)
		if err != nil {
			return in, err
		}
		in.Elsewhere = &away
	}
	return in, nil
}

// elsewhere is a chart that is in no folder of the tree.
func elsewhere(c kustomize.Chart) (Elsewhere, error) {
	e := Elsewhere{Repository: c.Repository, Name: c.Name, Version: c.Version}
	field, why := e.Check()
	switch field {
	case "":
		return e, nil
	case "repository":
		field = "repo"
	case "chart":
		field = "name"
	}
	return e, errors.New(field + " " + why)
}

// Values reads them of the packed chart.
func (i inflation) Values(_ context.Context, c kustomize.Chart) ([]byte, error) {
	in, err := i.input(c)
	if err != nil {
		return nil, err
	}
	return in.OwnValues()
}

// Render gives the objects that the entry wants. What is noted of the cluster are its own answers, whatever the entry says
// instead.
func (i inflation) Render(ctx context.Context, c kustomize.Chart) ([]manifest.Object, error) {
	in, err := i.input(c)
	if err != nil {
		return nil, err
	}
	out, err := i.req.pass.chart(ctx, in)
	for question := range out.Asked {
		if answer, ok := helm.Answer(question, i.req.Capabilities.KubeVersion, i.req.Capabilities.APIVersions); ok {
			i.asked[question] = answer
		}
	}
	if err != nil {
		return nil, err
	}
	objects := out.Objects
	if !c.Definitions {
		objects = objects[out.Definitions:]
	}
	tests := map[*unstructured.Unstructured]bool{} // a hook may be a test too
	for _, test := range out.Tests {
		if tests[test.Unstructured] = true; c.Tests {
			objects = append(objects, test.Object)
		}
	}
	for _, hook := range out.Hooks {
		if c.Hooks && !tests[hook.Unstructured] {
			objects = append(objects, hook.Object)
		}
	}
	return objects, nil
}

// needs notes what charts the kustomizations need from elsewhere, and renders none.
type needs struct {
	tree Tree
	all  []Elsewhere
}

// Values are none.
func (*needs) Values(context.Context, kustomize.Chart) ([]byte, error) { return nil, nil }

// Render notes the chart, or what one of the tree depends on.
func (n *needs) Render(_ context.Context, c kustomize.Chart) ([]manifest.Object, error) {
	if c.Path != "" {
		all, err := helm.Elsewheres(n.tree, c.Path)
		n.all = append(n.all, all...)
		return nil, err
	}
	e, err := elsewhere(c)
	if err == nil {
		n.all = append(n.all, e)
	}
	return nil, err
}

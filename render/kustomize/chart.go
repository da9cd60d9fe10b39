package kustomize

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/render/manifest"
)

// Charts are those that kustomizations name. Faults of an entry need not say which it is.
type Charts interface {
	// Values are the chart's own, of one from elsewhere; nil: it has none.
	Values(context.Context, Chart) ([]byte, error)
	// Render gives the objects, those of a file beside each other.
	Render(context.Context, Chart) ([]manifest.Object, error)
}

// Chart is a chart that a kustomization names, with what it says of it. Paths are those of the tree.
type Chart struct {
	Path                            string         // empty: it is in no folder of the tree, but elsewhere:
	Repository, Name, Version       string         // there
	Base                            map[string]any // values below those of the files
	Values                          []string       // files
	Release, Namespace, KubeVersion string         // KubeVersion: empty is the cluster's
	APIVersions                     []string       // besides the cluster's
	Definitions, Hooks, Tests       bool           // which objects are wanted besides those of the templates
}

// rendered is a file that the library is shown but that is none.
type rendered struct {
	file string // the template
	by   string // the kustomization that names the chart, by its own name; empty: it was given from outside
}

// note is what the library notes of an object that it inflated itself.
func (r rendered) note(dir string) *resource.Origin {
	if r.by == "" {
		return &resource.Origin{Path: r.file}
	}
	return &resource.Origin{
		ConfiguredIn: path.Join(path.Dir(dir), r.by),
		ConfiguredBy: kyaml.ResourceIdentifier{TypeMeta: kyaml.TypeMeta{APIVersion: "builtin", Kind: inflation}},
	}
}

// chart renders an entry of helmCharts and makes its objects resources of the kustomization.
func (s *survey) chart(k *kustomization, dir string, globals types.HelmGlobals, c types.HelmChart) error {
	if s.in.Charts == nil {
		return errors.New("charts are not rendered here")
	}
	entry, err := s.entry(dir, globals, c)
	if err != nil {
		return err
	}
	objects, err := s.in.Charts.Render(s.ctx, entry)
	if err != nil {
		return err
	}
	for _, o := range objects {
		annotations := o.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		// With this the library leaves the namespace to the chart, and drops the annotation at the end.
		annotations[konfig.HelmGeneratedAnnotation] = "true"
		o.SetAnnotations(annotations)
	}
	s.resources = append(s.resources, objects...)
	return s.add(k, dir, path.Base(k.file), objects)
}

// before gives the root kustomization the resources that come first.
func (s *survey) before(k *kustomization, dir string) error {
	own := k.Resources
	k.Resources = nil
	if err := s.add(k, dir, "", s.in.Before); err != nil {
		return err
	}
	if k.Resources = append(k.Resources, own...); len(s.in.Before) == 0 {
		return nil
	}
	return s.show(*k)
}

// add makes objects resources of a kustomization, each file of theirs a file that only the library sees.
func (s *survey) add(k *kustomization, dir, by string, objects []manifest.Object) error {
	for len(objects) > 0 {
		n := 1
		for n < len(objects) && objects[n].Path == objects[0].Path {
			n++
		}
		text, err := stream(objects[:n])
		if err != nil {
			return &manifest.Error{Path: objects[0].Path, Err: err}
		}
		name := path.Join(shownIn, strconv.Itoa(len(s.made))+".yaml")
		s.shown[path.Join(dir, name)] = text
		s.made[path.Join(dir, name)] = rendered{objects[0].Path, by}
		k.Resources = append(k.Resources, name)
		objects = objects[n:]
	}
	return nil
}

// shownIn is the folder, beside a kustomization, of files that are only shown.
const shownIn = ".sluice/rendered"

// stream writes objects as a stream of documents.
func stream(objects []manifest.Object) ([]byte, error) {
	var all [][]byte
	for _, o := range objects {
		text, err := json.Marshal(o.Object)
		if err != nil {
			return nil, err
		}
		all = append(all, text)
	}
	return bytes.Join(all, []byte("\n---\n")), nil
}

// generator renders the chart that a generator of its own describes; the namespace of the kustomization is not its.
func (s *survey) generator(k *kustomization, dir string, o manifest.Object) error {
	var c struct {
		types.HelmGlobals
		types.HelmChart
	}
	text, err := json.Marshal(o.Object)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		return trimmed(err)
	}
	return s.chart(k, dir, c.HelmGlobals, c.HelmChart)
}

// inEntry says which entry of a kustomization a fault is of, unless it has a file already.
func inEntry(file, field string, err error) error {
	var fault *manifest.Error
	if errors.As(err, &fault) && fault.Path != "" && fault.Path != "inline" {
		return err
	}
	return &manifest.Error{Path: file, Field: field, Err: err}
}

func exists(tree fs.FS, name string) (bool, error) {
	info, err := fs.Stat(tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !info.IsDir() {
		return false, fmt.Errorf("%q is not a folder", name)
	}
	return true, nil
}

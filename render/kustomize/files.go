package kustomize

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/sluice-cd/sluice/render/manifest"
)

// source is what a kustomization makes an object of.
type source struct {
	kind            schema.GroupKind
	namespace, name string
	file            string
}

// sources are what is there before the library begins.
func (s *survey) sources() (all []source) {
	for _, o := range s.resources {
		all = append(all, source{o.GroupVersionKind().GroupKind(), o.GetNamespace(), o.GetName(), o.Path})
	}
	return append(all, s.generators...)
}

// generates notes what the generators of a kustomization make anew; what they change has its file already.
func (s *survey) generates(k kustomization) {
	note := func(kind string, args types.GeneratorArgs) {
		if behavior := types.NewGenerationBehavior(args.Behavior); behavior == types.BehaviorUnspecified || behavior == types.BehaviorCreate {
			s.generators = append(s.generators, source{schema.GroupKind{Kind: kind}, args.Namespace, args.Name, k.file})
		}
	}
	for _, g := range k.ConfigMapGenerator {
		note("ConfigMap", g.GeneratorArgs)
	}
	for _, g := range k.SecretGenerator {
		note("Secret", g.GeneratorArgs)
	}
}

// files says which file each object was made of. A kustomization keeps the kind, and puts something before and behind the
// name; where that does not tell for each just one, known is false: then only the library knows.
func (s *survey) files(built resmap.ResMap) (files []string, known bool) {
	all := s.sources()
	taken := map[int]bool{}
	for _, r := range built.Resources() {
		gvk := r.GetGvk()
		kind, best, tie := schema.GroupKind{Group: gvk.Group, Kind: gvk.Kind}, -1, false
		for i, of := range all {
			if of.kind != kind || of.name == "" || !strings.Contains(r.GetName(), of.name) {
				continue
			}
			switch {
			case best < 0 || len(of.name) > len(all[best].name):
				best, tie = i, false
			case len(of.name) == len(all[best].name):
				tie = true
			}
		}
		if best < 0 || tie || taken[best] {
			return nil, false
		}
		taken[best] = true
		files = append(files, all[best].file)
	}
	return files, true
}

// objectsOf are the objects of one resource; there are several of a List. size is how much text they are, more or less.
func objectsOf(file string, decoded map[string]any) (objects []manifest.Object, size int, err error) {
	value, size, err := asJSON(decoded)
	if err != nil {
		return nil, 0, &manifest.Error{Path: file, Err: err}
	}
	objects, err = manifest.Collect(file, value)
	return objects, size, err
}

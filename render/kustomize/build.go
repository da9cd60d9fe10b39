package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/render/manifest"
)

// turn is held while the library builds: its schema is one for the whole process. A channel, so that waiting ends with
// its context.
var turn = make(chan struct{}, 1)

// Build runs the kustomization in the folder dir of tree. An error names the file to blame where that is known. Safe
// for concurrent use: builds take turns.
func Build(ctx context.Context, tree fs.FS, dir string) ([]manifest.Object, error) {
	s := &survey{ctx: ctx, tree: tree, builds: map[string]int{}}
	if _, err := s.walk(dir, 0); err != nil {
		return nil, err
	}
	shown, asked, err := s.withOrigins()
	if err != nil {
		return nil, err
	}
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-turn }()
	if s.openAPI {
		// What one build sets the next would see. Costs 30 ms, so only then.
		defer openapi.ResetOpenAPI()
	}
	disk := &fileSystem{ctx: ctx, tree: tree, replaced: shown}
	built, err := run(disk, "/"+dir)
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	return s.objects(built, dir, asked)
}

// withOrigins lets the library note which file each object came from, by showing it the root kustomization with one
// entry more. asked says that the kustomization wants that note itself, so that it stays.
func (s *survey) withOrigins() (shown map[string][]byte, asked bool, err error) {
	k := s.root.Kustomization
	for _, option := range k.BuildMetadata {
		if option == types.OriginAnnotations {
			return nil, true, nil
		}
	}
	k.BuildMetadata = append(append([]string{}, k.BuildMetadata...), types.OriginAnnotations)
	data, err := yaml.Marshal(k)
	if err != nil {
		return nil, false, &manifest.Error{Path: s.root.file, Err: err}
	}
	return map[string][]byte{s.root.file: data}, false, nil
}

// run calls the library, which panics on some inputs.
func run(disk *fileSystem, dir string) (built resmap.ResMap, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("kustomize panicked: %v", p)
		}
	}()
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone // the jail is the tree, not the overlay's folder
	return krusty.MakeKustomizer(options).Run(disk, dir)
}

func (s *survey) objects(built resmap.ResMap, dir string, asked bool) ([]manifest.Object, error) {
	if built.Size() > manifest.MaxObjects {
		return nil, manifest.Faultf(dir, "kustomization gives more than %d objects", manifest.MaxObjects)
	}
	var all []manifest.Object
	total := 0
	for _, r := range built.Resources() {
		file := s.origin(r, dir)
		if !asked {
			if err := r.SetOrigin(nil); err != nil {
				return nil, &manifest.Error{Path: file, Err: err}
			}
		}
		// AsYAML would turn the same text into YAML, to be parsed once more.
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, &manifest.Error{Path: file, Err: err}
		}
		if total += len(text); total > manifest.MaxOutput {
			return nil, manifest.Faultf(dir, "kustomization gives more than %d MiB", manifest.MaxOutput>>20)
		}
		objects, err := manifest.Parse(file, text, manifest.Lenient)
		if err != nil {
			return nil, err
		}
		for i := range objects {
			objects[i].Line = 0 // of a text that nobody sees
		}
		s.sign(objects)
		all = append(all, objects...)
	}
	return all, nil
}

// origin names the file of an object: where it was read, or the kustomization that generated it.
func (s *survey) origin(r *resource.Resource, dir string) string {
	from, err := r.GetOrigin()
	if err != nil || from == nil {
		return s.root.file
	}
	if from.Path != "" {
		return path.Join(dir, from.Path)
	}
	return path.Join(dir, from.ConfiguredIn)
}

// explain names the two files where the library says only that an object is there twice.
func (s *survey) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var fault *manifest.Error
	if errors.As(err, &fault) {
		return fault
	}
	if strings.Contains(err.Error(), "already registered id") {
		first := map[string]manifest.Object{}
		for _, o := range s.resources {
			id := o.GroupVersionKind().GroupKind().String() + " " + path.Join(o.GetNamespace(), o.GetName())
			if was, twice := first[id]; twice {
				return &manifest.Error{Path: o.Path, Line: o.Line,
					Err: fmt.Errorf("%s is there twice: also in %s, line %d", id, was.Path, was.Line)}
			}
			first[id] = o
		}
	}
	return &manifest.Error{Path: s.root.file, Err: trimmed(err)}
}

// trimmed makes an error of the library one line, its root folder ours.
func trimmed(err error) error {
	text := strings.Join(strings.Fields(err.Error()), " ")
	text = strings.ReplaceAll(text, "'/", "'")
	if len(text) > 1000 {
		text = strings.ToValidUTF8(text[:1000], "") + "..."
	}
	return errors.New(text)
}

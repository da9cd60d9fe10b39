package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
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

// Input says what to build.
type Input struct {
	Tree fs.FS
	Dir  string // a folder with a kustomization
	// Before are resources that the kustomization has before its own.
	Before []manifest.Object
	// Charts renders those that a kustomization names. Nil: they are refused.
	Charts Charts
}

// Visit walks through all kustomizations of a build and asks for the charts that they name, but builds nothing.
func Visit(ctx context.Context, in Input) error {
	left := maxFolders
	_, err := visit(ctx, in, &left)
	return err
}

// visit returns the resources of a folder, as they are in its files.
func visit(ctx context.Context, in Input, folders *int) ([]manifest.Object, error) {
	s := newSurvey(ctx, in, folders)
	s.visiting = true
	_, err := s.walk(in.Dir, 0, "")
	return s.resources, err
}

// Build runs a kustomization. An error names the file to blame where that is known. Safe for concurrent use: builds take
// turns.
func Build(ctx context.Context, in Input) ([]manifest.Object, error) {
	left := maxFolders
	return build(ctx, in, &left)
}

// build runs one kustomization; folders is how many folders of plugins may still be built for it.
func build(ctx context.Context, in Input, folders *int) ([]manifest.Object, error) {
	s := newSurvey(ctx, in, folders)
	if _, err := s.walk(in.Dir, 0, ""); err != nil {
		return nil, err
	}
	built, err := s.build(ctx)
	if err != nil {
		return nil, err
	}
	files, known := s.files(built)
	if !known && !s.asked {
		if err := s.withOrigins(); err != nil {
			return nil, err
		}
		if built, err = s.build(ctx); err != nil {
			return nil, err
		}
	}
	return s.objects(built, files)
}

func (s *survey) build(ctx context.Context) (resmap.ResMap, error) {
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
	built, err := run(&fileSystem{ctx: ctx, tree: s.in.Tree, replaced: s.shown}, "/"+s.in.Dir)
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	return built, nil
}

// withOrigins lets the library note which file each object came from, by showing it the root kustomization with one
// entry more. It takes a quarter longer then.
func (s *survey) withOrigins() error {
	k := s.root.Kustomization
	k.BuildMetadata = append(slices.Clone(k.BuildMetadata), types.OriginAnnotations)
	return s.show(kustomization{s.root.file, k})
}

// show gives the library another kustomization than the file has.
func (s *survey) show(k kustomization) error {
	data, err := yaml.Marshal(k.Kustomization)
	if err != nil {
		return &manifest.Error{Path: k.file, Err: err}
	}
	s.shown[k.file] = data
	return nil
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

// objects are those of a build, made of these files; of nil, the library noted them.
func (s *survey) objects(built resmap.ResMap, files []string) ([]manifest.Object, error) {
	dir := s.in.Dir
	if built.Size() > manifest.MaxObjects {
		return nil, manifest.Faultf(dir, "kustomization gives more than %d objects", manifest.MaxObjects)
	}
	var all []manifest.Object
	total := 0
	for i, r := range built.Resources() {
		file, err := s.file(r, files, i)
		if err != nil {
			return nil, err
		}
		// AsYAML and MarshalJSON would make text of it, to be parsed once more.
		decoded, err := r.Map()
		if err != nil {
			return nil, &manifest.Error{Path: file, Err: trimmed(err)}
		}
		objects, size, err := objectsOf(file, decoded)
		if err != nil {
			return nil, err
		}
		if total += size; total > manifest.MaxOutput {
			return nil, manifest.Faultf(dir, "kustomization gives more than %d MiB", manifest.MaxOutput>>20)
		}
		s.sign(objects)
		all = append(all, objects...)
	}
	return all, nil
}

// file is where the i-th object came from. The note of it stays only where the kustomization asked for it.
func (s *survey) file(r *resource.Resource, files []string, i int) (string, error) {
	if files != nil && !s.asked {
		return files[i], nil
	}
	file, note := s.origin(r, s.in.Dir)
	if s.asked && note == nil {
		return file, nil
	}
	if err := r.SetOrigin(note); err != nil {
		return "", &manifest.Error{Path: file, Err: err}
	}
	return file, nil
}

// origin names the file of an object: where it was read, or the kustomization that generated it. note is what the library
// would have noted itself, where it was shown a file that is none.
func (s *survey) origin(r *resource.Resource, dir string) (file string, note *resource.Origin) {
	from, err := r.GetOrigin()
	if err != nil || from == nil {
		return s.root.file, nil
	}
	if from.Path == "" {
		return path.Join(dir, from.ConfiguredIn), nil
	}
	file = path.Join(dir, from.Path)
	if made, ok := s.made[file]; ok {
		if s.asked {
			note = made.note(path.Dir(path.Dir(from.Path)))
		}
		return made.file, note
	}
	return file, nil
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
	text := trimmed(err).Error()
	for name, made := range s.made {
		text = strings.ReplaceAll(text, name, made.file)
	}
	return &manifest.Error{Path: s.root.file, Err: errors.New(text)}
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

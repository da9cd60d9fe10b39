package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/sluice-cd/sluice/render/manifest"
)

const (
	// maxBuilds bounds how many kustomizations a build runs through, a base that is used twice counted twice: ten
	// levels of two bases each would be 1023.
	maxBuilds = 2000
	maxLevels = 64
	underway  = -1 // in walked.builds: a folder whose bases are being walked
	// maxFolders bounds the folders of generators, transformers and validators, each of which is built by itself.
	maxFolders = 50
)

// survey walks the kustomizations that a build would read and refuses what the library must not be shown.
type survey struct {
	ctx     context.Context //nolint:containedctx // lives for one walk
	in      Input
	tree    fs.FS
	folders *int              // of plugins, still to be built at most
	walked  map[string]walked // by folder
	openAPI bool              // some kustomization sets `openapi:`, which stays in the library's variables
	root    kustomization
	asked   bool // the root wants origins noted in the objects

	visiting bool // nothing is built

	shown map[string][]byte   // what the library is shown instead of a file, or where none is
	made  map[string]rendered // files that are only shown, by path

	resources  []manifest.Object // as the files have them, for saying which two are the same
	generators []source
}

// walked is what is known of a folder.
type walked struct {
	builds    int    // how many kustomizations its build runs through
	namespace string // that those above it gave it
	takes     bool   // a chart in it is rendered for that namespace
}

func newSurvey(ctx context.Context, in Input, folders *int) *survey {
	return &survey{
		ctx: ctx, in: in, tree: in.Tree, folders: folders, walked: map[string]walked{}, shown: map[string][]byte{}, made: map[string]rendered{},
		resources: slices.Clone(in.Before),
	}
}

// kustomization is one kustomization file.
type kustomization struct {
	file string
	types.Kustomization
}

// walk surveys a folder and its bases, for the namespace that the kustomizations above give their charts.
func (s *survey) walk(dir string, level int, namespace string) (walked, error) {
	if err := s.ctx.Err(); err != nil {
		return walked{}, err
	}
	if w, done := s.walked[dir]; w.builds == underway {
		return walked{}, manifest.Faultf(dir, "is its own base, directly or through others")
	} else if done {
		if w.takes && w.namespace != namespace {
			return walked{}, manifest.Faultf(dir, "is built for two namespaces, %q and %q; give its charts a `namespace:` of their own", w.namespace, namespace)
		}
		return w, nil
	}
	if level > maxLevels {
		return walked{}, manifest.Faultf(dir, "bases nested deeper than %d levels", maxLevels)
	}
	s.walked[dir] = walked{builds: underway}
	k, err := s.load(dir)
	if err != nil {
		return walked{}, err
	}
	s.openAPI = s.openAPI || len(k.OpenAPI) > 0
	s.generates(k)
	bases, err := s.check(k, dir)
	if err != nil {
		return walked{}, err
	}
	w := walked{builds: 1, namespace: namespace}
	given, own := namespace, k.Namespace != ""
	if own {
		given = k.Namespace
	}
	for _, base := range bases {
		under, err := s.walk(base, level+1, given)
		if err != nil {
			return walked{}, err
		}
		w.builds += under.builds
		w.takes = w.takes || under.takes && !own
	}
	if w.builds > maxBuilds {
		return walked{}, manifest.Faultf(k.file, "bases multiply to more than %d kustomizations", maxBuilds)
	}
	w.takes = w.takes || !own && slices.ContainsFunc(k.HelmCharts, func(c types.HelmChart) bool { return c.Namespace == "" })
	if level == 0 {
		if err := s.before(&k, dir); err != nil {
			return walked{}, err
		}
	}
	if err := s.replace(&k, dir, given); err != nil {
		return walked{}, err
	}
	if level == 0 {
		s.root, s.asked = k, slices.Contains(k.BuildMetadata, types.OriginAnnotations)
	}
	s.walked[dir] = w
	return w, nil
}

// load reads the one kustomization file of a folder, with the library's own decoder, so that both understand the same.
func (s *survey) load(dir string) (kustomization, error) {
	found := kustomization{}
	var data []byte
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		file := path.Join(dir, name)
		content, err := fs.ReadFile(s.tree, file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return found, &manifest.Error{Path: file, Err: err}
		case found.file != "":
			return found, manifest.Faultf(file, "a second kustomization beside %s", path.Base(found.file))
		default:
			found.file, data = file, content
		}
	}
	if found.file == "" {
		return found, manifest.Faultf(dir, "no kustomization.yaml there")
	}
	if _, err := manifest.Mapping(found.file, data); err != nil {
		return found, err
	}
	if err := found.Unmarshal(data); err != nil {
		return found, &manifest.Error{Path: found.file, Err: trimmed(err)}
	}
	found.FixKustomization()
	return found, nil
}

// resolve turns a reference of a kustomization into a path in the tree.
func resolve(dir, ref string) (string, error) {
	switch {
	case ref == "":
		return "", errors.New("is empty")
	case remote(ref):
		return "", fmt.Errorf("%q is remote; only what is in the repository is rendered", withoutUser(ref))
	case path.IsAbs(ref):
		return "", fmt.Errorf("%q is an absolute path", ref)
	}
	name := path.Join(dir, ref)
	if !fs.ValidPath(name) {
		return "", fmt.Errorf("%q leaves the repository", ref)
	}
	return name, nil
}

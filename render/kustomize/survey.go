package kustomize

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/sluice-cd/sluice/render/manifest"
)

const (
	// maxBuilds bounds how many kustomizations a build runs through, a base that is used twice counted twice: ten
	// levels of two bases each would be 1023.
	maxBuilds = 2000
	maxLevels = 64
	underway  = -1 // in survey.builds: a folder whose bases are being walked
)

// survey walks the kustomizations that a build would read and refuses what the library must not be shown.
type survey struct {
	ctx     context.Context //nolint:containedctx // lives for one walk
	tree    fs.FS
	builds  map[string]int // by folder: how many kustomizations its build runs through
	openAPI bool           // some kustomization sets `openapi:`, which stays in the library's variables
	root    kustomization

	resources []manifest.Object // as the files have them, for saying which two are the same
}

// kustomization is one kustomization file.
type kustomization struct {
	file string
	types.Kustomization
}

func (s *survey) walk(dir string, level int) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	if n, done := s.builds[dir]; n == underway {
		return 0, manifest.Faultf(dir, "is its own base, directly or through others")
	} else if done {
		return n, nil
	}
	if level > maxLevels {
		return 0, manifest.Faultf(dir, "bases nested deeper than %d levels", maxLevels)
	}
	s.builds[dir] = underway
	k, err := s.load(dir)
	if err != nil {
		return 0, err
	}
	if level == 0 {
		s.root = k
	}
	s.openAPI = s.openAPI || len(k.OpenAPI) > 0
	bases, err := s.check(k, dir)
	if err != nil {
		return 0, err
	}
	total := 1
	for _, base := range bases {
		n, err := s.walk(base, level+1)
		if err != nil {
			return 0, err
		}
		total += n
	}
	if total > maxBuilds {
		return 0, manifest.Faultf(k.file, "bases multiply to more than %d kustomizations", maxBuilds)
	}
	s.builds[dir] = total
	return total, nil
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

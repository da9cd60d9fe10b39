package render

import (
	"errors"
	"io/fs"
	"path"
)

// Source says what an environment is rendered from: exactly one of its fields. Paths start at Request.Dir and may go up
// (../base), but not out of the tree.
type Source struct {
	Helm      *Helm      `json:"helm,omitempty"`
	Kustomize *Kustomize `json:"kustomize,omitempty"`
	Directory *Directory `json:"directory,omitempty"`
}

// Helm is a chart in the tree, a folder or a packed .tgz, or one from elsewhere.
type Helm struct {
	Chart       string         `json:"chart"`                 // a path; with repository the chart's name there
	Repository  string         `json:"repository,omitempty"`  // of a chart from elsewhere: https://host/path, or oci://host/path of a registry
	Version     string         `json:"version,omitempty"`     // with repository: a version (1.2.3) or a range (^1.2, "~1.2.3", 1.x, ">=1.2 <2"); sluice.lock says what it resolved to
	Values      []string       `json:"values,omitempty"`      // files; later ones win
	Set         map[string]any `json:"set,omitempty"`         // values on top of the files; a null removes a default
	ReleaseName string         `json:"releaseName,omitempty"` // empty: the application's name
}

// Kustomize is a folder with a kustomization.
type Kustomize struct {
	Path string `json:"path"`
}

// Directory is a folder of YAML and JSON manifests. Names that begin with a dot are passed over, and so are sluice.yaml
// and the folder releases beside it.
type Directory struct {
	Path    string `json:"path"`
	Recurse bool   `json:"recurse,omitempty"` // into folders below; zero: the folder alone
}

// Validate says whether exactly one kind of source is given, with its path. The error is an *Error whose Field is
// relative to the source.
func (s Source) Validate() error {
	given := 0
	field, at := "", ""
	if s.Helm != nil {
		given, field, at = given+1, "helm.chart", s.Helm.Chart
	}
	if s.Kustomize != nil {
		given, field, at = given+1, "kustomize.path", s.Kustomize.Path
	}
	if s.Directory != nil {
		given, field, at = given+1, "directory.path", s.Directory.Path
	}
	if given != 1 {
		return &Error{Field: "source", Err: errors.New("give exactly one of helm, kustomize and directory")}
	}
	if at == "" {
		return &Error{Field: field, Err: errors.New("is missing")}
	}
	return nil
}

// within turns a path of a source into one of the tree. The root of the tree is the jail.
func within(dir, field, ref string) (string, error) {
	name := path.Join(dir, ref)
	switch {
	case ref == "":
		return "", &Error{Field: field, Err: errors.New("is missing")}
	case path.IsAbs(ref):
		return "", &Error{Field: field, Err: quotedError{ref, "is an absolute path; paths start beside sluice.yaml"}}
	case !fs.ValidPath(name):
		return "", &Error{Field: field, Err: quotedError{ref, "leaves the repository"}}
	}
	return name, nil
}

package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// Source says what an environment is rendered from: exactly one of helm, kustomize and directory. A chart may have a
// kustomization besides, which is then built with the chart's objects as its first resources, definitions of crds/ too and
// hooks not. Paths start at Request.Dir
// and may go up (../base), but not out of the tree.
type Source struct {
	Helm      *Helm      `json:"helm,omitempty"`
	Kustomize *Kustomize `json:"kustomize,omitempty"`
	Directory *Directory `json:"directory,omitempty"`

	Substitute *Substitute `json:"substitute,omitempty"` // nil: ${NAME} is a text like any other

	// All are several sources, in a file a list in the place of the mapping; nothing else is set then, and none of them
	// has several of its own. An object that two of them have is an error.
	All []Source `json:"-"`
}

// MaxSources is how many sources one environment may have.
const MaxSources = 50

// oneSource is a Source that is written as the mapping that it is.
type oneSource Source

// MarshalJSON writes several sources as a list.
func (s Source) MarshalJSON() ([]byte, error) {
	if s.All != nil {
		return json.Marshal(s.All)
	}
	return json.Marshal(oneSource(s))
}

// UnmarshalJSON reads a mapping or a list. An unknown key is an error.
func (s *Source) UnmarshalJSON(data []byte) error {
	*s = Source{}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		return json.Unmarshal(data, &s.All)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode((*oneSource)(s))
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

// Validate says whether the sources are of one kind each, with their paths. The error is an *Error whose Field is
// relative to the source.
func (s Source) Validate() error {
	if s.All == nil {
		return s.validate()
	}
	if len(s.All) == 0 || len(s.All) > MaxSources {
		return &Error{Field: "source", Err: fmt.Errorf("give between 1 and %d sources", MaxSources)}
	}
	for i, one := range s.All {
		err := one.validate()
		if one.All != nil {
			err = &Error{Field: "source", Err: errors.New("is a list in a list")}
		}
		if err != nil {
			return nth(i, err)
		}
	}
	return nil
}

func (s Source) validate() error {
	field, at := "", ""
	switch {
	case s.Directory != nil && s.Helm == nil && s.Kustomize == nil:
		field, at = "directory.path", s.Directory.Path
	case s.Directory != nil || s.Helm == nil && s.Kustomize == nil:
		return &Error{Field: "source", Err: errors.New("give exactly one of helm, kustomize and directory; kustomize may also follow helm")}
	case s.Helm != nil && s.Helm.Chart == "":
		field = "helm.chart"
	case s.Kustomize != nil:
		field, at = "kustomize.path", s.Kustomize.Path
	default:
		return nil
	}
	if at == "" {
		return &Error{Field: field, Err: errors.New("is missing")}
	}
	return nil
}

// nth says of a fault that no file has which of several sources it is of.
func nth(i int, err error) error {
	var fault *Error
	if !errors.As(err, &fault) || fault.Path != "" || fault.Field == "" {
		return err
	}
	moved := *fault
	moved.Field = fmt.Sprintf("source[%d]", i)
	if fault.Field != "source" {
		moved.Field += "." + fault.Field
	}
	return &moved
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

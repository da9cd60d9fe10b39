package render

import (
	"context"
	"errors"
	"path"
	"strings"

	"github.com/sluice-cd/sluice/render/helm"
	"github.com/sluice-cd/sluice/render/kustomize"
)

// Elsewhere is a chart that is not in the tree.
type Elsewhere = helm.Elsewhere

// LockFile is the file beside sluice.yaml that says what charts from elsewhere resolved to.
const LockFile = helm.LockFile

// reserved is the folder beside sluice.yaml below which a tree serves charts from elsewhere. What the repository itself
// may have there counts for nothing: whoever makes the tree sees to that.
const reserved = ".sluice/charts"

// Fetched is the folder below which a tree serves the charts from elsewhere of the application in dir, each at its
// File. The object of one is the SHA-256 of the archive, in hex, as the lock of the tree's revision says it.
func Fetched(dir string) string { return path.Join(dir, reserved) }

// InFetched splits a path of a tree into the application's folder and what is below the folder of fetched charts; false
// where it is in none.
func InFetched(name string) (dir, file string, ok bool) {
	if dir, file, ok = strings.Cut("/"+name, "/"+reserved+"/"); !ok {
		dir, ok = strings.CutSuffix("/"+name, "/"+reserved)
	}
	if dir = strings.TrimPrefix(dir, "/"); dir == "" {
		dir = "."
	}
	return dir, file, ok
}

// where is the chart's path in the tree, or what it is elsewhere.
func (h *Helm) where(dir string) (at string, away *Elsewhere, err error) {
	if h.Repository != "" {
		e := h.Elsewhere()
		if field, why := e.Check(); why != "" {
			return "", nil, &Error{Field: "helm." + field, Err: errors.New(why)}
		}
		return "", &e, nil
	}
	if strings.Contains(h.Chart, "://") {
		return "", nil, &Error{Field: "helm.chart", Err: quotedError{h.Chart, "is an address: write it as repository, without the last part, which is the chart's name"}}
	}
	if h.Version != "" {
		return "", nil, &Error{Field: "helm.version", Err: errors.New("is only for a chart with a repository")}
	}
	at, err = within(dir, "helm.chart", h.Chart)
	return at, nil, err
}

// Elsewhere is the chart of a repository; only where there is one.
func (h *Helm) Elsewhere() Elsewhere {
	return Elsewhere{Repository: strings.TrimRight(h.Repository, "/"), Name: h.Chart, Version: h.Version}
}

// Elsewheres lists the charts that a source needs from elsewhere, those of kustomizations and dependencies included; dir is
// the folder of sluice.yaml. An error is an *Error that names the file.
func (s Source) Elsewheres(ctx context.Context, tree Tree, dir string) ([]Elsewhere, error) {
	if s.All != nil {
		var all []Elsewhere
		for i, one := range s.All {
			needs, err := one.Elsewheres(ctx, tree, dir)
			if err != nil {
				return nil, nth(i, err)
			}
			all = append(all, needs...)
		}
		return all, nil
	}
	var all []Elsewhere
	if s.Helm != nil {
		at, away, err := s.Helm.where(dir)
		if err != nil {
			return nil, err
		}
		if away != nil {
			all = append(all, *away)
		} else if all, err = helm.Elsewheres(tree, at); err != nil {
			return nil, err
		}
	}
	if s.Kustomize == nil {
		return all, nil
	}
	at, err := within(dir, "kustomize.path", s.Kustomize.Path)
	if err != nil {
		return nil, err
	}
	named := &needs{tree: tree}
	err = kustomize.Visit(ctx, kustomize.Input{Tree: tree, Dir: at, Charts: named})
	return append(all, named.all...), err
}

// AboutChart is the name and the version that a packed chart says of itself.
func AboutChart(archive []byte) (name, version string, err error) { return helm.About(archive) }

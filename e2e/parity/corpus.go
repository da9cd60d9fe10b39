package parity

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Kind is what a case is rendered by.
type Kind string

// Both kinds.
const (
	Helm      Kind = "helm"
	Kustomize Kind = "kustomize"
)

// Case is one thing to render.
type Case struct {
	Kind   Kind
	Path   string // of the chart or the kustomization, from the corpus' root
	Values string // a values file from the root; empty: those of the chart alone
}

func (c Case) String() string {
	if c.Values != "" {
		return c.Path + "+" + filepath.Base(c.Values)
	}
	return c.Path
}

// Find lists the cases below a folder, by path. Subcharts are part of their charts, and what only other kustomizations use (a component) is
// no case of its own.
func Find(root string) (cases []Case, err error) {
	err = filepath.WalkDir(root, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !entry.IsDir() {
			return nil
		}
		path, err := filepath.Rel(root, at)
		if err != nil {
			return err
		}
		if strings.HasPrefix(entry.Name(), ".") && path != "." {
			return fs.SkipDir
		}
		if _, err := os.Stat(filepath.Join(at, "Chart.yaml")); err == nil {
			more, err := filepath.Glob(filepath.Join(at, "ci", "*-values.yaml"))
			if err != nil {
				return err
			}
			cases = append(cases, Case{Kind: Helm, Path: path})
			for _, values := range more {
				values, _ = filepath.Rel(root, values)
				cases = append(cases, Case{Helm, path, values})
			}
			return fs.SkipDir
		}
		for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
			text, err := os.ReadFile(filepath.Join(at, name)) //nolint:gosec // the corpus is the caller's
			if err == nil && !strings.Contains(string(text), "kind: Component") {
				cases = append(cases, Case{Kind: Kustomize, Path: path})
			}
		}
		return nil
	})
	if err == nil && len(cases) == 0 {
		err = fmt.Errorf("there is neither a chart nor a kustomization below %q", root)
	}
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.String(), b.String()) })
	return cases, err
}

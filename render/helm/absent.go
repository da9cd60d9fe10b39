package helm

import (
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/sluice-cd/sluice/render/manifest"
)

// absent are the dependencies of the chart under a prefix that its charts folder does not have, and the file that names
// them.
func (b *bundle) absent(prefix string) ([]*chart.Dependency, string, error) {
	meta, file, err := b.about(prefix)
	if err != nil {
		return nil, file, err
	}
	there := map[string]bool{}
	for _, name := range b.names {
		rest, ok := strings.CutPrefix(name, prefix+"charts/")
		folder, inner, deep := strings.Cut(rest, "/")
		if !ok || !deep || inner != "Chart.yaml" {
			continue
		}
		sub, _, err := b.about(prefix + "charts/" + folder + "/")
		if err != nil {
			return nil, file, err
		}
		there[sub.Name] = true
	}
	return slices.DeleteFunc(slices.Clone(meta.Dependencies), func(d *chart.Dependency) bool { return d == nil || there[d.Name] }), file, nil
}

// about decodes what the chart under a prefix says of itself, in the old form too, where requirements.yaml has the
// dependencies.
func (b *bundle) about(prefix string) (*chart.Metadata, string, error) {
	meta, file := &chart.Metadata{}, "Chart.yaml"
	data, ok := b.data[prefix+file]
	if !ok {
		return meta, file, manifest.Faultf(path.Join(b.root, prefix), "Chart.yaml is missing: not a chart")
	}
	if err := yaml.Unmarshal(data, meta); err != nil {
		return meta, file, &manifest.Error{Path: path.Join(b.root, prefix, file), Err: err}
	}
	if old, ok := b.data[prefix+"requirements.yaml"]; ok && len(meta.Dependencies) == 0 {
		file = "requirements.yaml"
		if err := yaml.Unmarshal(old, meta); err != nil {
			return meta, file, &manifest.Error{Path: path.Join(b.root, prefix, file), Err: err}
		}
	}
	return meta, file, nil
}

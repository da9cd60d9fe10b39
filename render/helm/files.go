package helm

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/ignore"

	"github.com/sluice-cd/sluice/render/manifest"
)

const (
	maxChartFiles = 10_000
	maxChartBytes = 64 << 20 // of all files together, archives unpacked
	maxChartDepth = 32       // folders below the chart; a symbolic link to its own parent ends here
)

// bundle is what a chart is made of: file names relative to the chart, archives already unpacked. It is never changed,
// since Helm's loader changes what it is given.
type bundle struct {
	root  string // where the chart lies in the tree
	names []string
	data  map[string][]byte
	bytes int64
}

// collect reads a chart, a folder or a .tgz, from the tree.
func collect(tree fs.FS, root string) (*bundle, error) {
	b := &bundle{root: root, data: map[string][]byte{}}
	info, err := fs.Stat(tree, root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, manifest.Faultf(root, "no such chart")
	}
	if err != nil {
		return nil, &manifest.Error{Path: root, Err: err}
	}
	if !info.IsDir() {
		data, err := fs.ReadFile(tree, root)
		if err != nil {
			return nil, &manifest.Error{Path: root, Err: err}
		}
		return b, b.unpack("", root, data, 0)
	}
	rules, err := ignoreRules(tree, root)
	if err != nil {
		return nil, err
	}
	return b, b.walk(tree, rules, "", 0)
}

func ignoreRules(tree fs.FS, root string) (*ignore.Rules, error) {
	rules := ignore.Empty()
	name := path.Join(root, ignore.HelmIgnore)
	data, err := fs.ReadFile(tree, name)
	switch {
	case err == nil:
		if rules, err = ignore.Parse(bytes.NewReader(data)); err != nil {
			return nil, &manifest.Error{Path: name, Err: err}
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, &manifest.Error{Path: name, Err: err}
	}
	rules.AddDefaults()
	return rules, nil
}

// walk adds the files below dir, a name relative to the chart, in the order of their names.
func (b *bundle) walk(tree fs.FS, rules *ignore.Rules, dir string, depth int) error {
	at := path.Join(b.root, dir)
	if depth > maxChartDepth {
		return manifest.Faultf(at, "folders nested deeper than %d levels", maxChartDepth)
	}
	entries, err := fs.ReadDir(tree, at)
	if err != nil {
		return &manifest.Error{Path: at, Err: err}
	}
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		info, err := fs.Stat(tree, path.Join(b.root, name)) // follows symbolic links, inside the tree
		if err != nil {
			return &manifest.Error{Path: path.Join(b.root, name), Err: err}
		}
		if rules.Ignore(name, info) {
			continue
		}
		if info.IsDir() {
			err = b.walk(tree, rules, name, depth+1)
		} else {
			err = b.read(tree, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bundle) read(tree fs.FS, name string) error {
	at := path.Join(b.root, name)
	data, err := fs.ReadFile(tree, at)
	if err != nil {
		return &manifest.Error{Path: at, Err: err}
	}
	if archive(name) {
		return b.unpack(strings.TrimSuffix(name, ".tgz")+"~/", at, data, 0)
	}
	return b.add(name, at, data)
}

// archive says whether a file is a packed subchart; Helm looks for them in the charts folder of any chart.
func archive(name string) bool {
	dir, base := path.Split(name)
	inCharts := dir == "charts/" || strings.HasSuffix(dir, "/charts/")
	return inCharts && path.Ext(base) == ".tgz" && base[0] != '_' && base[0] != '.'
}

// add takes a file in after checking what will be parsed; other files (a logo, a README) may be anything.
func (b *bundle) add(name, at string, data []byte) error {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if parsed(name) {
		if err := manifest.Check(at, data); err != nil {
			return err
		}
	}
	if len(data) > manifest.MaxFile {
		return manifest.Faultf(at, "file is larger than %d MiB", manifest.MaxFile>>20)
	}
	b.bytes += int64(len(data))
	if b.bytes > maxChartBytes || len(b.names) >= maxChartFiles {
		return manifest.Faultf(b.root, "chart is larger than %d MiB or %d files", maxChartBytes>>20, maxChartFiles)
	}
	if _, twice := b.data[name]; twice {
		return manifest.Faultf(at, "file is there twice")
	}
	b.names = append(b.names, name)
	b.data[name] = data
	return nil
}

// inChart cuts the folders of subcharts off a name: charts/db/templates/a.yaml is templates/a.yaml of db.
func inChart(name string) string {
	for {
		rest, ok := strings.CutPrefix(name, "charts/")
		if !ok {
			return name
		}
		_, inner, ok := strings.Cut(rest, "/")
		if !ok {
			return name
		}
		name = inner
	}
}

func parsed(name string) bool {
	name = inChart(name)
	return metadata(name) || name == "values.schema.json" ||
		strings.HasPrefix(name, "templates/") || strings.HasPrefix(name, "crds/")
}

// metadata says whether Helm decodes the file as YAML while loading.
func metadata(name string) bool {
	switch name {
	case "Chart.yaml", "Chart.lock", "values.yaml", "requirements.yaml", "requirements.lock":
		return true
	}
	return false
}

// check decodes the YAML that Helm's loader will, only to name file and line where it does not parse.
func (b *bundle) check() error {
	if _, ok := b.data["Chart.yaml"]; !ok {
		return manifest.Faultf(b.root, "Chart.yaml is missing: not a chart")
	}
	for _, name := range b.names {
		if !metadata(inChart(name)) {
			continue
		}
		if _, err := manifest.Mapping(path.Join(b.root, name), b.data[name]); err != nil {
			return err
		}
	}
	return nil
}

// files gives Helm's loader slices of its own.
func (b *bundle) files() []*loader.BufferedFile {
	files := make([]*loader.BufferedFile, 0, len(b.names))
	for _, name := range b.names {
		files = append(files, &loader.BufferedFile{Name: name, Data: bytes.Clone(b.data[name])})
	}
	return files
}

// path names the file in the tree that a template came from. Helm calls it by chart names: shop/templates/a.yaml.
func (b *bundle) path(template string) string {
	_, rest, ok := strings.Cut(template, "/")
	if !ok {
		return b.root
	}
	return path.Join(b.root, rest)
}

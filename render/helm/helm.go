package helm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/render/manifest"
)

// Input says what to render. Chart and Values are paths in Tree, already known to stay inside it.
type Input struct {
	Tree               fs.FS
	Chart              string         // a folder, or a packed chart
	Elsewhere          *Elsewhere     // the chart, where it is not in the tree; Chart is empty then
	Fetched            string         // folder of Tree that serves charts from elsewhere, see ReadElsewhere
	Base               map[string]any // values below Values
	Values             []string
	Inline             map[string]any // on top of Values
	Release, Namespace string
	KubeVersion        string   // empty: DefaultKubeVersion
	APIVersions        []string // "group/version" and "group/version/Kind"; empty: what the helm program knows
	Further            []string // API versions besides those
	// Kept are objects that lookup answers with; it finds no others.
	Kept []*unstructured.Unstructured
	// Other renders the variant in which everything that comes from chance or the clock is something else; Reverse the one
	// in which everything that has the order of a map comes the other way round.
	Other, Reverse bool
}

// Output is what the chart gave. Objects begin with those of crds/, which are no templates.
type Output struct {
	Objects []manifest.Object
	// Definitions is how many of Objects are those of crds/.
	Definitions int
	Hooks       []Hook
	// Tests are hooks that are tests alone; these may differ from render to render.
	Tests  []Hook
	Asked  map[string]string // questions about the cluster, with their answers; see Answer
	Looked []Lookup          // what lookup was asked for, found or not; sorted
	// Repeats is how often the variant Other is to be rendered before what differs is known: not at all where no template
	// names a function of chance or of the clock.
	Repeats int
	// Unordered: text that tpl runs names a function in the order of a map, which cannot be settled there.
	Unordered bool

	// Ordered: a template names a function in the order of a map, which is settled; Reads are the places where templates
	// ask whether they are installed for the first time, to which the answer is always yes.
	Ordered bool
	Reads   []Use

	blame func(file string, order bool) error
}

// Use is a place in a template where it uses something, by the template's path in the tree.
type Use struct {
	Path string
	Line int
	Of   string
}

// Blame says which function made an object of this file differ from render to render; order: by the order of a map.
func (out *Output) Blame(file string, order bool) error { return out.blame(file, order) }

// Render renders a chart. An error names the template, and the line where it is known; the Output then has nothing but
// Asked, since the answers may be why it failed. ctx is looked at between the steps; a template in the middle of its
// work is not interrupted.
func Render(ctx context.Context, in Input) (*Output, error) {
	if err := chartutil.ValidateReleaseName(in.Release); err != nil {
		return &Output{}, &manifest.Error{Field: "helm.releaseName", Err: fmt.Errorf("%q: %w", in.Release, err)}
	}
	caps, err := target(in.KubeVersion, in.APIVersions)
	if err != nil {
		return &Output{}, &manifest.Error{Field: "kubeVersion", Err: fmt.Errorf("%q: %w", in.KubeVersion, err)}
	}
	caps.APIVersions = append(caps.APIVersions, in.Further...)
	files, err := in.collect()
	if err != nil {
		return &Output{}, err
	}
	values, err := mergeValues(in.Tree, in.Base, in.Values, in.Inline)
	if err != nil {
		return &Output{}, err
	}
	j := job{Input: in, files: files, values: values, caps: caps, notes: &questions{}, asked: &lookups{}}
	out, err := j.render(ctx)
	if err != nil {
		out = &Output{}
	}
	out.Asked, out.Looked = j.notes.all(), j.asked.all()
	return out, err
}

// OwnValues are those of the chart's values.yaml; nil: it has none.
func (in Input) OwnValues() ([]byte, error) {
	b, err := in.collect()
	if err != nil {
		return nil, err
	}
	return b.data["values.yaml"], nil
}

// collect reads all that the chart is made of, its dependencies included.
func (in Input) collect() (*bundle, error) {
	if in.Elsewhere != nil {
		b := &bundle{root: path.Join(in.Fetched, in.Elsewhere.File()), data: map[string][]byte{}}
		data, err := ReadElsewhere(in.Tree, in.Fetched, *in.Elsewhere)
		if err != nil {
			return nil, err
		}
		if err := b.unpack("", b.root, data, 0); err != nil {
			return nil, err
		}
		return b, b.check()
	}
	b, err := collect(in.Tree, in.Chart)
	if err != nil {
		return nil, err
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	before := len(b.names)
	if err := b.complete(in.Tree, fetched(in.Tree, in.Fetched)); err != nil || len(b.names) == before {
		return b, err
	}
	return b, b.check()
}

// job is one chart with its values, of which any number of passes can be made.
type job struct {
	Input
	files  *bundle
	values map[string]any
	caps   *chartutil.Capabilities
	notes  *questions
	asked  *lookups
}

func (j *job) render(ctx context.Context) (*Output, error) {
	c, err := j.load()
	if err != nil {
		return nil, err
	}
	if err := j.accept(c); err != nil {
		return nil, err
	}
	s := scanChart(c)
	out, err := j.run(ctx, c, s, s.whole)
	if err != nil && !s.whole && ctx.Err() == nil {
		// Text run by tpl may use .Capabilities in a way the scan cannot see: again with Helm's own type. Where that fails
		// too, whatever either asked may be why.
		with := *j
		with.notes = &questions{}
		if c, loadErr := with.load(); loadErr == nil {
			if out, err = with.run(ctx, c, s, true); err == nil {
				j.notes = with.notes
				if want := c.Metadata.KubeVersion; want != "" {
					j.notes.note(askRange+want, j.caps)
				}
			} else {
				j.notes.add(with.notes)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	out.Ordered, out.Reads = s.ordered(), j.uses(s.reads)
	out.blame = func(file string, order bool) error { return j.blame(s, file, order) }
	return out, nil
}

// load gives a chart of its own, dependencies resolved: Helm changes a chart while it works on it.
func (j *job) load() (*chart.Chart, error) {
	c, err := loader.LoadFiles(j.files.files())
	if err != nil {
		return nil, &manifest.Error{Path: path.Join(j.files.root, "Chart.yaml"), Err: err}
	}
	if missing := missingDependencies(c); len(missing) > 0 {
		return nil, manifest.Faultf(path.Join(j.files.root, "Chart.yaml"),
			"dependencies %s are not in charts/ and name no repository; run `helm dependency update` and commit what it fetches",
			strings.Join(missing, ", "))
	}
	values, err := clone(j.values)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependenciesWithMerge(c, values); err != nil {
		return nil, &manifest.Error{Path: path.Join(j.files.root, "Chart.yaml"), Err: err}
	}
	return c, nil
}

func missingDependencies(c *chart.Chart) []string {
	var missing []string
	for _, dep := range c.Metadata.Dependencies {
		if dep == nil {
			continue
		}
		there := slices.ContainsFunc(c.Dependencies(), func(sub *chart.Chart) bool { return sub.Name() == dep.Name })
		if !there {
			missing = append(missing, dep.Name)
		}
	}
	return missing
}

// accept refuses what `helm install` refuses too.
func (j *job) accept(c *chart.Chart) error {
	at := path.Join(j.files.root, "Chart.yaml")
	if kind := c.Metadata.Type; kind != "" && kind != "application" {
		return manifest.Faultf(at, "%s charts cannot be installed", kind)
	}
	if want := c.Metadata.KubeVersion; want != "" {
		if j.notes.note(askRange+want, j.caps) != "true" {
			return manifest.Faultf(at, "chart wants Kubernetes %s, the cluster has %s", want, j.caps.KubeVersion.Version)
		}
	}
	return nil
}

// pass executes the templates once. whole gives them Helm's own .Capabilities.
func (j *job) pass(c *chart.Chart, whole bool) (*Output, error) {
	given, err := clone(j.values)
	if err != nil {
		return nil, err
	}
	// Always a first installation, or no revert would ever render what was there before.
	release := chartutil.ReleaseOptions{Name: j.Release, Namespace: j.Namespace, Revision: 1, IsInstall: true}
	values, err := chartutil.ToRenderValuesWithSchemaValidation(c, given, release, j.caps, true)
	if err != nil {
		return nil, &manifest.Error{Path: path.Join(j.files.root, "values.yaml"), Err: err}
	}
	table, err := values.Table("Values")
	if err != nil {
		return nil, err
	}
	if err := validate(c, table, j.files.root); err != nil {
		return nil, err
	}
	values["Capabilities"] = &asker{Given: j.caps, Notes: j.notes}
	if whole {
		values["Capabilities"] = plain(j.caps, j.notes)
	}
	texts, err := engine.RenderWithClientProvider(c, values, &keptObjects{j.Kept, j.asked})
	if err != nil {
		return nil, j.templateFault(c, err)
	}
	return j.read(c, texts)
}

// read parses what the templates gave, in the order of their names.
func (j *job) read(c *chart.Chart, texts map[string]string) (*Output, error) {
	out := &Output{}
	total := 0
	for _, crd := range c.CRDObjects() {
		objects, err := manifest.Parse(j.files.path(crd.Filename), crd.File.Data, manifest.Lenient)
		if err != nil {
			return nil, err
		}
		out.Objects = append(out.Objects, objects...)
	}
	out.Definitions = len(out.Objects)
	names := make([]string, 0, len(texts))
	for name, text := range texts {
		if path.Base(name) == "NOTES.txt" {
			continue
		}
		names = append(names, name)
		total += len(text)
	}
	if total > manifest.MaxOutput {
		return nil, manifest.Faultf(j.files.root, "templates give more than %d MiB", manifest.MaxOutput>>20)
	}
	slices.Sort(names)
	for _, name := range names {
		objects, err := manifest.Parse(j.files.path(name), []byte(texts[name]), manifest.Lenient)
		if err != nil {
			return nil, outputFault(err, texts[name], sourceOf(c, name))
		}
		if err := out.take(objects); err != nil {
			return nil, err
		}
		if len(out.Objects)+len(out.Hooks)+len(out.Tests) > manifest.MaxObjects {
			return nil, manifest.Faultf(j.files.root, "templates give more than %d objects", manifest.MaxObjects)
		}
	}
	return out, nil
}

// sourceOf finds the text of a template by the name the engine gave it.
func sourceOf(c *chart.Chart, name string) string {
	for _, t := range c.Templates {
		if path.Join(c.ChartFullPath(), t.Name) == name {
			return string(t.Data)
		}
	}
	for _, sub := range c.Dependencies() {
		if text := sourceOf(sub, name); text != "" {
			return text
		}
	}
	return ""
}

// outputFault places a fault of a rendered document in its template: the line of the output is of little use, since
// nobody sees it, so the line itself is looked for.
func outputFault(err error, output, source string) error {
	var fault *manifest.Error
	if !errors.As(err, &fault) || fault.Line == 0 {
		return err
	}
	moved := *fault
	lines := strings.Split(output, "\n")
	wanted := ""
	if fault.Line <= len(lines) {
		wanted = strings.TrimSpace(lines[fault.Line-1])
	}
	moved.Err = fmt.Errorf("line %d of what it renders: %w", fault.Line, fault.Err)
	moved.Line = lineOf(source, wanted)
	return &moved
}

// lineOf returns the one line of source that reads like wanted, from 1; 0 when there is none or more than one.
func lineOf(source, wanted string) int {
	found := 0
	for i, line := range strings.Split(source, "\n") {
		if strings.TrimSpace(line) != wanted || wanted == "" {
			continue
		}
		if found > 0 {
			return 0
		}
		found = i + 1
	}
	return found
}

package helm

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/sluice-cd/sluice/render/manifest"
)

// repeats is how often a suspicious chart is rendered again, in one variant and the other by turns. A random text, the
// clock and the order of keys show at once; the order of `values` of a map of two shows by luck, and hides from four in
// about one of a hundred.
const repeats = 4

// stable renders again what may come out differently, and refuses the chart if it does.
func (j *job) stable(ctx context.Context, s *scan, first *Output) error {
	if !j.suspicious(s) {
		return nil
	}
	want := byFile(first)
	for i := range repeats {
		if err := ctx.Err(); err != nil {
			return err
		}
		again, err := j.again(s, i%2 == 0)
		if err != nil {
			return err
		}
		if file, differs := firstDifference(want, byFile(again)); differs {
			return j.generated(s, file)
		}
	}
	return nil
}

// again renders the variant. Should the variant itself be at fault, the templates are taken as they are.
func (j *job) again(s *scan, other bool) (*Output, error) {
	c, err := j.load()
	if err != nil {
		return nil, err
	}
	turn(c, other)
	if out, err := j.pass(c, s.whole); err == nil {
		return out, nil
	}
	if c, err = j.load(); err != nil {
		return nil, err
	}
	return j.pass(c, s.whole)
}

// suspicious says whether a template, or text that tpl may run, names a function whose answer changes.
func (j *job) suspicious(s *scan) bool {
	if len(s.uses) > 0 {
		return true
	}
	if !s.tpl {
		return false
	}
	for _, name := range j.files.names {
		if !strings.HasPrefix(inChart(name), "templates/") && inText(string(j.files.data[name])) {
			return true
		}
	}
	return textIn(j.values)
}

func textIn(value any) bool {
	switch v := value.(type) {
	case string:
		return inText(v)
	case map[string]any:
		for _, c := range v {
			if textIn(c) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, textIn)
	}
	return false
}

// turn puts the variant of every template in place.
func turn(c *chart.Chart, other bool) {
	for _, t := range c.Templates {
		t.Data = []byte(variant(t.Name, string(t.Data), other))
	}
	for _, sub := range c.Dependencies() {
		turn(sub, other)
	}
}

func byFile(out *Output) map[string]string {
	files := map[string]string{}
	add := func(o manifest.Object) {
		raw, err := json.Marshal(o.Object)
		if err != nil {
			raw = []byte(err.Error())
		}
		files[o.Path] += string(raw) + "\n"
	}
	for _, o := range out.Objects {
		add(o)
	}
	for _, h := range out.Hooks {
		add(h.Object)
	}
	return files
}

// firstDifference returns the first file, by name, whose objects differ.
func firstDifference(a, b map[string]string) (string, bool) {
	var differing []string
	for name, text := range a {
		if b[name] != text {
			differing = append(differing, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			differing = append(differing, name)
		}
	}
	slices.Sort(differing)
	if len(differing) == 0 {
		return "", false
	}
	return differing[0], true
}

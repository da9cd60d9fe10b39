package helm

import (
	"context"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
)

// Text that tpl runs cannot be turned, so chance has to show by itself there, and so has the order of a map: in one of a
// hundred it hides from this many renders.
const repeatsOfText = 4

// turns are the ways to run the templates, of which the first that works counts. A chart may refuse the other variant (a
// mark where only digits may be), and the order may matter to a template in a way that is not seen here.
func (j *job) turns(s *scan) []turn {
	switch {
	case j.Other:
		return []turn{{settle: true, move: true, mark: true}, {settle: true, move: true}, {settle: true}, {}}
	case s.ordered():
		return []turn{{settle: true, reverse: j.Reverse}, {}}
	}
	return []turn{{}}
}

// run executes the templates of a chart in the first way that works. What they say of a fault is as they are written.
func (j *job) run(ctx context.Context, c *chart.Chart, s *scan, whole bool) (out *Output, err error) {
	var last turn
	for i, t := range j.turns(s) {
		last = t
		if i > 0 {
			if c, err = j.load(); err != nil { // Helm changed the one before
				return nil, err
			}
		}
		turned := t.chart(c)
		if out, err = j.pass(c, whole); err == nil || !turned || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	j.repeat(out, s, last)
	return out, nil
}

// chart puts the variant of every template in place, and reports whether any is another.
func (t turn) chart(c *chart.Chart) (changed bool) {
	if t == (turn{}) {
		return false
	}
	for _, template := range c.Templates {
		text := variant(template.Name, string(template.Data), t)
		changed = changed || text != string(template.Data)
		template.Data = []byte(text)
	}
	for _, sub := range c.Dependencies() {
		changed = t.chart(sub) || changed
	}
	return changed
}

// repeat says how often another render has to be looked at, where the templates ran in this way: often where the order of
// maps could not be settled or chance not be marked.
func (j *job) repeat(out *Output, s *scan, ran turn) {
	out.Unordered = !ran.settle && s.ordered() || s.tpl && j.inTexts(orderWord.MatchString)
	switch {
	case out.Unordered, s.tpl && j.inTexts(inText), j.Other && !ran.mark && s.chance():
		out.Repeats = repeatsOfText
	case s.chance():
		out.Repeats = 1
	}
}

// inTexts says whether text that tpl may run, of values or files, is of some kind.
func (j *job) inTexts(is func(string) bool) bool {
	for _, name := range j.files.names {
		if !strings.HasPrefix(inChart(name), "templates/") && is(string(j.files.data[name])) {
			return true
		}
	}
	return anyText(j.values, is)
}

func anyText(value any, is func(string) bool) bool {
	switch v := value.(type) {
	case string:
		return is(v)
	case map[string]any:
		for _, c := range v {
			if anyText(c, is) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(c any) bool { return anyText(c, is) })
	}
	return false
}

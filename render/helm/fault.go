package helm

import (
	"errors"
	"path"
	"regexp"
	"strconv"
	"strings"

	"helm.sh/helm/v3/pkg/chart"

	"github.com/sluice-cd/sluice/render/manifest"
)

// place is how the template engine writes where it is: shop/templates/web.yaml:7:22.
var place = regexp.MustCompile(`([^\s()":<>]+):(\d+)(?::\d+)?`)

// executing is how it says what it was doing, which the place says already.
var executing = regexp.MustCompile(`^(?:\)?: )?(?:executing "[^"]*" )?`)

const maxMessage = 1000 // bytes; a failing tpl repeats its whole text

// templateFault turns an error of the template engine into one that names file and line: the innermost place, where
// the cause is.
func (j *job) templateFault(c *chart.Chart, err error) error {
	text := err.Error()
	known := map[string]bool{}
	for _, name := range scanChart(c).files {
		known[name] = true
	}
	fault := &manifest.Error{Path: j.files.root}
	for _, m := range place.FindAllStringSubmatchIndex(text, -1) {
		name := text[m[2]:m[3]]
		if !known[name] {
			continue
		}
		fault.Path = j.files.path(name)
		fault.Line, _ = strconv.Atoi(text[m[4]:m[5]])
		rest := text[m[1]:]
		fault.Err = errors.New(shorten(rest[len(executing.FindString(rest)):]))
		if strings.Contains(text, "error calling tpl") {
			break // the places that follow are inside the text, not the file
		}
	}
	if fault.Err == nil {
		fault.Err = errors.New(shorten(text))
	}
	return fault
}

func shorten(text string) string {
	if len(text) > maxMessage {
		return strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}

// uses are places as people know them. What is printed for people alone is none.
func (j *job) uses(all []use) (uses []Use) {
	for _, u := range all {
		if path.Base(u.template) != "NOTES.txt" {
			uses = append(uses, Use{j.files.path(u.template), u.line, u.function})
		}
	}
	return uses
}

// blame says which function makes a template render to other objects each time, if that is known.
func (j *job) blame(s *scan, file string, order bool) error {
	for _, name := range s.files {
		if j.files.path(name) != file {
			continue
		}
		if u, ok := s.reach(name, order); ok {
			via := ""
			if u.template != name {
				via = " (included by " + path.Base(file) + ")"
			}
			return &manifest.Error{Path: j.files.path(u.template), Line: u.line, Err: differing{u.function, via, order}}
		}
	}
	return &manifest.Error{Path: file, Err: differing{order: order}}
}

// differing is why a chart cannot be rendered to the same thing twice, even though generated values are kept.
type differing struct {
	function, via string
	order         bool // it is the order of a map
}

func (d differing) Error() string {
	what := "renders"
	if d.function != "" {
		what = "uses " + d.function + d.via + ", which gives"
	}
	if d.order {
		return what + " the keys of a map in another order each time; sort them (sortAlpha)"
	}
	return what + " other objects or fields each time: what is made by chance or by the clock can be kept in a value, not in a name, a key or the length of a list"
}

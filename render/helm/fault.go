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
	for _, name := range scanChart(c).names {
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

// generated says which template renders differently each time, and which function is to blame if that is known.
func (j *job) generated(s *scan, template string) error {
	for _, name := range s.names {
		if j.files.path(name) != template {
			continue
		}
		if u, ok := s.reach(name); ok {
			via := ""
			if u.template != name {
				via = " (included by " + path.Base(template) + ")"
			}
			return &manifest.Error{Path: j.files.path(u.template), Line: u.line, Err: generatedValue{u.function, via}}
		}
	}
	return &manifest.Error{Path: template, Err: generatedValue{}}
}

type generatedValue struct{ function, via string }

func (g generatedValue) Error() string {
	const notYet = "; charts with generated values are not supported yet"
	if g.function == "" {
		return "renders to something else each time" + notYet
	}
	return "uses " + g.function + g.via + ", which gives another value at each render" + notYet
}

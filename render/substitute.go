package render

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/render/manifest"
)

// Substitute puts values in the place of ${NAME} in what was rendered. A name that has no value is an error, and so is any
// other text between ${ and }; $${ stands for ${ itself.
//
// Only strings are touched, and they stay strings: never keys, apiVersion and kind, never definitions, never an object with
// a sops block, and never the data of a ConfigMap or Secret, where scripts and templates of other programs live. The
// annotation sluice.dev/substitute says otherwise for its object: "data" includes the data, "none" leaves all alone.
type Substitute struct {
	From   []string          `json:"from,omitempty"`   // files with lines NAME=value; later ones win
	Values map[string]string `json:"values,omitempty"` // values on top of the files
}

// substituteAnnotation is how an object asks for more, or for nothing.
const substituteAnnotation = "sluice.dev/substitute"

var (
	variable = regexp.MustCompile(`\$?\$\{[^}]*\}?`)
	// VariableName is what a name between ${ and } looks like.
	VariableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// substituted fills in an object of every kind of source; errors name the line of the file where that has the text.
func substituted(v *view, req Request, m made) error {
	s := req.Source.Substitute
	if s == nil {
		return nil
	}
	values, err := s.load(v, req.Dir)
	if err != nil {
		return err
	}
	f := filler{tree: v, values: values, left: manifest.MaxOutput}
	for _, o := range m.objects {
		if err := f.object(o); err != nil {
			return err
		}
	}
	for _, h := range slices.Concat(m.hooks, m.tests) {
		if err := f.object(h.Object); err != nil {
			return err
		}
	}
	return nil
}

// load reads the files, later ones winning, and puts the values on top.
func (s *Substitute) load(tree fs.FS, dir string) (map[string]string, error) {
	values := map[string]string{}
	for i, ref := range s.From {
		name, err := within(dir, fmt.Sprintf("substitute.from[%d]", i), ref)
		if err != nil {
			return nil, err
		}
		data, err := fs.ReadFile(tree, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, manifest.Faultf(name, "no such file")
		}
		if err != nil {
			return nil, &Error{Path: name, Err: err}
		}
		if err := manifest.Check(name, data); err != nil {
			return nil, err
		}
		read, err := assignments(name, string(data))
		if err != nil {
			return nil, err
		}
		maps.Copy(values, read)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Values)) {
		if !VariableName.MatchString(name) {
			return nil, &Error{Field: "substitute.values", Err: quotedError{name, "is not a name"}}
		}
		values[name] = s.Values[name]
	}
	return values, nil
}

// assignments reads lines NAME=value. Empty lines and those that begin with # are passed over; a value in quotes loses
// them, and is otherwise as it stands.
func assignments(file, text string) (map[string]string, error) {
	values := map[string]string{}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		_, twice := values[name]
		switch {
		case !ok || !VariableName.MatchString(name): // the line itself may be a secret
			return nil, &Error{Path: file, Line: number, Err: errors.New("must be NAME=value")}
		case twice:
			return nil, &Error{Path: file, Line: number, Err: fmt.Errorf("%s is there twice", name)}
		}
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		values[name] = value
	}
	return values, nil
}

// filler fills values in.
type filler struct {
	tree   fs.FS
	values map[string]string
	left   int // bytes that may still be written
}

func (f *filler) object(o manifest.Object) error {
	asked := o.GetAnnotations()[substituteAnnotation]
	group, kind := o.GroupVersionKind().Group, o.GetKind()
	holdsData := group == "" && (kind == "ConfigMap" || kind == "Secret")
	_, encrypted := o.Object["sops"]
	switch {
	case asked != "" && asked != "data" && asked != "none":
		return &Error{Path: o.Path, Line: o.Line, Field: "metadata.annotations",
			Err: fmt.Errorf(`%s must be "data" or "none" (got %q)`, substituteAnnotation, asked)}
	case asked == "none" || encrypted || group == "apiextensions.k8s.io":
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(o.Object)) {
		switch key {
		case "apiVersion", "kind":
			continue
		case "data", "binaryData", "stringData":
			if holdsData && asked != "data" {
				continue
			}
		}
		filled, err := f.value(o, key, o.Object[key])
		if err != nil {
			return err
		}
		o.Object[key] = filled
	}
	return nil
}

// value fills in one value and what is in it.
func (f *filler) value(o manifest.Object, at string, value any) (any, error) {
	var err error
	switch v := value.(type) {
	case string:
		return f.text(o, at, v)
	case []any:
		for i := range v {
			if v[i], err = f.value(o, fmt.Sprintf("%s[%d]", at, i), v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if v[key], err = f.value(o, at+"."+key, v[key]); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

func (f *filler) text(o manifest.Object, at, text string) (string, error) {
	var fault error
	filled := variable.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "$$") {
			return found[1:]
		}
		name := strings.TrimSuffix(found[2:], "}")
		value, known := f.values[name]
		switch {
		case fault != nil:
		case len(name)+3 != len(found) || !VariableName.MatchString(name):
			fault = fmt.Errorf("%q is not of the form ${NAME}; write $%s where the text itself is meant", cut(found), cut(found))
		case !known:
			fault = fmt.Errorf("%s has no value in source.substitute; write $%s where the text itself is meant", found, found)
		}
		return value
	})
	if f.left -= len(filled); fault == nil && filled != text && f.left < 0 {
		fault = fmt.Errorf("values fill in more than %d MiB", manifest.MaxOutput>>20)
	}
	if fault == nil {
		return filled, nil
	}
	return "", &Error{Path: o.Path, Line: f.line(o, text), Field: at, Err: fault}
}

// line looks for the text in its file: what was rendered has no lines of its own. 0 where it cannot be told.
func (f *filler) line(o manifest.Object, text string) int {
	found := variable.FindString(text)
	data, err := fs.ReadFile(f.tree, o.Path)
	if err != nil || found == "" {
		return o.Line
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		if number++; number >= o.Line && strings.Contains(line, found) {
			return number
		}
	}
	return o.Line
}

func cut(text string) string {
	if len(text) > 40 {
		return strings.ToValidUTF8(text[:40], "") + "..."
	}
	return text
}

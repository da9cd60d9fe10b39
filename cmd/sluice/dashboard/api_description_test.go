package dashboard

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/view"
)

var update = flag.Bool("update", false, "write openapi.json anew; keys that were there stay a failure")

type object = map[string]any

// endpoint is a path of the API as the document has it.
type endpoint struct {
	path, summary string
	query         []parameter
	answer        reflect.Type // nil: no JSON
	media         string       // where there is no JSON
}

type parameter struct {
	name, meaning string
	kind          string // string or integer
	required      bool
}

func endpoints() []endpoint {
	filter := []parameter{
		{"q", "words that all must be found in what one would look a release up by", "string", false},
		{"env", "an environment; the others are left out", "string", false},
		{"state", "applications with an environment in it: sick, waiting, changing, unknown or well", "string", false},
		{"phase", "applications with an environment in it", "string", false},
		{"unwell", "whatever it is, applications that are well everywhere are left out", "string", false},
		{"label", "team=payments", "string", false},
		{"group", "repository, cluster, or label: and a label's key: what comes under one heading comes together", "string", false},
		{"sort", "worst, name or age", "string", false},
		{"page", "from 1, of 40 applications each; without it all are on one page", "integer", false},
	}
	return []endpoint{
		{"board", "What runs where, is it well, and what is waiting", filter, reflect.TypeFor[boardAnswer](), ""},
		{"agent", "The agent itself", nil, reflect.TypeFor[view.Agent](), ""},
		{"applications/{app}", "An application in all its environments, and what happened to it", nil, reflect.TypeFor[applicationAnswer](), ""},
		{"applications/{app}/{env}/objects", "The objects of an environment and the pods under them", nil, reflect.TypeFor[objectsAnswer](), ""},
		{"applications/{app}/{env}/manifest", "An object as it was applied last", []parameter{
			{"object", "its id among the objects", "string", true},
		}, reflect.TypeFor[manifestAnswer](), ""},
		{"diff", "How the objects of two releases differ", []parameter{
			{"from", "application/environment@revision, a full hash; without it the release that is there", "string", true},
			{"to", "the same", "string", true},
		}, reflect.TypeFor[view.Diff](), ""},
		{"changes", "Events named changed, soon after the board is another, for a quarter of an hour at most", nil, nil, "text/event-stream"},
		{"openapi.json", "This document", nil, nil, "application/json"},
	}
}

// describer makes schemas of types, with their comments.
type describer struct {
	comments map[string]string   // dashboard.boardAnswer, view.Cell.Phase
	enums    map[string][]string // view.Health
	schemas  object
}

func newDescriber(t *testing.T) *describer {
	t.Helper()
	d := &describer{map[string]string{}, map[string][]string{}, object{}}
	for _, dir := range []string{".", "../../../reconciler/view"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range file.Decls {
				if g, ok := decl.(*ast.GenDecl); ok && !strings.HasSuffix(name, "_test.go") {
					d.read(file.Name.Name+".", g)
				}
			}
		}
	}
	return d
}

func (d *describer) read(pkg string, g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			d.comments[pkg+s.Name.Name] = oneSpaced(s.Doc.Text() + g.Doc.Text())
			if of, ok := s.Type.(*ast.StructType); ok {
				for _, f := range of.Fields.List {
					for _, name := range f.Names {
						d.comments[pkg+s.Name.Name+"."+name.Name] = oneSpaced(f.Doc.Text() + f.Comment.Text())
					}
				}
			}
		case *ast.ValueSpec:
			kind, ok := s.Type.(*ast.Ident)
			for _, v := range s.Values {
				if lit, isLit := v.(*ast.BasicLit); ok && isLit && lit.Kind == token.STRING && g.Tok == token.CONST {
					value, _ := strconv.Unquote(lit.Value)
					d.enums[pkg+kind.Name] = append(d.enums[pkg+kind.Name], value)
				}
			}
		}
	}
}

func oneSpaced(comment string) string { return strings.Join(strings.Fields(comment), " ") }

// schema describes a type. Objects are among the components, under their names.
func (d *describer) schema(t reflect.Type) object {
	if t == reflect.TypeFor[time.Time]() {
		return object{"type": "string", "format": "date-time"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
		if _, known := d.schemas[name]; !known {
			d.schemas[name] = object{} // for what has itself inside
			s := object{"type": "object", "properties": object{}, "required": []string{}}
			d.fields(s, t)
			if text := d.comments[t.String()]; text != "" {
				s["description"] = text
			}
			d.schemas[name] = s
		}
		return object{"$ref": "#/components/schemas/" + name}
	}
	s := object{"type": "string"}
	if values := d.enums[t.String()]; len(values) > 0 {
		s["examples"] = values // a reader takes others for what it does not know
	}
	return s
}

func (d *describer) fields(s object, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name == "" {
			if !f.Anonymous {
				panic(t.String() + "." + f.Name + " has no name in JSON")
			}
			d.fields(s, f.Type)
			continue
		}
		made := d.schema(f.Type)
		always := options == ""
		if always && f.Type.Kind() == reflect.Slice {
			made["type"] = []string{"array", "null"}
		}
		if text := d.comments[t.String()+"."+f.Name]; text != "" {
			made["description"] = text
		}
		s["properties"].(object)[name] = made
		if always {
			s["required"] = append(s["required"].([]string), name)
		}
	}
}

// describe is the whole document.
func describe(t *testing.T) object {
	t.Helper()
	d, paths := newDescriber(t), object{}
	failure := func(text string) object {
		return object{"description": text, "content": object{"application/json": object{"schema": d.schema(reflect.TypeFor[errorAnswer]())}}}
	}
	for _, e := range endpoints() {
		var parameters []object
		for part := range strings.SplitSeq(e.path, "/") {
			if name, ok := strings.CutPrefix(part, "{"); ok {
				parameters = append(parameters, object{"name": strings.TrimSuffix(name, "}"), "in": "path", "required": true, "schema": object{"type": "string"}})
			}
		}
		for _, p := range e.query {
			parameters = append(parameters, object{
				"name": p.name, "in": "query", "required": p.required, "description": p.meaning, "schema": object{"type": p.kind},
			})
		}
		content := object{e.media: object{}}
		if e.answer != nil {
			content = object{"application/json": object{"schema": d.schema(e.answer)}}
		}
		get := object{"summary": e.summary, "responses": object{
			"200": object{"description": e.summary, "content": content}, "default": failure("Why there is no answer"),
		}}
		if len(parameters) > 0 {
			get["parameters"] = parameters
		}
		paths[apiRoot+e.path] = object{"get": get}
	}
	return object{
		"openapi": "3.1.0", "paths": paths, "components": object{"schemas": d.schemas},
		"info": object{"title": "Sluice dashboard", "version": "1", "description": "What a dashboard shows, as JSON. It is a stable " +
			"contract: keys are added, and none changes its meaning or goes. Readers ignore what they do not know. Nothing can be changed by it."},
	}
}

// TestDescriptionIsTrue: the document says what the types are. With -update it is written anew, unless something that was
// promised would go.
func TestDescriptionIsTrue(t *testing.T) {
	const file = "openapi.json"
	text, err := json.MarshalIndent(describe(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	for _, gone := range broken(flattened(t, description), flattened(t, text)) {
		t.Errorf("%s was promised: keys are added, and none goes or becomes another", gone)
	}
	if *update && !t.Failed() {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(description), string(text)); diff != "" {
		t.Errorf("%s is not what came out (-want +got), see -update:\n%s", file, diff)
	}
}

// TestDescriptionBreaks: what the test above calls broken.
func TestDescriptionBreaks(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, before, after string
		want                  []string
	}{
		"Added":    {"a key more breaks nobody", `{"a": {"type": "string"}}`, `{"a": {"type": "string"}, "b": {"type": "string"}}`, nil},
		"Worded":   {"nor does another comment", `{"a": {"type": "string", "description": "x"}}`, `{"a": {"type": "string", "description": "y"}}`, nil},
		"Renamed":  {"who reads it finds nothing", `{"a": {"type": "string"}}`, `{"b": {"type": "string"}}`, []string{"/a/type"}},
		"Retyped":  {"who reads it fails", `{"a": {"type": "string"}}`, `{"a": {"type": "integer"}}`, []string{"/a/type"}},
		"Optional": {"who relied on it finds nothing", `{"required": ["a", "b"]}`, `{"required": ["b"]}`, []string{"/required/a"}},
		"Required": {"what is always there breaks nobody", `{"required": ["b"]}`, `{"required": ["a", "b"]}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := broken(flattened(t, []byte(tc.before)), flattened(t, []byte(tc.after)))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// flattened are the leaves of a document by their paths. What is required, and parameters, go by their names.
func flattened(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var document any
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	leaves := map[string]string{}
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch v := value.(type) {
		case object:
			for name, inner := range v {
				walk(at+"/"+name, inner)
			}
		case []any:
			for i, inner := range v {
				name := strconv.Itoa(i)
				if word, ok := inner.(string); ok && strings.HasSuffix(at, "/required") {
					name = word
				}
				if named, ok := inner.(object); ok && named["name"] != nil {
					name = fmt.Sprint(named["name"])
				}
				walk(at+"/"+name, inner)
			}
		default:
			leaves[at] = fmt.Sprint(v)
		}
	}
	walk("", document)
	return leaves
}

// broken are the leaves that readers may rely on and that are gone, or are something else.
func broken(before, after map[string]string) (gone []string) {
	for _, at := range slices.Sorted(maps.Keys(before)) {
		said := strings.HasSuffix(at, "/description") || strings.HasSuffix(at, "/summary") || strings.Contains(at, "/examples/")
		if !said && before[at] != after[at] {
			gone = append(gone, at)
		}
	}
	return gone
}

// TestDescriptionHasAllRoutes: no path of the API is left out, and none is made up.
func TestDescriptionHasAllRoutes(t *testing.T) {
	described := map[string]bool{}
	for _, e := range endpoints() {
		described[apiRoot+e.path] = true
	}
	routes := map[string]bool{}
	for _, r := range (&Server{}).routes() {
		if strings.HasPrefix(r.pattern, apiRoot) {
			routes[r.pattern] = true
		}
	}
	if diff := cmp.Diff(routes, described); diff != "" {
		t.Errorf("routes and document differ (-routes +document):\n%s", diff)
	}
	if !bytes.HasPrefix(description, []byte("{")) {
		t.Error("the document is not there")
	}
}

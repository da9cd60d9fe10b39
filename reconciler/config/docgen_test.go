package config_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// docs are the comments of the types and their fields, and the values of enumerations, as the sources have them.
type docs struct {
	types  map[string]string   // config.Agent -> comment
	fields map[string]string   // config.Agent.Listen -> comment
	enums  map[string][]string // config.State -> values
}

// readDocs parses the sources of this package and of the one that Source comes from.
func readDocs(t *testing.T) docs {
	t.Helper()
	d := docs{map[string]string{}, map[string]string{}, map[string][]string{}}
	for _, dir := range []string{".", "../../render"} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatalf("parse sources: %v", err)
			}
			for _, decl := range file.Decls {
				if g, ok := decl.(*ast.GenDecl); ok {
					d.declaration(file.Name.Name+".", g)
				}
			}
		}
	}
	return d
}

func (d docs) declaration(pkg string, g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			comment := s.Doc.Text()
			if comment == "" {
				comment = g.Doc.Text()
			}
			comment, _, _ = strings.Cut(comment, "\n\n") // what follows is for those who write Go
			d.types[pkg+s.Name.Name] = plain(comment)
			fields, ok := s.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range fields.Fields.List {
				comment := f.Doc.Text()
				if comment == "" {
					comment = f.Comment.Text()
				}
				for _, name := range f.Names {
					d.fields[pkg+s.Name.Name+"."+name.Name] = plain(comment)
				}
			}
		case *ast.ValueSpec:
			kind, ok := s.Type.(*ast.Ident)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, v := range s.Values {
				if lit, ok := v.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if value, err := strconv.Unquote(lit.Value); err == nil {
						d.enums[pkg+kind.Name] = append(d.enums[pkg+kind.Name], value)
					}
				}
			}
		}
	}
}

func plain(comment string) string { return strings.Join(strings.Fields(comment), " ") }

// field is one key of a file.
type field struct {
	name     string // as in the file
	path     string // environments[].source.helm.chart
	typ      reflect.Type
	value    reflect.Value // what it is where nothing was said; invalid where it depends
	required bool
	meaning  string
	inner    []field // of a mapping, or of the items of a list
}

// fieldsOf walks a struct.
func (d docs) fieldsOf(t reflect.Type, v reflect.Value, path string) []field {
	var fields []field
	owner := t.String()
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		f := field{name: name, path: path + name, typ: t.Field(i).Type, required: options == ""}
		if v.IsValid() {
			f.value = v.Field(i)
		}
		f.meaning = d.meaning(owner, t.Field(i), name)
		f.inner = d.inner(&f)
		fields = append(fields, f)
	}
	return fields
}

// meaning is the comment of a field, else that of its type, else that of the type around it; it calls the field
// by its name in the file.
func (d docs) meaning(owner string, f reflect.StructField, name string) string {
	text, called := d.fields[owner+"."+f.Name], f.Name
	if text == "" {
		t := f.Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		text, called = d.types[t.String()], t.Name()
	}
	if text == "" {
		text, called = d.types[owner], owner[strings.LastIndex(owner, ".")+1:]
	}
	if rest, found := strings.CutPrefix(text, called+" "); found {
		text = "`" + name + "` " + rest
	}
	return text
}

// inner are the fields below a field.
func (d docs) inner(f *field) []field {
	t, v, path := f.typ, f.value, f.path+"."
	if t.Kind() == reflect.Slice {
		t, path = t.Elem(), f.path+"[]."
		if v.IsValid() && v.Len() > 0 {
			v = v.Index(0)
		} else {
			v = reflect.Value{}
		}
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
		if v.IsValid() && !v.IsNil() {
			v = v.Elem()
		} else {
			v = reflect.Value{}
		}
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[config.Follow]() || t == reflect.TypeFor[config.Moment]() {
		return nil
	}
	return d.fieldsOf(t, v, path)
}

// otherwise is what a field is where nothing was said, as it is written in the file; "" if that is nothing.
func (f field) otherwise() any {
	if f.required || !f.value.IsValid() {
		return nil
	}
	switch f.typ.Kind() {
	case reflect.Bool, reflect.Int:
		if _, text := f.value.Interface().(encoding.TextMarshaler); !text {
			return f.value.Interface()
		}
	case reflect.Struct:
		if f.typ != reflect.TypeFor[config.Follow]() {
			return nil
		}
	case reflect.Pointer:
		if len(f.inner) > 0 {
			return nil
		}
	case reflect.Slice:
		if len(f.inner) > 0 {
			return nil
		}
	}
	data, err := json.Marshal(f.value.Interface())
	var value any
	if err != nil || json.Unmarshal(data, &value) != nil || value == "" {
		return nil
	}
	return value
}

// document is one of the three files.
type document struct {
	file, schema, title string
	fields              []field
}

// documents walks the three files. The values are those of files that say only what they must.
func documents(t *testing.T) (docs, []document) {
	t.Helper()
	d := readDocs(t)
	agent, err := config.ParseAgent("agent.yaml", []byte(`{apiVersion: sluice.dev/v1alpha1, kind: Agent, metadata: {name: a},
repositories: [{name: a, url: "https://a/a"}], environments: [{name: a}],
dashboard: {access: {oidc: {issuer: "https://a", clientID: a, clientSecret: {secret: a}, redirectURL: "https://a/auth/callback"}}},
permissions: [{applications: [a], serviceAccount: a, namespaces: [a]}],
providers: [{name: a, web: {url: "https://a"}}], windows: [{deny: "0 0 * * *", for: 1h}],
keys: [{key: "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}]}`))
	if err != nil {
		t.Fatal(err)
	}
	agent.Dashboard.Access.OIDC.ClientSecret = config.Credentials{}
	app, faults := config.ParseApplication("sluice.yaml", []byte(`{apiVersion: sluice.dev/v1alpha1, kind: Application, metadata: {name: a},
environments: [{name: a, namespace: a, windows: [{deny: "0 0 * * *", for: 1h}], source: {directory: {path: a}}, follow: pin, promotion: {from: b, when: {schedule: "0 0 * * *"}}},
{name: b, namespace: b, source: {directory: {path: a}}}]}`))
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	app.Environments[0].Follow, app.Environments[0].Promotion.When.Schedule = config.Follow{}, ""
	agent.Windows[0].Deny, app.Environments[0].Windows[0].Deny = "", "" // one of two, and no default
	release := config.Release{}
	doc := func(file, schema string, v reflect.Value) document {
		return document{file, schema, d.types[v.Type().String()], d.fieldsOf(v.Type(), v, "")}
	}
	return d, []document{
		doc("agent.yaml", "agent", reflect.ValueOf(*agent)),
		doc("sluice.yaml", "application", reflect.ValueOf(*app)),
		doc("releases/<environment>.yaml", "release", reflect.ValueOf(release)),
	}
}

// typeName is how the reference calls a type.
func (d docs) typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[config.Duration]():
		return "duration"
	case reflect.TypeFor[config.Percent]():
		return "share"
	case reflect.TypeFor[config.Size]():
		return "size"
	case reflect.TypeFor[config.Number]():
		return "number"
	case reflect.TypeFor[config.Moment]():
		return "time"
	case reflect.TypeFor[config.OneOrMore]():
		return "string or list of strings"
	case reflect.TypeFor[config.Follow]():
		return "`tip`, `pin` or mapping"
	case reflect.TypeFor[render.Source]():
		return "mapping or list of mappings"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.typeName(t.Elem())
	case reflect.String:
		if values := d.enums[t.String()]; len(values) > 0 {
			return "`" + strings.Join(values, "`, `") + "`"
		}
		return "string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "whole number"
	case reflect.Slice:
		return "list of " + strings.NewReplacer("string", "strings", "mapping", "mappings").Replace(d.typeName(t.Elem()))
	case reflect.Map:
		if t.Elem().Kind() == reflect.String {
			return "mapping of strings"
		}
		return "free mapping"
	}
	return "mapping"
}

func TestReferenceIsTrue(t *testing.T) {
	d, all := documents(t)
	var page strings.Builder
	page.WriteString(`# The three files

Every key of agent.yaml, sluice.yaml and the release file. Any other key is an error. A duration is written 90s, 30m,
12h, 7d, or 1h30m; a size 512Mi or 2Gi; a share 50%; a number 0.01, 1%, or 250ms where the value is in seconds. A glob may have *, ? and
[a-z]. This page comes from the comments beside the types;
` + "`go generate ./reconciler/config`" + ` writes it anew.
`)
	for _, doc := range all {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| Key | Type | Default | Meaning |\n|---|---|---|---|\n", doc.file, doc.title)
		d.rows(t, &page, doc.fields)
	}
	golden(t, "REFERENCE.md", page.String())
}

func (d docs) rows(t *testing.T, page *strings.Builder, fields []field) {
	for _, f := range fields {
		if f.meaning == "" {
			t.Errorf("%s has no comment", f.path)
		}
		otherwise := ""
		if f.required {
			otherwise = "required"
		} else if value := f.otherwise(); value != nil {
			data, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			otherwise = "`" + strings.Trim(string(data), `"`) + "`"
		}
		fmt.Fprintf(page, "| `%s` | %s | %s | %s |\n", f.path, d.typeName(f.typ), otherwise, strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(f.meaning))
		d.rows(t, page, f.inner)
	}
}

package parity

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// TestCorpusUsesEveryFunction: each function that a template may call is called in one of the charts.
func TestCorpusUsesEveryFunction(t *testing.T) {
	used := map[string]bool{}
	err := filepath.WalkDir("testdata/charts", func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Base(filepath.Dir(at)) != "templates" || entry.Name() == "ignored.yaml" {
			return err
		}
		text, err := os.ReadFile(at) //nolint:gosec // ours
		if err != nil {
			return err
		}
		tree, trees := parse.New(at), map[string]*parse.Tree{}
		tree.Mode = parse.SkipFuncCheck
		if _, err := tree.Parse(string(text), "", "", trees); err != nil {
			return err
		}
		for _, one := range trees {
			called(reflect.ValueOf(one.Root), used)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// Those of sprig, those that Helm adds (pkg/engine/funcs.go), and the predefined ones of text/template.
	functions := slices.Collect(maps.Keys(sprig.TxtFuncMap()))
	functions = append(functions, "toToml", "fromToml", "toYaml", "toYamlPretty", "fromYaml", "fromYamlArray", "fromJsonArray", "include", "tpl", "required", "lookup")
	functions = append(functions, "and", "html", "index", "js", "len", "not", "or", "print", "printf", "println", "urlquery", "eq", "ge", "gt", "le", "lt", "ne")
	slices.Sort(functions)
	for _, name := range functions {
		// Helm takes the environment away. A value that is a function, for call, there is none in a chart.
		if name != "env" && name != "expandenv" && !used[name] {
			t.Errorf("no chart calls %s", name)
		}
	}
}

// called collects the identifiers of a parse tree, which are the names of functions.
func called(v reflect.Value, used map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if id, ok := v.Interface().(*parse.IdentifierNode); ok {
			used[id.Ident] = true
			return
		}
		if _, ok := v.Interface().(*parse.Tree); !ok {
			called(v.Elem(), used)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				called(v.Field(i), used)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			called(v.Index(i), used)
		}
	default:
	}
}

// TestCorpusUsesEveryField: each field of a kustomization, and of what is in it, is used in one of the overlays.
func TestCorpusUsesEveryField(t *testing.T) {
	used := map[string]bool{}
	files, err := filepath.Glob("testdata/overlays/*/kustomization.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no overlays: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // ours
		if err != nil {
			t.Fatal(err)
		}
		var fields any
		if err := yaml.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		written(fields, "", used)
	}
	all := map[string]bool{}
	declared(reflect.TypeFor[types.Kustomization](), "", all)
	for _, field := range slices.Sorted(maps.Keys(all)) {
		// The program makes up another name at each render by it, which sluice refuses.
		if field != ".helmCharts.nameTemplate" && !used[field] {
			t.Errorf("no overlay has %s", field)
		}
	}
}

// written collects the paths of a document's fields, lists left out of them.
func written(value any, at string, used map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			used[at+"."+name] = true
			written(inner, at+"."+name, used)
		}
	case []any:
		for _, inner := range v {
			written(inner, at, used)
		}
	}
}

// declared collects the paths of a type's fields.
func declared(of reflect.Type, at string, all map[string]bool) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return
	}
	for i := range of.NumField() {
		f := of.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case strings.Contains(options, "inline"), f.Anonymous && name == "":
			declared(f.Type, at, all)
		case name == "-" || !f.IsExported():
		case name == "":
			all[at+"."+f.Name] = true
		default:
			all[at+"."+name] = true
			declared(f.Type, at+"."+name, all)
		}
	}
}

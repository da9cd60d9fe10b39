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

// TestCorpusUsesEveryField: each field of a kustomization is used in one of the overlays.
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
		var fields map[string]any
		if err := yaml.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		for field := range fields {
			used[field] = true
		}
	}
	var fields func(of reflect.Type)
	fields = func(of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case strings.Contains(options, "inline"):
				fields(f.Type)
			case !used[name]:
				t.Errorf("no overlay has %s", name)
			}
		}
	}
	fields(reflect.TypeFor[types.Kustomization]())
}

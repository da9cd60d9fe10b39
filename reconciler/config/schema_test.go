package config_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

type object = map[string]any

// schemaOf is the JSON schema of a type.
func (d docs) schemaOf(t reflect.Type, inner []field) object {
	switch t {
	case reflect.TypeFor[config.Duration]():
		return object{"type": "string", "pattern": `^([0-9]+(d|h|ms|m|s))+$`}
	case reflect.TypeFor[config.Percent]():
		return object{"type": "string", "pattern": "^(100|[1-9][0-9]?)%$"}
	case reflect.TypeFor[config.Size]():
		return object{"type": "string", "pattern": "^[0-9]+(Mi|Gi)$"}
	case reflect.TypeFor[config.Number]():
		return object{"type": []any{"number", "string"}, "pattern": `^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?(%|ms|s)?$`}
	case reflect.TypeFor[config.Moment]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[config.OneOrMore]():
		return object{"oneOf": []any{
			object{"type": "string"}, object{"type": "array", "items": object{"type": "string"}, "minItems": 1},
		}}
	case reflect.TypeFor[config.Follow]():
		return object{"oneOf": []any{
			object{"enum": []any{"tip", "pin"}},
			object{
				"type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
				"properties": object{"branch": object{"type": "string"}, "tag": object{"type": "string"}},
			},
		}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schemaOf(t.Elem(), inner)
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int:
		return object{"type": "integer"}
	case reflect.Slice:
		return object{"type": "array", "items": d.schemaOf(t.Elem(), inner)}
	case reflect.Map:
		s := object{"type": "object"}
		if t.Elem().Kind() == reflect.String {
			s["additionalProperties"] = object{"type": "string"}
		}
		return s
	case reflect.Struct:
		s := d.mapping(inner)
		switch t {
		case reflect.TypeFor[config.Credentials]():
			s["minProperties"], s["maxProperties"] = 1, 1
		case reflect.TypeFor[render.Source]():
			has := func(key string) object { return object{"required": []any{key}} }
			s["oneOf"] = []any{has("directory"), object{"anyOf": []any{has("helm"), has("kustomize")}}}
			return object{"oneOf": []any{s, object{"type": "array", "items": s, "minItems": 1, "maxItems": render.MaxSources}}}
		}
		return s
	}
	if values := d.enums[t.String()]; len(values) > 0 {
		return object{"type": "string", "enum": values}
	}
	return object{"type": "string"}
}

// mapping is the schema of a mapping with these keys and no others.
func (d docs) mapping(fields []field) object {
	properties, required := object{}, []string{}
	for _, f := range fields {
		s := d.schemaOf(f.typ, f.inner)
		s["description"] = strings.ReplaceAll(f.meaning, "`", "")
		if value := f.otherwise(); value != nil {
			s["default"] = value
		}
		if f.required {
			required = append(required, f.name)
		}
		properties[f.name] = s
	}
	s := object{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func TestSchemaIsTrue(t *testing.T) {
	d, all := documents(t)
	for _, doc := range all {
		t.Run(doc.schema, func(t *testing.T) {
			s := d.mapping(doc.fields)
			s["$schema"], s["title"], s["description"] = "http://json-schema.org/draft-07/schema#", doc.file, doc.title
			if properties, ok := s["properties"].(object); ok && doc.schema != "release" {
				kind := strings.ToUpper(doc.schema[:1]) + doc.schema[1:]
				properties["apiVersion"].(object)["const"], properties["kind"].(object)["const"] = config.APIVersion, kind
			}
			var text bytes.Buffer
			encoder := json.NewEncoder(&text)
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode(s); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("schema", doc.schema+".schema.json"), text.String())
		})
	}
}

// compiled is the schema of a kind of file, as it is in the repository.
func compiled(t *testing.T, kind string) *jsonschema.Schema {
	t.Helper()
	name := filepath.Join("schema", kind+".schema.json")
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(readFile(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(name, parsed); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		t.Fatalf("compile schema %q: %v", kind, err)
	}
	return schema
}

func fromYAML(t *testing.T, data []byte) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// TestSchemaAgreesWithParse: what the schema lets through in an editor and what the parser takes are the same, as
// far as types and keys go.
func TestSchemaAgreesWithParse(t *testing.T) {
	for kind := range parsers() {
		schema := compiled(t, kind)
		for _, file := range files(t, kind+"/good") {
			value := fromYAML(t, readFile(t, file))
			if value == nil {
				continue // an editor has nothing to judge in an empty release file
			}
			if err := schema.Validate(value); err != nil {
				t.Errorf("%s: the schema refuses what the parser takes: %v", file, err)
			}
		}
	}
	for _, file := range []string{
		"agent/bad/types", "agent/bad/values", "application/bad/types", "application/bad/keys", "application/bad/lesson32",
		"application/bad/analysis", "agent/bad/providers", "application/bad/values",
		"application/bad/promotion", "agent/bad/forge", "release/bad/later", "release/bad/digits",
	} {
		kind, _, _ := strings.Cut(file, "/")
		data := readFile(t, filepath.Join("testdata", file+".yaml"))
		var value any
		if err := yaml.Unmarshal(data, &value); err != nil {
			continue // not even YAML to other parsers: keys.yaml has a list as a key
		}
		if err := compiled(t, kind).Validate(value); err == nil {
			t.Errorf("%s: the schema takes what the parser refuses", file)
		}
	}
}

// TestRequiredIsTrue: a good file without a key that the reference calls required is refused.
func TestRequiredIsTrue(t *testing.T) {
	tried := 0
	for kind, parse := range parsers() {
		_, all := documents(t)
		for _, doc := range all {
			if doc.schema != kind {
				continue
			}
			data := readFile(t, filepath.Join("testdata", kind, "good/full.yaml"))
			for _, f := range doc.fields {
				removals(fromYAML(t, data), f, func(path string, remove, restore func(), root any) {
					remove()
					defer restore()
					text, err := yaml.Marshal(root)
					if err != nil {
						t.Fatal(err)
					}
					tried++
					if _, err := parse("x", text); err == nil {
						t.Errorf("%s: a file without %s is taken", kind, path)
					}
				}, nil)
			}
		}
	}
	if tried < 20 {
		t.Errorf("only %d required keys were tried", tried)
	}
}

// removals calls try for each place of a file where a required key is.
func removals(value any, f field, try func(path string, remove, restore func(), root any), root any) {
	if root == nil {
		root = value
	}
	m, ok := value.(object)
	if !ok {
		return
	}
	there, found := m[f.name]
	if !found {
		return
	}
	if f.required {
		try(f.path, func() { delete(m, f.name) }, func() { m[f.name] = there }, root)
	}
	items, ok := there.([]any)
	if !ok {
		items = []any{there}
	}
	for _, item := range items {
		for _, inner := range f.inner {
			removals(item, inner, try, root)
		}
	}
}

package helm

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"helm.sh/helm/v3/pkg/chart"

	"github.com/sluice-cd/sluice/render/manifest"
)

const schemaURL = "chart:///values.schema.json"

// validate checks the values of a chart and its subcharts against their schemas. Helm's own check fetches http and
// file references; here a reference may only point into the schema itself.
func validate(c *chart.Chart, values map[string]any, at string) error {
	if c.Schema != nil {
		if err := matches(c.Schema, values); err != nil {
			return &manifest.Error{Path: path.Join(at, "values.schema.json"), Err: err}
		}
	}
	for _, sub := range c.Dependencies() {
		inner := path.Join(at, "charts", sub.Name())
		switch v := values[sub.Name()].(type) {
		case nil:
		case map[string]any:
			if err := validate(sub, v, inner); err != nil {
				return err
			}
		default:
			return manifest.Faultf(inner, "values of subchart %q must be a mapping (got %T)", sub.Name(), v)
		}
	}
	return nil
}

func matches(schemaJSON []byte, values map[string]any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("schema cannot be used: %v", p)
		}
	}()
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaJSON))
	if err != nil {
		return fmt.Errorf("schema is not JSON: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noReferences{})
	if err := compiler.AddResource(schemaURL, schema); err != nil {
		return err
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return fmt.Errorf("schema cannot be used: %w", err)
	}
	if err := compiled.Validate(values); err != nil {
		text := err.Error()
		if first, rest, ok := strings.Cut(text, "\n"); ok && strings.HasPrefix(first, "jsonschema validation failed") {
			text = rest
		}
		return fmt.Errorf("values do not fit: %s", strings.Join(strings.Fields(text), " "))
	}
	return nil
}

// noReferences refuses every schema that lies elsewhere.
type noReferences struct{}

func (noReferences) Load(url string) (any, error) {
	return nil, fmt.Errorf("reference %q leaves the chart; schemas may only refer to themselves", url)
}

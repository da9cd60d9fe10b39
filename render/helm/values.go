package helm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/sluice-cd/sluice/render/manifest"
)

// mergeValues reads the values files in order, later ones winning key by key, over the base, and puts the inline values on
// top. A null stays: it removes the chart's default later on.
func mergeValues(tree fs.FS, base map[string]any, files []string, inline map[string]any) (map[string]any, error) {
	merged, err := clone(base)
	if err != nil {
		return nil, fmt.Errorf("read base values: %w", err)
	}
	if merged == nil {
		merged = map[string]any{}
	}
	for _, name := range files {
		data, err := fs.ReadFile(tree, name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, manifest.Faultf(name, "no such values file")
		}
		if err != nil {
			return nil, &manifest.Error{Path: name, Err: err}
		}
		values, err := manifest.Mapping(name, data)
		if err != nil {
			return nil, err
		}
		merged = overlay(merged, values)
	}
	values, err := clone(inline)
	if err != nil {
		return nil, fmt.Errorf("read inline values: %w", err)
	}
	return overlay(merged, values), nil
}

func overlay(under, over map[string]any) map[string]any {
	for key, value := range over {
		upper, isMap := value.(map[string]any)
		lower, wasMap := under[key].(map[string]any)
		if isMap && wasMap {
			value = overlay(lower, upper)
		}
		under[key] = value
	}
	return under
}

// clone copies values by way of JSON, which also makes every number what Helm's own are.
func clone(values map[string]any) (map[string]any, error) {
	raw, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	copied := map[string]any{}
	if err := json.Unmarshal(raw, &copied); err != nil {
		return nil, err
	}
	return copied, nil
}

package manifest

import (
	"encoding/json"
	"fmt"

	"sigs.k8s.io/yaml"
)

// Mapping decodes a file that holds one mapping and no Kubernetes object, such as Helm values. Numbers are float64,
// as Helm's own are. An empty file gives an empty map.
func Mapping(path string, data []byte) (map[string]any, error) {
	if err := Check(path, data); err != nil {
		return nil, err
	}
	raw, err := yaml.YAMLToJSON(data)
	if err != nil {
		return nil, locate(path, document{first: 1}, err)
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return nil, &Error{Path: path, Err: err}
	}
	switch v := value.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		if depth(v, MaxDepth) < 0 {
			return nil, Faultf(path, "nested deeper than %d levels", MaxDepth)
		}
		return v, nil
	default:
		return nil, &Error{Path: path, Err: fmt.Errorf("must be a mapping, is %s", describe(v))}
	}
}

package manifest

import (
	"encoding/json"
	"fmt"
)

// Mapping decodes a file that holds one mapping and no Kubernetes object, such as Helm values. Numbers are float64,
// as Helm's own are. An empty file gives an empty map.
func Mapping(path string, data []byte) (map[string]any, error) {
	if err := Check(path, data); err != nil {
		return nil, err
	}
	decoded, err := value(data, Lenient, func(n int64) any { return float64(n) }, json.Unmarshal)
	if err != nil {
		return nil, locate(path, document{first: 1}, err)
	}
	switch v := decoded.(type) {
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

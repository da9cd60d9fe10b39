package kustomize

import (
	"fmt"
	"math"
	"time"
)

// asJSON is what YAML was decoded to as Kubernetes would decode the same in JSON: a whole number is an int64. It may change
// what it is given. size is how many bytes of text there are, more or less.
func asJSON(value any) (made any, size int, err error) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			one, n, err := asJSON(inner)
			if err != nil {
				return nil, 0, err
			}
			v[key] = one
			size += len(key) + n
		}
		return v, size, nil
	case []any:
		for i, inner := range v {
			one, n, err := asJSON(inner)
			if err != nil {
				return nil, 0, err
			}
			v[i] = one
			size += n
		}
		return v, size, nil
	case string:
		return v, len(v), nil
	case nil, bool:
		return v, 4, nil
	case int:
		return int64(v), 8, nil
	case int64:
		return v, 8, nil
	case uint64: // only what is larger than an int64
		return float64(v), 8, nil
	case float64:
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			return nil, 0, fmt.Errorf("%v is no number in JSON", v)
		case v == math.Trunc(v) && math.Abs(v) < 1<<63:
			return int64(v), 8, nil
		}
		return v, 8, nil
	case time.Time:
		text, err := v.MarshalText()
		return string(text), len(text), err
	}
	return nil, 0, fmt.Errorf("%T is nothing that JSON has: keys must be texts", value)
}

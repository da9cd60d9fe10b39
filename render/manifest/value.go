package manifest

import (
	"strconv"
	"unicode/utf8"

	yamlv2 "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
)

// value decodes one YAML document as Kubernetes does, YAML 1.1 to JSON to what fromJSON makes of it. Nearly all documents
// have nothing in them that the two steps over a text of JSON would change: those are spared them.
func value(data []byte, mode Mode, number func(int64) any, fromJSON func([]byte, any) error) (any, error) {
	read, convert := yamlv2.Unmarshal, yaml.YAMLToJSON
	if mode == Strict {
		read, convert = yamlv2.UnmarshalStrict, yaml.YAMLToJSONStrict
	}
	var raw any
	if err := read(data, &raw); err != nil {
		return nil, err
	}
	if out, ok := plain(raw, number); ok {
		return out, nil
	}
	text, err := convert(data)
	if err != nil {
		return nil, err
	}
	var out any
	err = fromJSON(text, &out)
	return out, err
}

// plain is what YAML's own values are after JSON; ok is false where that needs looking: broken letters, fractions, keys that
// are no text, whole numbers beyond int64.
func plain(raw any, number func(int64) any) (out any, ok bool) {
	switch v := raw.(type) {
	case nil, bool:
		return v, true
	case string:
		return v, utf8.ValidString(v)
	case int:
		return number(int64(v)), true
	case []any:
		for i := range v {
			if v[i], ok = plain(v[i], number); !ok {
				return nil, false
			}
		}
		return v, true
	case map[any]any:
		fields := make(map[string]any, len(v))
		for k, value := range v {
			key, ok := plainKey(k)
			if !ok {
				return nil, false
			}
			if _, twice := fields[key]; twice { // "1" and 1
				return nil, false
			}
			if fields[key], ok = plain(value, number); !ok {
				return nil, false
			}
		}
		return fields, true
	}
	return nil, false
}

func plainKey(k any) (string, bool) {
	switch v := k.(type) {
	case string:
		return v, utf8.ValidString(v)
	case int:
		return strconv.Itoa(v), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

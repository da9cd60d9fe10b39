package apply

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Hash reduces a live object to a hash of the fields that [Manager] owns in it, so that two hashes are equal as long
// as nobody changed one of them, whatever others do to other fields. It is empty where we own nothing. The number of
// replicas does not count: whoever changed it owns it, and is never overruled. Secrets are hashed with the key. It is
// made to be called for each event of a watch, and only reads the object.
func Hash(obj *unstructured.Unstructured, key []byte) string {
	projected := Project(obj, Manager)
	if projected == nil {
		return ""
	}
	return digest(IDOf(obj), projected, key)
}

// digest is the first half of SHA-256 in hexadecimal: short enough to keep for thousands of objects in one Secret.
func digest(id ID, data, key []byte) string {
	if id.secret() {
		mac := hmac.New(sha256.New, key)
		mac.Write(data)
		return hex.EncodeToString(mac.Sum(nil)[:sha256.Size/2])
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:sha256.Size/2])
}

// Project returns the fields that a manager owns in a live object by server-side apply, but for spec.replicas, as
// canonical text in the shape of managedFields (see
// https://kubernetes.io/docs/reference/using-api/server-side-apply/): the order of list items and of keys does not
// matter. Nil: it owns none. For a Secret it holds the values.
func Project(obj *unstructured.Unstructured, manager string) []byte {
	fields := applied(obj, manager)
	if fields == nil {
		return nil
	}
	return projectMap(make([]byte, 0, 1024), fields, obj.Object, atRoot)
}

// place is where in an object a walk is, as far as that matters.
type place string

const (
	atRoot   place = "root"
	inSpec   place = "spec"
	anywhere place = "anywhere"
)

// applied returns the fieldsV1 of a manager's apply.
func applied(obj *unstructured.Unstructured, manager string) map[string]any {
	meta, _ := obj.Object["metadata"].(map[string]any)
	entries, _ := meta["managedFields"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		sub, _ := entry["subresource"].(string)
		if entry["manager"] == manager && entry["operation"] == "Apply" && sub == "" {
			fields, _ := entry["fieldsV1"].(map[string]any)
			return fields
		}
	}
	return nil
}

// project appends the value of one field. A field without children is owned as a whole.
func project(b []byte, fields map[string]any, value any, at place) []byte {
	if len(fields) == 0 {
		return appendValue(b, value)
	}
	return projectMap(b, fields, value, at)
}

// projectMap leaves out what is absent: the API server drops a field that is not there from managedFields at the next
// write of anybody, as it does with "paused: false", so whether it is named says nothing.
func projectMap(b []byte, fields map[string]any, value any, at place) []byte {
	b = append(b, '{')
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		child, ok := descend(value, key)
		if !ok || at == inSpec && key == "f:replicas" {
			continue
		}
		before := len(b)
		if b[before-1] != '{' {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, key), ':')
		of, _ := fields[key].(map[string]any)
		if key == "." {
			b = append(b, "present"...)
			continue
		}
		next := anywhere
		if at == atRoot && key == "f:spec" {
			next = inSpec
		}
		start := len(b)
		if b = project(b, of, child, next); len(of) > 0 && string(b[start:]) == "{}" {
			b = b[:before]
		}
	}
	return append(b, '}')
}

// descend follows one path element of fieldsV1: "f:" a field, "k:" a list item by its keys, "v:" a member of a set,
// "i:" an item by its place, "." the thing itself.
func descend(value any, element string) (any, bool) {
	if element == "." {
		return nil, value != nil
	}
	kind, rest, _ := strings.Cut(element, ":")
	switch kind {
	case "f":
		m, _ := value.(map[string]any)
		child, ok := m[rest]
		return child, ok
	case "k":
		return itemByKeys(value, rest)
	case "v":
		list, _ := value.([]any)
		for _, item := range list {
			if bytes.Equal(appendValue(nil, item), canonical(rest)) {
				return item, true
			}
		}
	case "i":
		list, _ := value.([]any)
		if i, err := strconv.Atoi(rest); err == nil && i >= 0 && i < len(list) {
			return list[i], true
		}
	}
	return nil, false
}

func itemByKeys(value any, keys string) (any, bool) {
	var want map[string]any
	if err := json.Unmarshal([]byte(keys), &want); err != nil {
		return nil, false
	}
	list, _ := value.([]any)
	for _, item := range list {
		m, _ := item.(map[string]any)
		if m != nil && hasKeys(m, want) {
			return item, true
		}
	}
	return nil, false
}

func hasKeys(item, want map[string]any) bool {
	for key, value := range want {
		if !scalarEqual(item[key], value) {
			return false
		}
	}
	return true
}

// scalarEqual compares a value of an object with one of a key, whose numbers are always floats.
func scalarEqual(live, key any) bool {
	if n, ok := live.(int64); ok {
		f, ok := key.(float64)
		return ok && float64(n) == f
	}
	return live == key
}

func canonical(raw string) []byte {
	var value any
	if err := json.Unmarshal([]byte(raw), &value); err != nil {
		return nil
	}
	return appendValue(nil, value)
}

// appendValue appends a value in the manner of JSON with sorted keys, and whole numbers as such.
func appendValue(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return strconv.AppendQuote(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		if v == float64(int64(v)) {
			return strconv.AppendInt(b, int64(v), 10)
		}
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case map[string]any:
		b = append(b, '{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(strconv.AppendQuote(b, key), ':')
			b = appendValue(b, v[key])
		}
		return append(b, '}')
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, item)
		}
		return append(b, ']')
	}
	raw, err := json.Marshal(value) // other numbers, as a renderer may leave them
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, raw...)
}

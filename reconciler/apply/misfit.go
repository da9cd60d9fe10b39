package apply

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// misfits names the values of a manifest of a built-in kind that its type cannot hold, each with the reason. The API
// server says only that there is one, as "quantities must match the regular expression".
func misfits(obj *unstructured.Unstructured) (fields, said []string) {
	gvk := obj.GroupVersionKind()
	if !scheme.Scheme.Recognizes(gvk) {
		return nil, nil
	}
	fits := func(alone any) error {
		typed, err := scheme.Scheme.New(gvk)
		if err != nil {
			return nil
		}
		content, _ := alone.(map[string]any)
		return runtime.DefaultUnstructuredConverter.FromUnstructured(content, typed)
	}
	eachLeaf(obj.Object, "", func(alone any) any { return alone }, func(path string, alone any) {
		if err := fits(alone); err != nil {
			fields = append(fields, path)
			said = append(said, path+": "+strings.TrimPrefix(err.Error(), "error decoding from json: "))
		}
	})
	return fields, said
}

// eachLeaf calls see for each scalar in a value, with its path and an object that has nothing but that scalar.
func eachLeaf(value any, path string, within func(any) any, see func(path string, alone any)) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			eachLeaf(v[key], join(path, key), func(alone any) any { return within(map[string]any{key: alone}) }, see)
		}
	case []any:
		names, named := byName(v)
		for i, item := range v {
			at := fmt.Sprintf("%s[%d]", path, i)
			if m, ok := item.(map[string]any); ok && named && names[m["name"].(string)] != nil {
				at = fmt.Sprintf("%s[%s]", path, m["name"])
			}
			eachLeaf(item, at, func(alone any) any { return within([]any{alone}) }, see)
		}
	default:
		see(path, within(value))
	}
}

// explained names the fields at fault where the API server did not.
func explained(refused *ObjectError, obj *unstructured.Unstructured) *ObjectError {
	if refused == nil || refused.Transient || len(refused.Fields) > 0 {
		return refused
	}
	fields, said := misfits(obj)
	if len(fields) == 0 {
		return refused
	}
	refused.Fields = fields
	if refused.ID.secret() { // a reason may quote the value
		refused.Reason = strings.Join(fields, ", ") + ": " + refused.Reason
	} else {
		refused.Reason = strings.Join(said, "; ")
	}
	return refused
}

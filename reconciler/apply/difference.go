package apply

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Field is one in which two states of an object differ.
type Field struct {
	Path string
	// Before and After are its values; nil: it is not there. Those of Secrets are [HiddenValue].
	Before, After any
	// Reordered: the items of a list are the same, in another order.
	Reordered bool
}

// HiddenValue stands for each value of a Secret.
const HiddenValue = "<secret>"

// Differences returns the fields in which two states of one object differ, sorted by path, but for status and what the API
// server counts. A Secret's stringData is the same as its data, and its values are hidden.
func Differences(before, after *unstructured.Unstructured) []Field {
	a, b := cleaned(before.Object), cleaned(after.Object)
	if !IDOf(after).secret() {
		return differ(a, b)
	}
	fields := differ(encoded(a), encoded(b))
	for i := range fields {
		fields[i].hide()
	}
	return fields
}

// encoded is a Secret as the API server keeps it; one that it would refuse is left as it is.
func encoded(secret map[string]any) map[string]any {
	made := maps.Clone(secret)
	if err := encodeStringData(made); err != nil {
		return secret
	}
	return made
}

// hide hides the values, unless they can be nobody's secret.
func (f *Field) hide() {
	for _, known := range []string{"apiVersion", "type", "immutable", "metadata.name", "metadata.labels"} {
		if f.Path == known || strings.HasPrefix(f.Path, known+".") || strings.HasPrefix(f.Path, known+"[") {
			return
		}
	}
	for _, value := range []*any{&f.Before, &f.After} {
		if *value != nil {
			*value = HiddenValue
		}
	}
}

// changedFields returns the paths at which two states of an object differ, sorted, but for status and what the
// API server counts. It tells no values.
func changedFields(before, after *unstructured.Unstructured) []string {
	var paths []string
	for _, f := range differ(cleaned(before.Object), cleaned(after.Object)) {
		paths = append(paths, f.Path)
	}
	return paths
}

func differ(a, b map[string]any) []Field {
	var fields []Field
	compare(&fields, "", a, b)
	slices.SortFunc(fields, func(a, b Field) int { return strings.Compare(a.Path, b.Path) })
	return fields
}

func compare(fields *[]Field, path string, a, b any) {
	am, aIsMap := a.(map[string]any)
	bm, bIsMap := b.(map[string]any)
	al, aIsList := a.([]any)
	bl, bIsList := b.([]any)
	switch {
	case aIsMap && bIsMap:
		compareMaps(fields, path, am, bm)
	case aIsList && bIsList:
		compareLists(fields, path, al, bl)
	case !scalarsEqual(a, b):
		*fields = append(*fields, Field{Path: path, Before: a, After: b})
	}
}

func compareMaps(fields *[]Field, path string, a, b map[string]any) {
	for key := range union(a, b) {
		av, aHas := a[key]
		bv, bHas := b[key]
		at := join(path, key)
		if aHas != bHas {
			*fields = append(*fields, Field{Path: at, Before: av, After: bv})
			continue
		}
		compare(fields, at, av, bv)
	}
}

// compareLists compares items of one name with each other where all have one, and items of one place otherwise.
func compareLists(fields *[]Field, path string, a, b []any) {
	an, aNamed := byName(a)
	bn, bNamed := byName(b)
	if aNamed && bNamed {
		same := len(a) == len(b)
		for name := range union(an, bn) {
			at := fmt.Sprintf("%s[%s]", path, name)
			if an[name] == nil || bn[name] == nil {
				*fields, same = append(*fields, Field{Path: at, Before: an[name], After: bn[name]}), false
				continue
			}
			compare(fields, at, an[name], bn[name])
		}
		if same && !slices.EqualFunc(a, b, sameName) {
			*fields = append(*fields, Field{Path: path, Before: a, After: b, Reordered: true})
		}
		return
	}
	if len(a) != len(b) {
		*fields = append(*fields, Field{Path: path, Before: a, After: b})
		return
	}
	for i := range a {
		compare(fields, fmt.Sprintf("%s[%d]", path, i), a[i], b[i])
	}
}

func byName(list []any) (map[string]any, bool) {
	named := make(map[string]any, len(list))
	for _, item := range list {
		m, _ := item.(map[string]any)
		name, ok := m["name"].(string)
		if !ok || named[name] != nil {
			return nil, false
		}
		named[name] = item
	}
	return named, len(list) > 0
}

func sameName(a, b any) bool {
	am, _ := a.(map[string]any)
	bm, _ := b.(map[string]any)
	return am["name"] == bm["name"]
}

func scalarsEqual(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	return slices.Equal(appendValue(nil, a), appendValue(nil, b))
}

func union(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return all
}

func join(path, key string) string {
	switch {
	case strings.ContainsAny(key, "./"):
		return path + "[" + key + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

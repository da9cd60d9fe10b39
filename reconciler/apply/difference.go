package apply

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// changedFields returns the paths at which two states of an object differ, sorted, but for status and what the
// API server counts. It tells no values.
func changedFields(before, after *unstructured.Unstructured) []string {
	var paths []string
	compare(&paths, "", cleaned(before.Object), cleaned(after.Object))
	slices.Sort(paths)
	return paths
}

func compare(paths *[]string, path string, a, b any) {
	am, aIsMap := a.(map[string]any)
	bm, bIsMap := b.(map[string]any)
	al, aIsList := a.([]any)
	bl, bIsList := b.([]any)
	switch {
	case aIsMap && bIsMap:
		compareMaps(paths, path, am, bm)
	case aIsList && bIsList:
		compareLists(paths, path, al, bl)
	case !scalarsEqual(a, b):
		*paths = append(*paths, path)
	}
}

func compareMaps(paths *[]string, path string, a, b map[string]any) {
	for key := range union(a, b) {
		av, aHas := a[key]
		bv, bHas := b[key]
		at := join(path, key)
		if aHas != bHas {
			*paths = append(*paths, at)
			continue
		}
		compare(paths, at, av, bv)
	}
}

// compareLists compares items of one name with each other where all have one, and items of one place otherwise.
func compareLists(paths *[]string, path string, a, b []any) {
	an, aNamed := byName(a)
	bn, bNamed := byName(b)
	if aNamed && bNamed {
		same := len(a) == len(b)
		for name := range union(an, bn) {
			at := fmt.Sprintf("%s[%s]", path, name)
			if an[name] == nil || bn[name] == nil {
				*paths, same = append(*paths, at), false
				continue
			}
			compare(paths, at, an[name], bn[name])
		}
		if same && !slices.EqualFunc(a, b, sameName) {
			*paths = append(*paths, path) // only the order changed
		}
		return
	}
	if len(a) != len(b) {
		*paths = append(*paths, path)
		return
	}
	for i := range a {
		compare(paths, fmt.Sprintf("%s[%d]", path, i), a[i], b[i])
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

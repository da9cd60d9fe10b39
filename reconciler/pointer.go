package reconciler

import (
	"slices"
	"strconv"
	"strings"
)

// removePointer takes the value at a JSON pointer (RFC 6901) out of a document of maps and lists. A pointer to
// nothing changes nothing.
func removePointer(document map[string]any, pointer string) {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for i := range parts {
		parts[i] = unescape.Replace(parts[i])
	}
	remove(document, parts)
}

// remove returns the value without what the path leads to; lists become new ones.
func remove(value any, path []string) any {
	first, rest := path[0], path[1:]
	switch value := value.(type) {
	case map[string]any:
		child, ok := value[first]
		if !ok {
			return value
		}
		if len(rest) == 0 {
			delete(value, first)
		} else {
			value[first] = remove(child, rest)
		}
		return value
	case []any:
		i, err := strconv.Atoi(first)
		if err != nil || i < 0 || i >= len(value) {
			return value
		}
		if len(rest) == 0 {
			return slices.Delete(slices.Clone(value), i, i+1)
		}
		value[i] = remove(value[i], rest)
		return value
	}
	return value
}

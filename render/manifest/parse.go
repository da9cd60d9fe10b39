package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// Mode says how duplicate keys are taken.
type Mode string

// Strict makes a key that is set twice an error; Lenient lets the last one win, as Helm and kubectl do.
const (
	Strict  Mode = "strict"
	Lenient Mode = "lenient"
)

// Object is one Kubernetes object and where it was found.
type Object struct {
	*unstructured.Unstructured
	Path string // the file, relative to the root of the tree
	Line int    // where its document begins, from 1; 0 when unknown
}

// Parse decodes every document of a file. Lists are flattened, empty documents ignored; anything else that is not
// an object with apiVersion and kind is an *Error. The result may be empty.
func Parse(path string, data []byte, mode Mode) ([]Object, error) {
	if err := Check(path, data); err != nil {
		return nil, err
	}
	var objects []Object
	for _, doc := range split(data) {
		value, err := decode(doc, mode)
		if err != nil {
			return nil, locate(path, doc, err)
		}
		if value == nil {
			continue
		}
		found, err := collect(value, path, firstLine(doc), "")
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

// Collect is Parse of what is decoded already, as JSON would be. The values stay the caller's too.
func Collect(path string, value any) ([]Object, error) { return collect(value, path, 0, "") }

// decode reads one document the way Kubernetes does: YAML 1.1 to JSON, integers kept as such.
func decode(doc document, mode Mode) (any, error) {
	var out any
	// Tabs are fine in JSON but not in YAML.
	if bytes.HasPrefix(bytes.TrimSpace(doc.data), []byte("{")) && utiljson.Unmarshal(doc.data, &out) == nil {
		return out, nil
	}
	return value(doc.data, mode, func(n int64) any { return n }, utiljson.Unmarshal)
}

func collect(value any, path string, line int, field string) ([]Object, error) {
	fault := func(format string, args ...any) error {
		return &Error{Path: path, Line: line, Field: field, Err: fmt.Errorf(format, args...)}
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return nil, fault("not a Kubernetes object but %s", describe(value))
	}
	if depth(fields, MaxDepth) < 0 {
		return nil, fault("nested deeper than %d levels", MaxDepth)
	}
	for _, name := range []string{"apiVersion", "kind"} {
		switch v := fields[name].(type) {
		case nil:
			return nil, fault("%s is missing", name)
		case string:
			if strings.TrimSpace(v) == "" {
				return nil, fault("%s is empty", name)
			}
		default:
			return nil, fault("%s must be a string (got %v)", name, v)
		}
	}
	items, isItems := fields["items"].([]any)
	if kind := fields["kind"].(string); strings.HasSuffix(kind, "List") && (isItems || kind == "List") {
		return flatten(items, path, line, field)
	}
	return []Object{{Unstructured: &unstructured.Unstructured{Object: fields}, Path: path, Line: line}}, nil
}

func flatten(items []any, path string, line int, field string) ([]Object, error) {
	var all []Object
	for i, item := range items {
		at := fmt.Sprintf("items[%d]", i)
		if field != "" {
			at = field + "." + at
		}
		found, err := collect(item, path, line, at)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// depth returns what is left of the levels allowed, or a negative number.
func depth(value any, left int) int {
	if left < 0 {
		return left
	}
	least := left
	switch v := value.(type) {
	case map[string]any:
		for _, c := range v {
			least = min(least, depth(c, left-1))
		}
	case []any:
		for _, c := range v {
			least = min(least, depth(c, left-1))
		}
	}
	return least
}

func describe(value any) string {
	switch v := value.(type) {
	case []any:
		return "a list"
	case string:
		if len(v) > 40 {
			v = v[:40] + "..."
		}
		return fmt.Sprintf("the text %q", v)
	default:
		return fmt.Sprintf("the value %v", v)
	}
}

func firstLine(doc document) int {
	line := doc.first
	for text := range lines(doc.data) {
		if t := bytes.TrimSpace(text); len(t) > 0 && t[0] != '#' {
			break
		}
		line++
	}
	return line
}

var yamlLine = regexp.MustCompile(`line (\d+): ?`)

// locate turns a parser's complaint about a document into one about the file.
func locate(path string, doc document, err error) *Error {
	text := strings.TrimPrefix(err.Error(), "error converting YAML to JSON: ")
	text = strings.TrimPrefix(text, "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n  ")
	fault := &Error{Path: path, Line: doc.first}
	if m := yamlLine.FindStringSubmatchIndex(text); m != nil {
		n, _ := strconv.Atoi(text[m[2]:m[3]])
		fault.Line = doc.first + n - 1
		text = text[:m[0]] + text[m[1]:]
	}
	fault.Err = errors.New(strings.TrimSpace(text))
	return fault
}

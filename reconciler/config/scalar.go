package config

import (
	"encoding"
	"math"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

func itoa(i int) string { return strconv.Itoa(i) }

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// kindOf names what a node is, without its content.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "nothing"
	case "!!timestamp":
		return "a date"
	}
	return "a string"
}

// gotNode is how a node is shown in a fault: a plain value itself, anything else by its kind.
func gotNode(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return got(n.Value)
	}
	return "(got " + kindOf(n) + ")"
}

// scalar reads a string, a truth value or a whole number. Nothing is converted: 1.10 is no string.
func (d *document) scalar(n *yaml.Node, at place, v reflect.Value) {
	tag := n.ShortTag()
	plain := n.Kind == yaml.ScalarNode
	switch v.Kind() {
	case reflect.String:
		switch {
		case plain && tag == "!!str":
			v.SetString(n.Value)
		case plain && strings.HasPrefix(tag, "!!"):
			d.unreadable(n.Line, at.path, "must be a string: put it into quotes %s", gotNode(n))
		default:
			d.unreadable(n.Line, at.path, "must be a string %s", gotNode(n))
		}
	case reflect.Bool:
		truth, err := strconv.ParseBool(n.Value)
		if !plain || tag != "!!bool" || err != nil {
			d.unreadable(n.Line, at.path, "must be true or false%s %s", unquote(n, err), gotNode(n))
			return
		}
		v.SetBool(truth)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		number, err := strconv.ParseInt(n.Value, 10, 64)
		if !plain || tag != "!!int" || err != nil || v.OverflowInt(number) {
			d.unreadable(n.Line, at.path, "must be a whole number%s %s", unquote(n, err), gotNode(n))
			return
		}
		v.SetInt(number)
	default:
		d.unreadable(n.Line, at.path, "cannot be read into %s", v.Type())
	}
}

// unquote is the advice for a value that only its quotes make wrong.
func unquote(n *yaml.Node, err error) string {
	if err == nil && n.ShortTag() == "!!str" {
		return ", without quotes"
	}
	return ""
}

// text reads a plain value into a type that has a form of its own.
func (d *document) text(n *yaml.Node, at place, into encoding.TextUnmarshaler) {
	value := n.Value
	if n.Kind != yaml.ScalarNode {
		value = "" // no type of ours reads nothing
	}
	if err := into.UnmarshalText([]byte(value)); err != nil {
		d.unreadable(n.Line, at.path, "%s %s", err.Error(), gotNode(n))
	}
}

// follow reads a word or a mapping.
func (d *document) follow(n *yaml.Node, at place, into *Follow) {
	switch n.Kind {
	case yaml.MappingNode:
		d.structure(n, at, reflect.ValueOf(into).Elem())
		if (into.Branch == "") == (into.Tag == "") {
			d.reject(at.path, "must have exactly one of branch and tag")
			d.broken = append(d.broken, at.path)
		}
	case yaml.ScalarNode:
		if err := into.word(n.Value); err != nil {
			d.unreadable(n.Line, at.path, "%s %s", err.Error(), gotNode(n))
		}
	default:
		d.unreadable(n.Line, at.path, "%s %s", followForm, gotNode(n))
	}
}

// any reads free values: mappings, lists, strings, numbers, truth values and nothing.
func (d *document) any(n *yaml.Node, at place) any {
	if d.tooMuch(n, at) {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.any(n.Alias, place{at.path, at.depth + 1})
	case yaml.MappingNode:
		values := map[string]any{}
		for _, e := range d.entries(n, at) {
			values[e.key.Value] = d.any(e.value, at.key(shown(e.key.Value)))
		}
		return values
	case yaml.SequenceNode:
		values := make([]any, len(n.Content))
		for i, item := range n.Content {
			values[i] = d.any(item, place{at.path + "[" + itoa(i) + "]", at.depth + 1})
		}
		return values
	}
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return n.Value
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		var value any
		if err := n.Decode(&value); err != nil {
			d.unreadable(n.Line, at.path, "cannot be read %s", gotNode(n))
			return nil
		}
		if f, ok := value.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			d.unreadable(n.Line, at.path, "must be a finite number %s", gotNode(n))
			return nil
		}
		return number(value)
	}
	d.unreadable(n.Line, at.path, "must not have a tag of its own")
	return nil
}

// number gives every number the type that one of a values file has, after its trip through JSON: the same text in
// either place renders the same, and so it does after being saved and loaded.
func number(value any) any {
	switch n := value.(type) {
	case int:
		return float64(n)
	case int64:
		return float64(n)
	case uint64:
		return float64(n)
	}
	return value
}

// nearest is the known key that was probably meant, "" if none is near.
func nearest(word string, known []string) string {
	best, least := "", 3
	if len(word) > 64 {
		return ""
	}
	for _, k := range known {
		if strings.EqualFold(word, k) {
			return k
		}
		steps := distance(strings.ToLower(word), strings.ToLower(k))
		if steps < least && steps*3 <= len(k) {
			best, least = k, steps
		}
	}
	return best
}

// distance is the number of letters to add, drop, change or swap with the next to make one word of another.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

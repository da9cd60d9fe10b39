package config

import (
	"encoding"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice/render"
)

// place is where a value stands.
type place struct {
	path  string
	depth int
}

func (p place) key(name string) place {
	switch {
	case p.path == "":
		return place{name, p.depth + 1}
	case len(p.path) > 1000:
		return place{p.path, p.depth + 1} // nobody reads on; it must not grow without bounds
	}
	return place{p.path + "." + name, p.depth + 1}
}

// tooMuch counts a visit and reports, once, that the file goes beyond its bounds.
func (d *document) tooMuch(n *yaml.Node, at place) bool {
	d.visits++
	switch {
	case d.visits > maxValues+1:
		return true
	case d.visits > maxValues:
		d.scope = scope{} // what follows was not read, whosever it is
		d.unreadable(n.Line, "", "has more than %d values, counting aliases each time that they are used", maxValues)
		return true
	case at.depth > maxDepth:
		d.unreadable(n.Line, at.path[:min(len(at.path), 80)], "is nested more than %d deep", maxDepth)
		return true
	}
	return false
}

// value reads a node into a Go value by its type. Nothing at all (null) is the zero value, except in a list.
func (d *document) value(n *yaml.Node, at place, v reflect.Value) {
	if d.tooMuch(n, at) {
		return
	}
	if n.Kind == yaml.AliasNode {
		d.value(n.Alias, place{at.path, at.depth + 1}, v)
		return
	}
	if isNull(n) {
		return
	}
	if follow, ok := v.Addr().Interface().(*Follow); ok {
		d.follow(n, at, follow)
		return
	}
	if source, ok := v.Addr().Interface().(*render.Source); ok && n.Kind == yaml.SequenceNode {
		d.list(n, at, reflect.ValueOf(&source.All).Elem())
		return
	}
	if _, ok := v.Addr().Interface().(*OneOrMore); ok && n.Kind == yaml.ScalarNode {
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		d.scalar(n, at, v.Index(0))
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(n, at, text)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, place{at.path, at.depth + 1}, v.Elem())
	case reflect.Struct:
		d.structure(n, at, v)
	case reflect.Slice:
		d.list(n, at, v)
	case reflect.Map:
		d.mapping(n, at, v)
	case reflect.Interface:
		if x := d.any(n, at); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.scalar(n, at, v)
	}
}

// structure reads a mapping into a struct by its json tags. Every other key is a fault.
func (d *document) structure(n *yaml.Node, at place, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		// What was found is not shown: where a mapping belongs, a plain word may be a password.
		d.unreadable(n.Line, at.path, "must be a mapping (got %s)", kindOf(n))
		return
	}
	fields, names := fieldsOf(v.Type())
	for _, e := range d.entries(n, at) {
		inner := at.key(e.key.Value)
		index, known := fields[e.key.Value]
		if !known {
			d.unknown(e.key, at, names)
			continue
		}
		d.lines[inner.path] = e.key.Line
		d.value(e.value, inner, v.Field(index))
	}
}

// fieldsOf are the keys of a struct, with the index of the field, and the keys in the order of the fields.
func fieldsOf(t reflect.Type) (map[string]int, []string) {
	fields, names := map[string]int{}, make([]string, 0, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields[name] = i
		names = append(names, name)
	}
	return fields, names
}

// unknown faults a key that its struct does not have.
func (d *document) unknown(key *yaml.Node, at place, names []string) {
	inner := at.key(shown(key.Value))
	if near := nearest(key.Value, names); near != "" {
		d.broken = append(d.broken, at.key(near).path)
		d.fault(key.Line, inner.path, "is not a known key (did you mean %q?)", near)
		return
	}
	d.fault(key.Line, inner.path, "is not a known key (known here: %s)", strings.Join(names, ", "))
}

// entry is a key of a mapping and its value.
type entry struct{ key, value *yaml.Node }

// entries are the keys of a mapping, each once, merge keys (<<) resolved: an own key wins over a merged one.
func (d *document) entries(n *yaml.Node, at place) []entry {
	var own []entry
	var merges []*yaml.Node
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if d.tooMuch(key, at) {
			return nil
		}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, value)
			continue
		}
		if key.Kind != yaml.ScalarNode {
			d.fault(key.Line, at.path, "must have plain words as keys (got %s)", kindOf(key))
			continue
		}
		if line, twice := lines[key.Value]; twice {
			d.fault(n.Content[i].Line, at.key(shown(key.Value)).path, "is there twice (first in line %d)", line)
			continue
		}
		lines[key.Value] = n.Content[i].Line
		own = append(own, entry{key, value})
	}
	for _, m := range merges {
		for _, e := range d.merged(m, place{at.path, at.depth + 1}) {
			if _, there := lines[e.key.Value]; !there {
				lines[e.key.Value] = e.key.Line
				own = append(own, e)
			}
		}
	}
	return own
}

// merged are the entries that a merge key brings: of a mapping, or of a list of mappings, the first winning.
func (d *document) merged(n *yaml.Node, at place) []entry {
	if d.tooMuch(n, at) {
		return nil
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.merged(n.Alias, place{at.path, at.depth + 1})
	case yaml.MappingNode:
		return d.entries(n, at)
	case yaml.SequenceNode:
		var all []entry
		for _, item := range n.Content {
			all = append(all, d.merged(item, place{at.path, at.depth + 1})...)
		}
		return all
	}
	d.fault(n.Line, at.key("<<").path, "must be a mapping or a list of mappings (got %s)", kindOf(n))
	return nil
}

// list reads a sequence. Items that have a name are shown by it, the others by their number from 0.
func (d *document) list(n *yaml.Node, at place, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		d.unreadable(n.Line, at.path, "must be a list (got %s)", kindOf(n))
		return
	}
	paths := make([]string, len(n.Content))
	used := map[string]bool{}
	for i, item := range n.Content {
		paths[i] = at.path + "[" + d.itemName(item, i, used) + "]"
	}
	d.items[at.path] = paths
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	outer := d.scope
	for i, item := range n.Content {
		d.lines[paths[i]] = item.Line
		if v.Type() == reflect.TypeFor[[]Environment]() {
			d.scope = scope{block: i + 1}
		}
		if isNull(item) {
			d.unreadable(item.Line, paths[i], "is empty")
			continue
		}
		d.value(item, place{paths[i], at.depth + 1}, v.Index(i))
		if d.visits > maxValues {
			return
		}
	}
	d.scope = outer
}

// mapping reads a map with string keys.
func (d *document) mapping(n *yaml.Node, at place, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		d.unreadable(n.Line, at.path, "must be a mapping (got %s)", kindOf(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range d.entries(n, at) {
		inner := place{at.path + "[" + shown(e.key.Value) + "]", at.depth + 1}
		d.lines[inner.path] = e.key.Line
		if tag := e.key.ShortTag(); tag != "!!str" {
			d.unreadable(e.key.Line, inner.path, "must have a string as its key: put it into quotes")
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		if isNull(e.value) && item.Kind() == reflect.String {
			d.unreadable(e.key.Line, inner.path, "is empty: write \"\" if that is meant")
			continue
		}
		d.value(e.value, inner, item)
		v.SetMapIndex(reflect.ValueOf(e.key.Value), item)
	}
}

// itemName is how an item is shown in a path: by its name, if that cannot be taken for anything else, and is
// the first of it in the list.
func (d *document) itemName(item *yaml.Node, i int, used map[string]bool) string {
	name := d.nameIn(item)
	if name == "" || used[name] || strings.Trim(name, "0123456789") == "" {
		return itoa(i)
	}
	used[name] = true
	return name
}

// nameIn is the name of a named item, "" where it has none that is a DNS label.
func (d *document) nameIn(item *yaml.Node) string {
	if n := d.lookup(item, "name"); n != nil && n.ShortTag() == "!!str" && isLabel(n.Value) {
		return n.Value
	}
	return ""
}

// shown is a key of a file in a path: as it is where it is plain, else quoted and cut.
func shown(key string) string {
	plain := func(r rune) bool {
		return r == '-' || r == '_' || r == '/' || r == '.' || r == '<' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z'
	}
	if key != "" && len(key) <= 80 && !slices.ContainsFunc([]rune(key), func(r rune) bool { return !plain(r) }) {
		return key
	}
	return strings.TrimSuffix(strings.TrimPrefix(got(key), "(got "), ")")
}

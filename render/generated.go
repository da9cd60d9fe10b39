package render

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Place is a field of an object.
type Place struct {
	Object ObjectID `json:"object"`
	// Hook is zero for one of Result.Objects, n for the n-th of Result.Hooks that has this identity, and -n for the n-th of
	// Result.Tests.
	Hook    int    `json:"hook,omitempty"`
	Pointer string `json:"pointer"` // JSON pointer (RFC 6901)
}

// Generated is a field that a chart makes by chance or by the clock, or of which it makes a part. It prints as its place
// alone.
type Generated struct {
	Place
	Shown string `json:"shown,omitempty"` // the field as people may see it
	Parts []Part `json:"parts"`
	// Of is the checksum that would stand in the place of another program's, which stays as long as this one is right;
	// empty: the field is what it should be.
	Of string `json:"of,omitempty"`
}

// Part is what was made of a field.
type Part struct {
	After string `json:"after,omitempty"` // what stands before it in its line; empty where it is all of the field, or of a line
	Nth   int    `json:"nth"`             // among those after the same, from 1
	Text  string `json:"text"`            // what was made; of a number or a truth value its JSON
}

// String says where the field is, and nothing of what is in it.
func (g Generated) String() string { return fmt.Sprintf("%s %s", g.Object, g.Pointer) }

// GoString is String.
func (g Generated) GoString() string { return g.String() }

// Texts are what was made, for those who must hide it.
func (g Generated) Texts() []string {
	var all []string
	for _, p := range g.Parts {
		all = append(all, p.Text)
	}
	return all
}

// Kept is what an environment has already of the objects that its charts look up, and of the values that they make by
// chance or by the clock. It shapes no object but in the places of generated values, so neither Digest nor Inputs nor
// Trace knows of it. Nothing of it is ever changed.
type Kept struct {
	// Objects are live ones that this environment itself owns: lookup answers with them and with no others, and what
	// stands in the place of a generated value is kept before all else.
	Objects []*unstructured.Unstructured `json:"objects,omitempty"`
	// Values were made before: those of Result.Generated.
	Values []Generated `json:"values,omitempty"`
}

// Masked is the result as people may see it: "<generated>" stands for each generated value. It shares nothing with the
// result that changes.
func (r *Result) Masked() *Result {
	masked := *r
	masked.Objects, masked.Hooks, masked.Tests = slices.Clone(r.Objects), slices.Clone(r.Hooks), slices.Clone(r.Tests)
	for _, g := range r.Generated {
		o := masked.at(g.Place)
		if o == nil {
			continue
		}
		copied := (*o).DeepCopy()
		if pointer, err := tokens(g.Pointer); err == nil {
			set(copied.Object, copied.Object, pointer, g.Shown)
		}
		*o = copied
	}
	return &masked
}

// Hide puts "<generated>" into an object that has what was made where the place is; the rest of a text stays what it is. One that
// has something else there, as another release may, is left alone.
func (g Generated) Hide(o *unstructured.Unstructured) {
	pointer, err := tokens(g.Pointer)
	if err != nil {
		return
	}
	value, _ := get(o.Object, o.Object, pointer)
	text, ok := scalarText(value)
	if !ok {
		return
	}
	for _, text := range []string{text, orDecoded(text)} {
		if shown, all := g.hidden(text); all {
			set(o.Object, o.Object, pointer, shown)
			return
		}
	}
}

// hidden is a text without the parts; all: it had them.
func (g Generated) hidden(text string) (shown string, all bool) {
	shown = text
	for _, p := range g.Parts {
		if !strings.Contains(text, p.After+p.Text) {
			return text, false
		}
		shown = strings.ReplaceAll(shown, p.After+p.Text, p.After+shownGenerated)
	}
	return shown, len(g.Parts) > 0
}

// orDecoded is what a text in base64 stands for, and any other itself.
func orDecoded(text string) string {
	if plain, ok := decoded(text); ok {
		return plain
	}
	return text
}

// at finds the object of a place; nil where there is none.
func (r *Result) at(p Place) **unstructured.Unstructured {
	if p.Hook == 0 {
		i := slices.IndexFunc(r.Objects, func(o *unstructured.Unstructured) bool { return IDOf(o) == p.Object })
		if i < 0 {
			return nil
		}
		return &r.Objects[i]
	}
	hooks, nth := r.Hooks, p.Hook
	if p.Hook < 0 {
		hooks, nth = r.Tests, -p.Hook
	}
	for i := range hooks {
		if IDOf(hooks[i].Object) == p.Object {
			if nth--; nth == 0 {
				return &hooks[i].Object
			}
		}
	}
	return nil
}

// placed is an object with what names it in a place.
type placed struct {
	Place
	object *unstructured.Unstructured
}

// placed lists objects, hooks and tests.
func (r *Result) placed() []placed {
	var all []placed
	for _, o := range r.Objects {
		all = append(all, placed{Place{Object: IDOf(o)}, o})
	}
	hooks, tests := map[ObjectID]int{}, map[ObjectID]int{}
	for _, h := range r.Hooks {
		id := IDOf(h.Object)
		hooks[id]++
		all = append(all, placed{Place{Object: id, Hook: hooks[id]}, h.Object})
	}
	for _, h := range r.Tests {
		id := IDOf(h.Object)
		tests[id]--
		all = append(all, placed{Place{Object: id, Hook: tests[id]}, h.Object})
	}
	return all
}

var escape, unescape = strings.NewReplacer("~", "~0", "/", "~1"), strings.NewReplacer("~1", "/", "~0", "~")

func pointerOf(tokens []string) string {
	var b strings.Builder
	for _, token := range tokens {
		b.WriteString("/" + escape.Replace(token))
	}
	return b.String()
}

func tokens(pointer string) ([]string, error) {
	rest, ok := strings.CutPrefix(pointer, "/")
	if !ok {
		return nil, fmt.Errorf("%q is no JSON pointer", pointer)
	}
	all := strings.Split(rest, "/")
	for i := range all {
		all[i] = unescape.Replace(all[i])
	}
	return all, nil
}

// set puts a value where a pointer leads in an object like the one given; see get. Of a mapping, the last step need not be
// there. Where the pointer leads nowhere, nothing is done.
func set(value, like any, pointer []string, to any) {
	token, rest := pointer[0], pointer[1:]
	switch v := value.(type) {
	case map[string]any:
		if len(rest) == 0 {
			v[token] = to
			return
		}
		l, _ := like.(map[string]any)
		set(v[token], l[token], rest, to)
	case []any:
		i, item, ok := itemOf(v, like, token)
		switch {
		case !ok:
		case len(rest) == 0:
			v[i] = to
		default:
			set(v[i], item, rest, to)
		}
	}
}

// get returns what stands where a pointer leads in an object like the one given.
func get(value, like any, pointer []string) (any, bool) {
	if len(pointer) == 0 {
		return value, value != nil
	}
	token, rest := pointer[0], pointer[1:]
	switch v := value.(type) {
	case map[string]any:
		l, _ := like.(map[string]any)
		return get(v[token], l[token], rest)
	case []any:
		if i, item, ok := itemOf(v, like, token); ok {
			return get(v[i], item, rest)
		}
	}
	return nil, false
}

// itemOf finds the item of a list that a token names in a list like it: the one of the same name, since others may have
// put theirs before it, or the one of the same number where items have no names.
func itemOf(list []any, like any, token string) (i int, item any, ok bool) {
	others, _ := like.([]any)
	i, err := strconv.Atoi(token)
	if err != nil || i < 0 || i >= len(others) {
		return 0, nil, false
	}
	item = others[i]
	if name := nameOf(item); name != "" {
		i = slices.IndexFunc(list, func(item any) bool { return nameOf(item) == name })
	}
	return i, item, i >= 0 && i < len(list)
}

func nameOf(item any) string {
	fields, _ := item.(map[string]any)
	name, _ := fields["name"].(string)
	return name
}

// scalarText is a scalar as a Part has it.
func scalarText(value any) (string, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case bool, int64, float64:
		raw, err := json.Marshal(v)
		return string(raw), err == nil
	}
	return "", false
}

// scalarOf is a Part's text as a value of the same type as another; false where it is none.
func scalarOf(text string, like any) (any, bool) {
	switch like.(type) {
	case string:
		return text, true
	case bool:
		v, err := strconv.ParseBool(text)
		return v, err == nil
	case int64:
		v, err := strconv.ParseInt(text, 10, 64)
		return v, err == nil
	case float64:
		v, err := strconv.ParseFloat(text, 64)
		return v, err == nil
	}
	return nil, false
}

package render

import (
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// leaf is a field that differs from render to render.
type leaf struct {
	Place
	pointer []string
	made    any     // in the first render
	text    passage // of a string: the part of it that differs
	// fixed: what lookup found says what it is.
	fixed bool
}

// differ finds what is different in other renders of the same. Where that is more than values, or the order of a map, it
// says of which object.
type differ struct {
	others    []*Result
	unordered bool // the order of maps may show
	leaves    []leaf
	fault     *Place // that cannot be kept
	order     bool   // since it has the order of a map
}

func (d *differ) compare(first *Result) {
	columns := make([]map[Place]*unstructured.Unstructured, len(d.others))
	for i, other := range d.others {
		columns[i] = map[Place]*unstructured.Unstructured{}
		for _, p := range other.placed() {
			columns[i][p.Place] = p.object
		}
	}
	for _, p := range first.placed() {
		var others []any
		for _, column := range columns {
			other, there := column[p.Place]
			if !there {
				d.blame(p.Place)
				continue
			}
			delete(column, p.Place)
			others = append(others, other.Object)
		}
		if len(others) < len(columns) {
			continue
		}
		w := walker{differ: d, at: p.Place, secret: p.object.GetAPIVersion() == "v1" && p.object.GetKind() == "Secret"}
		w.walk(p.object.Object, others, nil)
	}
	for _, column := range columns {
		for place := range column {
			d.blame(place)
		}
	}
}

// blame notes what cannot be kept. A test may have another name each time: it is run once and goes.
func (d *differ) blame(p Place) {
	if d.fault == nil && p.Hook >= 0 {
		d.fault = &p
	}
}

// walker compares one object.
type walker struct {
	*differ
	at     Place
	secret bool
}

func (w walker) walk(one any, others []any, pointer []string) {
	switch v := one.(type) {
	case map[string]any:
		for _, other := range others {
			if o, ok := other.(map[string]any); !ok || !sameKeys(v, o) {
				w.blame(w.at)
				return
			}
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			w.walk(v[key], each(others, func(o any) any { return o.(map[string]any)[key] }), append(slices.Clone(pointer), key)) //nolint:errcheck,forcetypeassert // looked at above
		}
	case []any:
		for _, other := range others {
			if o, ok := other.([]any); !ok || len(o) != len(v) {
				w.blame(w.at)
				return
			}
		}
		for i := range v {
			w.walk(v[i], each(others, func(o any) any { return o.([]any)[i] }), append(slices.Clone(pointer), strconv.Itoa(i))) //nolint:errcheck,forcetypeassert // looked at above
		}
	default:
		w.scalar(one, others, pointer)
	}
}

func sameKeys(a, b map[string]any) bool {
	for key := range a {
		if _, ok := b[key]; !ok {
			return false
		}
	}
	return len(a) == len(b)
}

func each(all []any, of func(any) any) []any {
	made := make([]any, len(all))
	for i := range all {
		made[i] = of(all[i])
	}
	return made
}

func (w walker) scalar(one any, others []any, pointer []string) {
	own, ok := scalarText(one)
	var texts []string
	differs, allText := false, true
	for _, other := range others {
		if other == one {
			texts = append(texts, own)
			continue
		}
		differs = true
		text, fine := scalarText(other)
		if !fine || !ok {
			w.blame(w.at) // a null, or another shape
			return
		}
		if _, isText := other.(string); !isText {
			allText = false
		}
		if w.unordered && permuted(own, text) {
			w.order = true
			w.blame(w.at)
			return
		}
		texts = append(texts, text)
	}
	if !differs {
		return
	}
	found := leaf{Place: w.at, pointer: pointer, made: one, text: wholly(own)}
	found.Pointer = pointerOf(pointer)
	if _, isText := one.(string); isText && allText {
		found.text = compared(own, texts, w.secret && pointer[0] == "data")
	}
	w.leaves = append(w.leaves, found)
}

// permuted reports whether two texts have the same letters in another order: keys of a map that were joined.
func permuted(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return a != b && string(x) == string(y)
}

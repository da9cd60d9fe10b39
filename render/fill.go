package render

import (
	"encoding/base64"
	"errors"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

var errDiffers = errors.New("renders to other objects or fields each time")

// filling puts values into the places of a result where they are generated.
type filling struct {
	given  Kept
	saved  map[Place]Generated
	result *Result
	leaves []leaf
	parts  [][]Part // of each leaf
	of     []string // of each leaf: Generated.Of
}

// newFilling takes each value from the live object, else from those that were made before, else as the render made it.
func newFilling(given Kept, result *Result, leaves []leaf) *filling {
	f := &filling{given: given, saved: map[Place]Generated{}, result: result, leaves: leaves, of: make([]string, len(leaves))}
	for _, v := range given.Values {
		f.saved[v.Place] = v
	}
	copies := copies{}
	var fresh []*Part
	for i := range leaves {
		l := &leaves[i]
		parts := l.text.parts()
		before, wasMade := f.saved[l.Place]
		live := l.in(f.live(l.Place), f.object(l.Place))
		for n := range parts {
			made := parts[n].Text
			if live != nil && usable(live[n]) {
				parts[n].Text = *live[n]
			} else if text := before.part(*l, n, parts[n]); wasMade && usable(text) {
				parts[n].Text = *text
			} else {
				fresh = append(fresh, &parts[n])
				continue
			}
			copies.note(made, parts[n].Text)
		}
		f.parts = append(f.parts, parts)
	}
	for _, p := range fresh {
		if kept, is := copies[p.Text]; is {
			p.Text = kept
		}
	}
	for i := range leaves {
		f.put(i)
	}
	return f
}

// copies has what is kept of each text that a render made: a new place of the same text, as a second object with the same
// password or another webhook with the same authority, gets what the others have.
type copies map[string]string

// shortestCopy is how long a text must be to be the same by more than chance.
const shortestCopy = 8

func (c copies) note(made, kept string) {
	if len(made) < shortestCopy {
		return
	}
	c[made] = kept
	c[base64.StdEncoding.EncodeToString([]byte(made))] = base64.StdEncoding.EncodeToString([]byte(kept))
	plainMade, errMade := base64.StdEncoding.DecodeString(made)
	plainKept, errKept := base64.StdEncoding.DecodeString(kept)
	if errMade == nil && errKept == nil && len(plainMade) >= shortestCopy {
		c[string(plainMade)] = string(plainKept)
	}
}

// usable reports whether a text may be kept: what stands for a value is none.
func usable(text *string) bool {
	return text != nil && *text != "" && !strings.Contains(*text, shownGenerated)
}

// part finds what was made before in the place of a part.
func (g Generated) part(l leaf, n int, like Part) *string {
	switch whole := g.Shown == shownGenerated; {
	case whole == l.text.whole():
		for _, p := range g.Parts {
			if p.After == like.After && p.Nth == like.Nth {
				return &p.Text
			}
		}
	case whole && len(g.Parts) == 1: // and now only a part of it is
		return l.text.in(g.Parts[0].Text)[n]
	}
	return nil
}

// object is the object of a place in the result.
func (f *filling) object(p Place) *unstructured.Unstructured {
	if o := f.result.at(p); o != nil {
		return *o
	}
	return nil
}

// live is the live object of a place; nil: there is none.
func (f *filling) live(p Place) *unstructured.Unstructured {
	for _, o := range f.given.Objects {
		if p.Is(o) {
			return o
		}
	}
	return nil
}

// Is reports whether an object is the one of a place; a render may not know that a kind has no namespaces.
func (p Place) Is(o *unstructured.Unstructured) bool {
	id := IDOf(o)
	if id.Namespace == "" || p.Object.Namespace == "" {
		id.Namespace = p.Object.Namespace
	}
	return id == p.Object
}

// in finds what stands in another object where the parts of the leaf stand; nil: nothing does.
func (l leaf) in(o, like *unstructured.Unstructured) []*string {
	if o == nil || like == nil {
		return nil
	}
	value, ok := get(o.Object, like.Object, l.pointer)
	if !ok && l.ofStringData() { // as the API server keeps it
		encoded, _ := get(o.Object, like.Object, []string{"data", l.pointer[1]})
		text, isText := encoded.(string)
		raw, err := base64.StdEncoding.DecodeString(text)
		value, ok = string(raw), isText && err == nil
	}
	if !ok {
		return nil
	}
	text, ok := scalarText(value)
	if _, fits := scalarOf(text, l.made); !ok || !fits {
		return nil
	}
	return l.text.in(text)
}

func (l leaf) ofStringData() bool {
	return l.Object.Kind == "Secret" && l.Object.Group == "" && len(l.pointer) == 2 && l.pointer[0] == "stringData"
}

// value is what a leaf is with its parts.
func (f *filling) value(i int) any {
	l := f.leaves[i]
	var texts []string
	for _, p := range f.parts[i] {
		texts = append(texts, p.Text)
	}
	value, ok := scalarOf(l.text.with(texts), l.made)
	if !ok {
		return l.made
	}
	return value
}

func (f *filling) put(i int) {
	l := f.leaves[i]
	if o := f.object(l.Place); o != nil {
		set(o.Object, o.Object, l.pointer, f.value(i))
	}
}

// kept are the objects that lookup finds: the live ones, and those with generated values as if they were live already.
func (f *filling) kept() []*unstructured.Unstructured {
	var kept []*unstructured.Unstructured
	for _, o := range f.given.Objects {
		kept = append(kept, o.DeepCopy())
	}
	for i, l := range f.leaves {
		if l.Hook != 0 {
			continue
		}
		like := f.object(l.Place)
		var o *unstructured.Unstructured
		for _, known := range kept {
			if l.Is(known) {
				o = known
			}
		}
		if o == nil {
			o = asKept(like)
			kept = append(kept, o)
		}
		if text, isText := f.value(i).(string); isText && l.ofStringData() {
			if _, there := o.Object["data"].(map[string]any); !there {
				o.Object["data"] = map[string]any{}
			}
			set(o.Object, like.Object, []string{"data", l.pointer[1]}, base64.StdEncoding.EncodeToString([]byte(text)))
			continue
		}
		set(o.Object, like.Object, l.pointer, f.value(i))
	}
	return kept
}

// asKept is an object as the API server keeps it, as far as charts look at it: a Secret has its texts encoded.
func asKept(o *unstructured.Unstructured) *unstructured.Unstructured {
	o = o.DeepCopy()
	texts, isMap := o.Object["stringData"].(map[string]any)
	if o.GetKind() != "Secret" || o.GetAPIVersion() != "v1" || !isMap {
		return o
	}
	data, isMap := o.Object["data"].(map[string]any)
	if !isMap {
		data = map[string]any{}
	}
	for key, value := range texts {
		if text, isText := value.(string); isText {
			data[key] = base64.StdEncoding.EncodeToString([]byte(text))
		}
	}
	o.Object["data"] = data
	delete(o.Object, "stringData")
	return o
}

// fix takes what two renders agree on, with lookup answered, for what it is; it reports whether anything changed.
func (f *filling) fix(one, other *Result) (changed bool) {
	for i := range f.leaves {
		l := &f.leaves[i]
		a, b := one.at(l.Place), other.at(l.Place)
		if a == nil || b == nil {
			continue
		}
		x, y := l.in(*a, f.object(l.Place)), l.in(*b, f.object(l.Place))
		agreed := len(x) > 0
		for n := range min(len(x), len(y)) {
			if !usable(x[n]) || !usable(y[n]) || *x[n] != *y[n] {
				agreed = false
				continue
			}
			changed = changed || f.parts[i][n].Text != *x[n]
			f.parts[i][n].Text = *x[n]
		}
		l.fixed = agreed && len(x) == len(y)
		f.put(i)
	}
	return changed
}

// generated lists the places.
func (f *filling) generated() []Generated {
	var all []Generated
	for i, l := range f.leaves {
		all = append(all, Generated{Place: l.Place, Shown: l.text.shown(), Parts: f.parts[i], Of: f.of[i]})
	}
	return all
}

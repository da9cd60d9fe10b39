package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// derive makes the checksums that no lookup fixes, of charts that make a value and a checksum of it anew each time. Kept as
// it was, such a checksum would hide every other change of what it is one of; so it is one of all that pods may read, since
// nobody knows of which. One that another program left there from another password stays until that changes.
func (f *filling) derive() {
	sum := f.content()
	for i, l := range f.leaves {
		made, ok := l.checksum()
		if !ok || sum == "" {
			continue
		}
		right := sum[:min(len(sum), len(made))]
		if l.fixed {
			right = f.parts[i][0].Text
		}
		left := f.left(l, right)
		if left != right {
			f.of[i] = right
		}
		f.parts[i][0].Text = left
		f.put(i)
	}
}

// left is the checksum that stands for the right one: another, where somebody else made it while all was as it is.
func (f *filling) left(l leaf, right string) string {
	if before, known := f.saved[l.Place]; known {
		if before.Of == right && len(before.Parts) == 1 && usable(&before.Parts[0].Text) {
			return before.Parts[0].Text
		}
		return right
	}
	if live := l.in(f.live(l.Place), f.object(l.Place)); len(live) == 1 && usable(live[0]) && f.asLive() {
		return *live[0]
	}
	return right
}

// asLive reports whether the live objects, as far as they are known, have just what pods may read now.
func (f *filling) asLive() bool {
	for o := range f.read() {
		live := f.live(Place{Object: IDOf(o)})
		switch {
		case live != nil:
		case f.makes(o):
			return false
		default: // nobody looked at one in which nothing is generated
			continue
		}
		ours, theirs := asKept(o).Object, asKept(live).Object
		for _, field := range []string{"data", "binaryData"} {
			a, _ := ours[field].(map[string]any)
			b, _ := theirs[field].(map[string]any)
			if len(a) != len(b) || len(a) > 0 && !reflect.DeepEqual(a, b) {
				return false
			}
		}
	}
	return true
}

// checksum returns what a leaf was made as, where it is a checksum on pods.
func (l leaf) checksum() (made string, ok bool) {
	n := len(l.pointer)
	if n < 2 || l.pointer[n-2] != "annotations" || !strings.Contains(l.Pointer, "/template/metadata/") || !l.text.whole() {
		return "", false
	}
	made, ok = l.made.(string)
	_, err := hex.DecodeString(made)
	return made, ok && err == nil && len(made) >= 32
}

// content hashes what pods may read; empty: there is nothing.
func (f *filling) content() (sum string) {
	h := sha256.New()
	for o := range f.read() {
		raw, err := json.Marshal([]any{IDOf(o), o.Object["data"], o.Object["stringData"], o.Object["binaryData"]})
		if err != nil {
			continue // no JSON, which the API server will say
		}
		h.Write(append(raw, '\n'))
		sum = hex.EncodeToString(h.Sum(nil))
	}
	return sum
}

// read are the objects that pods may read.
func (f *filling) read() iter.Seq[*unstructured.Unstructured] {
	return func(yield func(*unstructured.Unstructured) bool) {
		for _, o := range f.result.Objects {
			if id := IDOf(o); id.Group == "" && (id.Kind == "Secret" || id.Kind == "ConfigMap") && !yield(o) {
				return
			}
		}
	}
}

// makes reports whether something in an object is generated.
func (f *filling) makes(o *unstructured.Unstructured) bool {
	id := IDOf(o)
	return slices.ContainsFunc(f.leaves, func(l leaf) bool { return l.Hook == 0 && l.Object == id })
}

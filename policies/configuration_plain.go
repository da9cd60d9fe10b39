package policies

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// back returns a workload that reads under its plain name what it may have been given under that of a version.
func (v *versions) back(workload *unstructured.Unstructured) *unstructured.Unstructured {
	return pointedTo(workload, func(kind, name string) string {
		id := configuration{kind, workload.GetNamespace(), name}
		plain := v.plainNameOf(id)
		if plain != "" {
			v.left[id] = true
		}
		return plain
	})
}

// plainNameOf is the name of the object that another one of the release is the version of; empty where it is none.
func (v *versions) plainNameOf(id configuration) string {
	there := v.plain[id]
	if there == nil {
		return ""
	}
	of := configuration{id.kind, id.namespace, cmp.Or(there.GetLabels()[LabelVersionOf], there.GetAnnotations()[LabelVersionOf])}
	if plain := v.plain[of]; plain == nil || v.make(of, plain).name != id.name {
		return ""
	}
	return of.name
}

// stillRead takes those out of left that another workload reads, or that were made for one.
func (v *versions) stillRead(objects []*unstructured.Unstructured) {
	for _, o := range objects {
		if len(v.left) > 0 && isVersionReader(o) {
			referred(o.Object, "spec.template.spec", func(kind, name string) {
				delete(v.left, configuration{kind, o.GetNamespace(), name})
			})
		}
	}
}

// PlainReader is a workload of a release, and of what it reads all that could have versions, under plain names.
type PlainReader struct {
	Workload *unstructured.Unstructured
	Reads    []*unstructured.Unstructured
}

// PlainReaders are the workloads of a release that may keep plain names: the proven release reads all of it under plain names
// already. Where proven is nil nobody knows what runs, and all may.
func PlainReaders(objects, proven []*unstructured.Unstructured) (readers []PlainReader) {
	plain := Versioned(objects, func(*unstructured.Unstructured) bool { return true })
	v := versions{plain: make(map[configuration]*unstructured.Unstructured)}
	for _, o := range plain {
		if id, ok := configurationOf(o); ok && v.plain[id] == nil {
			v.plain[id] = o
		}
	}
	for _, o := range plain {
		if !isVersionReader(o) {
			continue
		}
		r := PlainReader{Workload: o}
		referred(o.Object, "spec.template.spec", func(kind, name string) {
			id := configuration{kind, o.GetNamespace(), name}
			if read := v.plain[id]; read != nil && v.make(id, read).name != "" && !slices.Contains(r.Reads, read) {
				r.Reads = append(r.Reads, read)
			}
		})
		if len(r.Reads) > 0 && (proven == nil || r.wasPlain(proven)) {
			readers = append(readers, r)
		}
	}
	return readers
}

// wasPlain reports whether the same workload read the same plain names in another release.
func (r PlainReader) wasPlain(release []*unstructured.Unstructured) bool {
	i := slices.IndexFunc(release, func(o *unstructured.Unstructured) bool {
		return isVersionReader(o) && workloadName(o) == workloadName(r.Workload)
	})
	if i < 0 {
		return false
	}
	read := make(map[configuration]bool)
	referred(release[i].Object, "spec.template.spec", func(kind, name string) {
		read[configuration{kind, release[i].GetNamespace(), name}] = true
	})
	return !slices.ContainsFunc(r.Reads, func(o *unstructured.Unstructured) bool {
		id, _ := configurationOf(o)
		return !read[id]
	})
}

// KeepPlain returns which of these workloads, by name, go on reading plain names: those of which neither the template nor
// the contents of what they read really change, as changed says of each object. A workload that has read versions once
// reads them for good: its template with plain names is another one.
func KeepPlain(readers []PlainReader, changed func(o *unstructured.Unstructured) bool) (names []string) {
	for _, r := range readers {
		if !changed(r.Workload) && !slices.ContainsFunc(r.Reads, changed) {
			names = append(names, workloadName(r.Workload))
		}
	}
	slices.Sort(names)
	return names
}

// Named returns the objects of a release with the names that were decided on when it began: of versions or not, and plain
// ones for the workloads of these names.
func Named(objects []*unstructured.Unstructured, versioned bool, plain []string) []*unstructured.Unstructured {
	if !versioned {
		return objects
	}
	return Versioned(objects, func(o *unstructured.Unstructured) bool { return slices.Contains(plain, workloadName(o)) })
}

// workloadName is how people write it, as in [Staged].
func workloadName(o *unstructured.Unstructured) string {
	return o.GetKind() + "/" + o.GetNamespace() + "/" + o.GetName()
}

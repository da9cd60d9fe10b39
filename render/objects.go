package render

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice/render/helm"
	"github.com/sluice-cd/sluice/render/manifest"
)

// finish makes the objects of any engine into a Result: checked, placed, labelled, ordered, each there once.
func finish(m made, req Request) (*Result, error) {
	if len(m.objects) == 0 {
		return nil, &Error{Path: m.from, Err: errEmpty}
	}
	all := make([]*unstructured.Unstructured, 0, len(m.objects))
	for _, o := range m.objects {
		all = append(all, o.Unstructured)
	}
	known := scopesOf(all)
	result := &Result{Sources: map[ObjectID]string{}}
	seen := map[ObjectID]manifest.Object{}
	for _, o := range m.objects {
		if err := complete(o, known, req, false); err != nil {
			return nil, err
		}
		id := IDOf(o.Unstructured)
		if first, twice := seen[id]; twice {
			return nil, twiceError(id, first, o)
		}
		seen[id] = o
		result.Objects = append(result.Objects, o.Unstructured)
		result.Sources[id] = o.Path
	}
	var err error
	if result.Hooks, err = hooks(m.hooks, known, req); err != nil {
		return nil, err
	}
	if result.Tests, err = hooks(m.tests, known, req); err != nil {
		return nil, err
	}
	slices.SortStableFunc(result.Objects, compare)
	return result, nil
}

// hooks completes hooks and puts them into the order in which they run.
func hooks(of []helm.Hook, known scopes, req Request) (all []Hook, err error) {
	slices.SortStableFunc(of, func(a, b helm.Hook) int {
		return cmp.Or(cmp.Compare(a.Weight, b.Weight), cmp.Compare(a.Order(), b.Order()), compare(a.Unstructured, b.Unstructured))
	})
	for _, h := range of {
		if err := complete(h.Object, known, req, true); err != nil {
			return nil, err
		}
		all = append(all, Hook{h.Unstructured, h.Events, h.Weight, h.DeletePolicies})
	}
	return all, nil
}

func twiceError(id ObjectID, first, second manifest.Object) error {
	where := "in " + first.Path
	if first.Path == second.Path {
		where = "in the same file"
	}
	if first.Line > 0 {
		where += fmt.Sprintf(", line %d", first.Line)
	}
	return &Error{Path: second.Path, Line: second.Line, Err: fmt.Errorf("%s is there twice: also %s", id, where)}
}

// complete checks one object and gives it its namespace, labels and annotations.
func complete(o manifest.Object, known scopes, req Request, hook bool) error {
	fault := func(field string, err error) error {
		id := fmt.Sprintf("%s %s", o.GetKind(), o.GetName())
		return &Error{Path: o.Path, Line: o.Line, Field: field, Err: fmt.Errorf("%w (%s)", err, strings.TrimSpace(id))}
	}
	if err := openable(o); err != nil {
		return err
	}
	if _, err := schema.ParseGroupVersion(o.GetAPIVersion()); err != nil {
		return fault("apiVersion", err)
	}
	meta, err := mapping(o.Object, "metadata")
	if err != nil {
		return fault("metadata", err)
	}
	if meta == nil {
		return fault("metadata", errors.New("is missing"))
	}
	for _, field := range []string{"name", "namespace", "generateName"} {
		if v, ok := meta[field]; ok && v != nil {
			if _, isText := v.(string); !isText {
				return fault("metadata."+field, fmt.Errorf("must be a string (got %v)", v))
			}
		}
	}
	if o.GetName() == "" && !(hook && o.GetGenerateName() != "") {
		return fault("metadata.name", errors.New("is missing"))
	}
	if err := texts(meta, "labels", req.Labels); err != nil {
		return fault("metadata.labels", err)
	}
	if err := texts(meta, "annotations", req.Annotations); err != nil {
		return fault("metadata.annotations", err)
	}
	switch {
	case known.of(o.Unstructured) == cluster || o.GetNamespace() == "" && req.Namespace == "":
		delete(meta, "namespace")
	case o.GetNamespace() == "":
		meta["namespace"] = req.Namespace
	}
	return nil
}

func mapping(parent map[string]any, field string) (map[string]any, error) {
	switch v := parent[field].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		return v, nil
	default:
		return nil, fmt.Errorf("must be a mapping (got %v)", v)
	}
}

// texts checks a map of strings and puts more on top. A null is an empty string to Kubernetes, and an empty map is none.
func texts(meta map[string]any, field string, more map[string]string) error {
	all, err := mapping(meta, field)
	if err != nil {
		return err
	}
	for key, value := range all {
		switch v := value.(type) {
		case nil:
			all[key] = ""
		case string:
		default:
			return fmt.Errorf("%s must be a string, in quotes (got %v)", key, v)
		}
	}
	if all == nil {
		all = map[string]any{}
	}
	for key, value := range more {
		all[key] = value
	}
	if len(all) == 0 {
		delete(meta, field)
		return nil
	}
	meta[field] = all
	return nil
}

// compare puts namespaces and definitions first, as people expect to read them; the rest by name alone, so that moving
// an object between files changes nothing.
func compare(a, b *unstructured.Unstructured) int {
	x, y := IDOf(a), IDOf(b)
	return cmp.Or(
		cmp.Compare(class(x), class(y)),
		cmp.Compare(x.Group, y.Group),
		cmp.Compare(x.Kind, y.Kind),
		cmp.Compare(x.Namespace, y.Namespace),
		cmp.Compare(x.Name, y.Name),
		cmp.Compare(a.GetGenerateName(), b.GetGenerateName()),
	)
}

func class(id ObjectID) int {
	switch id.Group + "/" + id.Kind {
	case "/Namespace":
		return 0
	case "apiextensions.k8s.io/CustomResourceDefinition":
		return 1
	}
	return 2
}

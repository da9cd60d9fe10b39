package policies

import (
	"fmt"
	"path"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Guard is what an application may touch. The zero value allows nothing.
type Guard struct {
	// Namespaces are globs of the namespaces that objects may be in.
	Namespaces []string
	// Reserved namespaces are never allowed.
	Reserved []string
	// Allow are globs of namespaced kinds (Kind or Kind.group); empty allows all. ClusterWide are the kinds
	// without a namespace that are allowed. Deny wins over both.
	Allow       []string
	ClusterWide []string
	Deny        []string
}

// Check returns why objects are refused, one line for each, in their order; nil when all are allowed. An
// object without a namespace is taken as cluster-wide. A Namespace object counts as being in the namespace
// of its name.
func (g Guard) Check(objects []*unstructured.Unstructured) []string {
	var refused []string
	for _, o := range objects {
		if why := g.check(o); why != "" {
			refused = append(refused, fmt.Sprintf("%s: %s", describe(o), why))
		}
	}
	return refused
}

func (g Guard) check(o *unstructured.Unstructured) string {
	kind := o.GroupVersionKind().GroupKind()
	if matches(g.Deny, kind) {
		return fmt.Sprintf("kind %s is denied by agent.yaml", kind)
	}
	if kind == (schema.GroupKind{Kind: "Namespace"}) {
		if why := g.namespace(o.GetName()); why != "" {
			return why
		}
	}
	if o.GetNamespace() == "" {
		if !matches(g.ClusterWide, kind) {
			return fmt.Sprintf("kind %s is cluster-wide and not among kinds.clusterWide of the application's permission in agent.yaml", kind)
		}
		return ""
	}
	if len(g.Allow) > 0 && !matches(g.Allow, kind) {
		return fmt.Sprintf("kind %s is not among kinds.allow of the application's permission in agent.yaml", kind)
	}
	return g.namespace(o.GetNamespace())
}

func (g Guard) namespace(name string) string {
	if slices.Contains(g.Reserved, name) {
		return fmt.Sprintf("namespace %q is reserved", name)
	}
	for _, glob := range g.Namespaces {
		if ok, err := path.Match(glob, name); err == nil && ok {
			return ""
		}
	}
	return fmt.Sprintf("namespace %q is not among the namespaces of the application's permission in agent.yaml", name)
}

func matches(globs []string, kind schema.GroupKind) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		for _, name := range []string{kind.Kind, kind.String()} {
			if ok, err := path.Match(glob, name); err == nil && ok {
				return true
			}
		}
		return false
	})
}

func describe(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return o.GetKind() + " " + o.GetName()
	}
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}

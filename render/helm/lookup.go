package helm

import (
	"cmp"
	"context"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic" //nolint:depguard // the engine's interface is made of its types; nobody is asked
)

// Lookup is what a chart asked for by lookup. An empty Name is a list, an empty Namespace all of them.
type Lookup struct{ APIVersion, Kind, Namespace, Name string }

// Finds reports whether an object is, or is among, what was asked for. A kind without namespaces is found in any.
func (l Lookup) Finds(o *unstructured.Unstructured) bool {
	return o.GetAPIVersion() == l.APIVersion && o.GetKind() == l.Kind && (l.Name == "" || o.GetName() == l.Name) &&
		(l.Namespace == "" && (l.Name == "" || o.GetNamespace() == "") || o.GetNamespace() == "" || o.GetNamespace() == l.Namespace)
}

func (l Lookup) compare(o Lookup) int {
	return cmp.Or(cmp.Compare(l.APIVersion, o.APIVersion), cmp.Compare(l.Kind, o.Kind),
		cmp.Compare(l.Namespace, o.Namespace), cmp.Compare(l.Name, o.Name))
}

// lookups collects what was asked for. Safe for concurrent use.
type lookups struct {
	mu    sync.Mutex
	asked map[Lookup]bool
}

func (l *lookups) note(of Lookup) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked == nil {
		l.asked = map[Lookup]bool{}
	}
	l.asked[of] = true
}

func (l *lookups) all() []Lookup {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Lookup
	for of := range l.asked {
		all = append(all, of)
	}
	slices.SortFunc(all, Lookup.compare)
	return all
}

// keptObjects stand in for the cluster that lookup asks.
type keptObjects struct {
	objects []*unstructured.Unstructured
	asked   *lookups
}

// GetClientFor implements engine.ClientProvider.
func (k *keptObjects) GetClientFor(apiVersion, kind string) (dynamic.NamespaceableResourceInterface, bool, error) {
	return keptKind{kept: k, of: Lookup{APIVersion: apiVersion, Kind: kind}}, true, nil
}

// keptKind answers for one kind. The engine calls nothing else of the interface.
type keptKind struct {
	dynamic.NamespaceableResourceInterface
	kept *keptObjects
	of   Lookup
}

func (k keptKind) Namespace(name string) dynamic.ResourceInterface {
	k.of.Namespace = name
	return k
}

func (k keptKind) find(name string) (found []*unstructured.Unstructured, none error) {
	k.of.Name = name
	k.kept.asked.note(k.of)
	for _, o := range k.kept.objects {
		if k.of.Finds(o) {
			found = append(found, o.DeepCopy()) // a template may change what it is given
		}
	}
	if len(found) == 0 {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: k.of.Kind}, name)
	}
	return found, nil
}

func (k keptKind) Get(_ context.Context, name string, _ metav1.GetOptions, _ ...string) (*unstructured.Unstructured, error) {
	found, err := k.find(name)
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

func (k keptKind) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	found, err := k.find("")
	if err != nil {
		return nil, err
	}
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion(k.of.APIVersion)
	list.SetKind(k.of.Kind + "List")
	for _, o := range found {
		list.Items = append(list.Items, *o)
	}
	return list, nil
}

package apply

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ID names an object in a cluster, whatever the version it is spoken of in.
type ID struct {
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// IDOf returns the ID that a manifest states. A manifest of a cluster-wide kind may state a namespace that it does
// not have: see [Cluster.Scoped].
func IDOf(obj *unstructured.Unstructured) ID {
	gk := obj.GroupVersionKind().GroupKind()
	return ID{Group: gk.Group, Kind: gk.Kind, Namespace: obj.GetNamespace(), Name: obj.GetName()}
}

// String returns kind, namespace and name: "Deployment/shop-staging/web", or "Namespace/shop" without a namespace.
func (id ID) String() string {
	if id.Namespace == "" {
		return id.Kind + "/" + id.Name
	}
	return id.Kind + "/" + id.Namespace + "/" + id.Name
}

func (id ID) groupKind() schema.GroupKind { return schema.GroupKind{Group: id.Group, Kind: id.Kind} }

func (id ID) secret() bool { return id.Group == "" && id.Kind == "Secret" }

func (id ID) compare(other ID) int {
	return cmp.Or(cmp.Compare(id.Kind, other.Kind), cmp.Compare(id.Group, other.Group),
		cmp.Compare(id.Namespace, other.Namespace), cmp.Compare(id.Name, other.Name))
}

// Entry is an object that we own, or may own: one whose UID is empty was about to be created.
type Entry struct {
	ID
	Version string `json:"version,omitempty"` // API version that it was applied in, without the group
	UID     string `json:"uid,omitempty"`
	// Hash is the projection of the live object on our fields (see [Hash]) after the last apply. Empty: not known,
	// as when a write is under way.
	Hash string `json:"hash,omitempty"`
	// Manifest is the hash of what was sent last. Empty: not known.
	Manifest string `json:"manifest,omitempty"`
}

// GVK is the kind in the version that the object was applied in.
func (e Entry) GVK() schema.GroupVersionKind { return e.groupKind().WithVersion(e.Version) }

// Inventory is what an application owns in an environment, sorted, each object once.
type Inventory []Entry

// Wanted returns entries of manifests that are not applied yet.
func Wanted(objects []*unstructured.Unstructured) Inventory {
	made := make(Inventory, 0, len(objects))
	for _, obj := range objects {
		made = append(made, Entry{ID: IDOf(obj), Version: obj.GroupVersionKind().Version})
	}
	return Union(made, nil)
}

// Union returns the objects of both. Where both have an object, the entry of newer stands, with the UID of older
// where newer knows none. Neither argument is changed.
func Union(newer, older Inventory) Inventory {
	all := make(map[ID]Entry, len(newer)+len(older))
	for _, e := range older {
		all[e.ID] = e
	}
	for _, e := range newer {
		if before, ok := all[e.ID]; ok && e.UID == "" {
			e.UID = before.UID
		}
		all[e.ID] = e
	}
	made := make(Inventory, 0, len(all))
	for _, e := range all {
		made = append(made, e)
	}
	slices.SortFunc(made, func(a, b Entry) int { return a.compare(b.ID) })
	return made
}

// Stale returns the entries of have that want has not. An object that is in want under another group (Ingress moved
// from extensions to networking.k8s.io) is the same object when the UID is, and is not stale.
func Stale(have, want Inventory) Inventory {
	ids, uids := make(map[ID]bool, len(want)), make(map[string]bool, len(want))
	for _, e := range want {
		ids[e.ID] = true
		if e.UID != "" {
			uids[e.UID] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(have), func(e Entry) bool { return ids[e.ID] || uids[e.UID] })
}

// Without returns the inventory less the objects named.
func (inv Inventory) Without(ids map[ID]bool) Inventory {
	return slices.DeleteFunc(slices.Clone(inv), func(e Entry) bool { return ids[e.ID] })
}

// Find returns the entry of an object.
func (inv Inventory) Find(id ID) (Entry, bool) {
	i := slices.IndexFunc(inv, func(e Entry) bool { return e.ID == id })
	if i < 0 {
		return Entry{}, false
	}
	return inv[i], true
}

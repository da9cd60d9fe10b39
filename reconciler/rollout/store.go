package rollout

import (
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// wake is one call of Config.Wake that is due.
type wake struct {
	key    Key
	reason Reason
}

// store keeps what was seen. Each method that changes it returns whom that concerns, so that nobody is woken
// under the lock.
type store struct {
	mu      sync.RWMutex
	objects map[ID]Object
	byKind  map[schema.GroupKind]map[ID]struct{}
	byKey   map[Key]map[ID]struct{}
}

func newStore() *store {
	return &store{
		objects: map[ID]Object{},
		byKind:  map[schema.GroupKind]map[ID]struct{}{},
		byKey:   map[Key]map[ID]struct{}{},
	}
}

func (s *store) get(id ID) (Object, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.objects[id]
	return o, ok
}

// of returns the objects with these owner labels, sorted.
func (s *store) of(key Key) []Object {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := make([]Object, 0, len(s.byKey[key]))
	for id := range s.byKey[key] {
		found = append(found, s.objects[id])
	}
	slices.SortFunc(found, func(a, b Object) int { return compareIDs(a.ID, b.ID) })
	return found
}

// put keeps o as a watch showed it, unless something newer is known.
func (s *store) put(o Object) []wake {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.objects[o.ID]
	if known && newer(o.ResourceVersion, was.ResourceVersion) <= 0 {
		return nil
	}
	s.keep(o)
	if !known {
		return []wake{{o.Key, DriftCandidate}}
	}
	wakes := moved(was, o)
	if was.Key != o.Key { // relabelled: both owners want to know
		wakes = append(wakes, wake{was.Key, Deleted}, wake{o.Key, DriftCandidate})
	}
	return wakes
}

// note keeps o as its owner's own request returned it. seen is the resource version up to which the watch of
// its kind has shown everything, or empty: an object that it does not know although it should is gone again.
func (s *store) note(o Object, seen string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.objects[o.ID]
	if known && newer(was.ResourceVersion, o.ResourceVersion) > 0 {
		return
	}
	if !known && seen != "" && newer(seen, o.ResourceVersion) >= 0 {
		return
	}
	s.keep(o)
}

// remove forgets o, which a watch showed as deleted, unless something newer is known.
func (s *store) remove(o Object) []wake {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, known := s.objects[o.ID]
	if !known || newer(o.ResourceVersion, was.ResourceVersion) < 0 {
		return nil
	}
	s.drop(was)
	return []wake{{was.Key, Deleted}}
}

// replace makes list, complete at resource version rv, what is known of a kind in a namespace (all if empty).
func (s *store) replace(gvk schema.GroupVersionKind, namespace string, list []Object, rv string) []wake {
	listed := make(map[ID]struct{}, len(list))
	var wakes []wake
	for _, o := range list {
		listed[o.ID] = struct{}{}
		wakes = append(wakes, s.put(o)...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range maps.Clone(s.byKind[gvk.GroupKind()]) {
		o := s.objects[id]
		_, there := listed[id]
		if there || o.Version != gvk.Version || namespace != "" && o.Namespace != namespace {
			continue
		}
		if rv == "" || newer(rv, o.ResourceVersion) >= 0 {
			s.drop(o)
			wakes = append(wakes, wake{o.Key, Deleted})
		}
	}
	return wakes
}

func (s *store) keep(o Object) {
	if was, known := s.objects[o.ID]; known {
		s.drop(was)
	}
	s.objects[o.ID] = o
	index(s.byKind, o.kind(), o.ID)
	index(s.byKey, o.Key, o.ID)
}

func (s *store) drop(o Object) {
	delete(s.objects, o.ID)
	unindex(s.byKind, o.kind(), o.ID)
	unindex(s.byKey, o.Key, o.ID)
}

func (o Object) kind() schema.GroupKind { return schema.GroupKind{Group: o.Group, Kind: o.Kind} }

func index[K comparable](m map[K]map[ID]struct{}, k K, id ID) {
	if m[k] == nil {
		m[k] = map[ID]struct{}{}
	}
	m[k][id] = struct{}{}
}

func unindex[K comparable](m map[K]map[ID]struct{}, k K, id ID) {
	delete(m[k], id)
	if len(m[k]) == 0 {
		delete(m, k)
	}
}

// moved says why the owner of an object should look at it again; empty when nothing that matters moved.
func moved(was, is Object) []wake {
	switch {
	case was.Deleting != is.Deleting:
		return []wake{{is.Key, Deleted}}
	case was.UID != is.UID || was.Hash != is.Hash || is.Hash == "": // without a hash any change may be one
		return []wake{{is.Key, DriftCandidate}}
	case was.Status != is.Status || was.Message != is.Message || was.Replicas != is.Replicas ||
		was.Revision != is.Revision || was.Ordinals != is.Ordinals || was.Stall != is.Stall || was.Refused != is.Refused:
		if is.kind() == definitionKind {
			return []wake{{is.Key, Definitions}}
		}
		return []wake{{is.Key, HealthChanged}}
	}
	return nil
}

// definitionKind is the kind whose objects define kinds.
var definitionKind = schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}

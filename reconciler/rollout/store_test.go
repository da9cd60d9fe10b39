package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	shop = Key{"shop", "production"}
	blog = Key{"blog", "production"}
)

// seenAt is an object that a watch shows at a resource version.
func seenAt(rv string, change ...func(*Object)) Object {
	o := Object{ID: ID{Kind: "ConfigMap", Namespace: "a", Name: "own"}, Key: shop, Version: "v1", UID: "1",
		ResourceVersion: rv, Hash: "h", Status: Current}
	for _, c := range change {
		c(&o)
	}
	return o
}

func TestStore_WhatWakes(t *testing.T) {
	tests := map[string]struct {
		reason string
		change func(*Object)
		want   []wake
	}{
		"Nothing":      {"a new resource version alone is nobody's concern", func(*Object) {}, nil},
		"Hash":         {"our fields differ", func(o *Object) { o.Hash = "x" }, []wake{{shop, DriftCandidate}}},
		"UID":          {"somebody made it anew", func(o *Object) { o.UID = "2" }, []wake{{shop, DriftCandidate}}},
		"NoHash":       {"contents are not seen", func(o *Object) { o.Hash = "" }, []wake{{shop, DriftCandidate}}},
		"Status":       {"", func(o *Object) { o.Status = Failed }, []wake{{shop, HealthChanged}}},
		"Message":      {"progress is shown", func(o *Object) { o.Message = "1/2" }, []wake{{shop, HealthChanged}}},
		"Replicas":     {"stages count pods", func(o *Object) { o.Replicas.Ready = 1 }, []wake{{shop, HealthChanged}}},
		"Generation":   {"health says so where it matters", func(o *Object) { o.Generation = 2 }, nil},
		"BeingDeleted": {"", func(o *Object) { o.Deleting, o.Status = true, Terminating }, []wake{{shop, Deleted}}},
		"Relabelled":   {"both owners look", func(o *Object) { o.Key = blog }, []wake{{shop, Deleted}, {blog, DriftCandidate}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			s.put(seenAt("7"))
			if diff := cmp.Diff(tc.want, s.put(seenAt("8", tc.change)), cmp.AllowUnexported(wake{})); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			if got := s.put(seenAt("8", func(o *Object) { o.Hash = "again" })); got != nil {
				t.Errorf("the same resource version again: woken %v", got)
			}
			if got := s.put(seenAt("6", func(o *Object) { o.Hash = "old" })); got != nil {
				t.Errorf("an older resource version: woken %v", got)
			}
		})
	}
}

func TestStore_RelabelledObjectIsListedOnce(t *testing.T) {
	s := newStore()
	s.put(seenAt("7"))
	s.put(seenAt("8", func(o *Object) { o.Key = blog }))
	if got := len(s.of(shop)) + 10*len(s.of(blog)); got != 10 {
		t.Errorf("listed %d times for the new owner and %d times for the old", got/10, got%10)
	}
}

func TestStore_OwnApplyWakesNobody(t *testing.T) {
	s := newStore()
	s.note(seenAt("7"), "")
	if got := s.put(seenAt("7")); got != nil {
		t.Errorf("event of our own apply: woken %v", got)
	}
	s.note(seenAt("9", func(o *Object) { o.Hash = "new" }), "")
	if got := s.put(seenAt("8", func(o *Object) { o.Hash = "between" })); got != nil {
		t.Errorf("event of before our own apply: woken %v", got)
	}
	s.note(seenAt("8"), "")
	if o, _ := s.get(seenAt("9").ID); o.ResourceVersion != "9" {
		t.Errorf("an older answer replaced the newer one: %s", o.ResourceVersion)
	}
	if got := s.put(seenAt("10", func(o *Object) { o.Hash = "drifted" })); len(got) != 1 {
		t.Errorf("drift after our own apply: woken %v", got)
	}
}

func TestStore_Deletion(t *testing.T) {
	tests := map[string]struct {
		reason string
		do     func(*store) []wake
		want   []wake
		known  bool
	}{
		"Event": {"", func(s *store) []wake { return s.remove(seenAt("8")) }, []wake{{shop, Deleted}}, false},
		"EventOfAFormerOne": {"it was made anew, and our own apply told us first",
			func(s *store) []wake { return s.remove(seenAt("6")) }, nil, true},
		"MissingInAList": {"a watch that was away too long lists anew",
			func(s *store) []wake { return s.replace(configMaps, "", nil, "9") }, []wake{{shop, Deleted}}, false},
		"MissingInAnOlderList": {"the list is of before our own apply",
			func(s *store) []wake { return s.replace(configMaps, "", nil, "6") }, nil, true},
		"MissingInAnotherNamespace": {"",
			func(s *store) []wake { return s.replace(configMaps, "b", nil, "9") }, nil, true},
		"MissingInAnotherKind": {"",
			func(s *store) []wake { return s.replace(secrets, "", nil, "9") }, nil, true},
		"KindIsGone": {"no version to compare with",
			func(s *store) []wake { return s.replace(configMaps, "", nil, "") }, []wake{{shop, Deleted}}, false},
		"Listed": {"", func(s *store) []wake { return s.replace(configMaps, "a", []Object{seenAt("7")}, "9") }, nil, true},
		"AnswerOfBeforeTheDeletion": {"the watch has seen more than the answer knew", func(s *store) []wake {
			wakes := s.remove(seenAt("8"))
			s.note(seenAt("7"), "8")
			return wakes
		}, []wake{{shop, Deleted}}, false},
		"AnswerOfAfterTheDeletion": {"", func(s *store) []wake {
			wakes := s.remove(seenAt("8"))
			s.note(seenAt("9"), "8")
			return wakes
		}, []wake{{shop, Deleted}}, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			s.put(seenAt("7"))
			if diff := cmp.Diff(tc.want, tc.do(s), cmp.AllowUnexported(wake{})); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
			if _, known := s.get(seenAt("7").ID); known != tc.known {
				t.Errorf("%s: known is %v", tc.reason, known)
			}
			if listed := len(s.of(shop)) == 1; listed != tc.known {
				t.Errorf("%s: listed is %v", tc.reason, listed)
			}
		})
	}
}

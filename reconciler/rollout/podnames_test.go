package rollout

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPodNames: of one workload alone, by template, without those that are being deleted.
func TestPodNames(t *testing.T) {
	o := New(Config{})
	web := ID{Group: "apps", Kind: "Deployment", Namespace: "shop", Name: "web"}
	if names, known := o.PodNames(web); known {
		t.Errorf("before anything is seen there are %v", names)
	}
	db := ID{Group: "apps", Kind: "StatefulSet", Namespace: "shop", Name: "db"}
	o.store.put(Object{ID: web, UID: "d1", ResourceVersion: "1"})
	o.store.put(Object{ID: db, UID: "s1", ResourceVersion: "1"})
	f := newFollower(o, "shop")
	o.followers["shop"] = f
	for name, of := range map[string]string{"web-old": "d1", "web-new": "d1", "other": "d2"} {
		f.keepSet(replicaSet{ID: ID{Group: "apps", Kind: "ReplicaSet", Namespace: "shop", Name: name}, uid: name, hash: name, owner: owner{uid: of}})
	}
	for name, p := range map[string]pod{
		"b": {owner: owner{ID: ID{Name: "web-new"}, uid: "web-new"}}, "a": {owner: owner{ID: ID{Name: "web-new"}, uid: "web-new"}},
		"c": {owner: owner{ID: ID{Name: "web-old"}, uid: "web-old"}}, "going": {owner: owner{ID: ID{Name: "web-old"}, uid: "web-old"}, deleting: true},
		"db-0": {owner: owner{ID: db, uid: "s1"}, revision: "db-old"}, "db-1": {owner: owner{ID: db, uid: "s1"}, revision: "db-new"},
		"d": {owner: owner{ID: ID{Name: "other"}, uid: "other"}}, "e": {owner: owner{ID: ID{Name: "web-old"}, uid: "an earlier one"}}, "f": {},
	} {
		p.ID = ID{Kind: "Pod", Namespace: "shop", Name: name}
		f.keepPod(p)
	}
	want := map[string][]string{"web-new": {"a", "b"}, "web-old": {"c"}}
	names, known := o.PodNames(web)
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if got, _ := o.PodNames(db); !cmp.Equal(got, map[string][]string{"db-old": {"db-0"}, "db-new": {"db-1"}}) {
		t.Errorf("those of the StatefulSet are %v", got)
	}
	f.replaceSets(slices.Collect(maps.Values(f.sets)), "")
	if known {
		t.Error("they are known before the pods were listed")
	}
	f.replacePods(slices.Collect(maps.Values(f.pods)), "")
	if _, known := o.PodNames(web); !known {
		t.Error("they are not known when all is listed")
	}
}

package apply

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const aPod = `
apiVersion: v1
kind: Pod
metadata:
  name: db-0
  namespace: NS
  ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: db, uid: the-set, controller: true}]
spec: {containers: [{name: db, image: registry.example/db}]}`

// TestLesson07_APodIsDeletedOnlyWhileItIsTheOneThatWasSeen: whatever became of it meanwhile is nothing to do.
func TestLesson07_APodIsDeletedOnlyWhileItIsTheOneThatWasSeen(t *testing.T) {
	for name, tc := range map[string]struct {
		reason, workload string
		dry              bool
		change           func(*fixture, ID)
		deleted, there   bool
	}{
		"TheOne":    {"", "the-set", false, nil, true, false},
		"Dry":       {"it was only asked", "the-set", true, nil, false, true},
		"Gone":      {"somebody was faster", "the-set", false, func(f *fixture, id ID) { f.delete(id) }, false, false},
		"MadeAnew":  {"of the same name", "the-set", false, func(f *fixture, id ID) { f.delete(id); f.put(aPod) }, false, true},
		"OfAnother": {"another workload controls it", "another-set", false, nil, false, true},
		"Adopted":   {"it was let go", "the-set", false, func(f *fixture, id ID) { f.edit(id, "test", `{metadata: {ownerReferences: null}}`) }, false, true},
		"IsBeingDone": {"it waits for a finalizer", "the-set", false, func(f *fixture, id ID) {
			f.edit(id, "test", `{metadata: {finalizers: [shop.example/wait]}}`)
			f.delete(id)
		}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			f.put(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: NS}}`, aPod)
			id := f.id("Pod", "db-0")
			uid := string(f.live(id).GetUID())
			if tc.change != nil {
				tc.change(f, id)
			}
			deleted := must(f.client.Evict(f.Context(), id, uid, tc.workload, tc.dry))(t)
			_, err := f.resource(id, "v1").Get(f.Context(), id.Name, metav1.GetOptions{})
			if there := err == nil; deleted != tc.deleted || there != tc.there {
				t.Errorf("%s: deleted %v, there %v; want %v, %v", tc.reason, deleted, there, tc.deleted, tc.there)
			}
		})
	}
}

// TestEvictSaysThatItMayNot: as the application's account, before anything depends on it.
func TestEvictSaysThatItMayNot(t *testing.T) {
	f := setUp(t)
	f.put(`{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: NS}}`, aPod,
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: reader, namespace: NS}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}`,
		`{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: reader, namespace: NS},
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}, subjects: [{kind: ServiceAccount, name: reader, namespace: NS}]}`)
	id := f.id("Pod", "db-0")
	uid := string(f.live(id).GetUID())
	_, err := f.cluster.As(f.ns+"/reader").Evict(f.Context(), id, uid, "the-set", true)
	if !Final(err) || !strings.Contains(err.Error(), "delete") || !strings.Contains(err.Error(), f.ns+"/reader") && !strings.Contains(err.Error(), f.ns+":reader") {
		t.Errorf("got %v, which has to name verb and account, and waits for something new", err)
	}
	if f.live(id).GetUID() != types.UID(uid) {
		t.Error("the pod is another")
	}
}

package rollout

import (
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// of is a manifest of a workload whose pods are of an image.
func of(kind schema.GroupVersionKind, spec, image string) string {
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: %s
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db}}
  %s
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "registry.example/db:%s"}]}
`, kind.Kind, spec, image)
}

// untilSets waits until the pods of a workload are known to be so, by template; hashes are left out.
func (w *world) untilSets(id ID, want ...Set) []Set {
	w.t.Helper()
	var sets []Set
	w.until(fmt.Sprintf("%+v", want), func() bool {
		var known bool
		if sets, known = w.observer.Sets(id); !known || len(sets) != len(want) {
			return false
		}
		for _, s := range sets {
			s.Hash = ""
			if !slices.Contains(want, s) {
				return false
			}
		}
		return true
	})
	return sets
}

func (w *world) follow(t *testing.T) {
	t.Helper()
	w.observer.Follow(w.namespace, true)
	t.Cleanup(func() { w.observer.Follow(w.namespace, false) })
}

func TestSetsOfAStatefulSet(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(statefulSets, nil)
	w.follow(t)
	id := w.id(statefulSets, "db")
	w.apply(of(statefulSets, "replicas: 3", "a"))
	first := w.untilSets(id, Set{Newest: true, Want: 3, There: 3, Ready: 3})[0].Hash
	w.apply(of(statefulSets, "replicas: 3\n  updateStrategy: {rollingUpdate: {partition: 2}}", "b"))
	w.untilSets(id, Set{Want: 2, There: 2, Ready: 2}, Set{Newest: true, Want: 1, There: 1, Ready: 1})
	members, known := w.observer.Members(id)
	if !known || len(members) != 3 {
		t.Fatalf("members are %+v, known %v", members, known)
	}
	for i, m := range members {
		if m.Ordinal != i || m.Newest != (i == 2) || (m.Hash == first) != (i < 2) || !m.Ready || m.UID == "" || m.Born.IsZero() {
			t.Errorf("member %d is %+v", i, m)
		}
	}
	if o, _ := w.observer.Get(id); o.Ordinals != (Ordinals{Partition: 2, Base: first}) {
		t.Errorf("ordinals are %+v", o.Ordinals)
	}
	w.apply(of(statefulSets, "replicas: 3", "a"))
	if again := w.untilSets(id, Set{Newest: true, Want: 3, There: 3, Ready: 3})[0].Hash; again != first {
		t.Errorf("the same template is %s and was %s", again, first)
	}
}

func TestSetsOfADaemonSet(t *testing.T) {
	const held = "updateStrategy: {type: OnDelete}"
	w := newWorld(t, nil)
	w.watch(daemonSets, nil)
	w.follow(t)
	id := w.id(daemonSets, "db")
	w.apply(of(daemonSets, held, "a"))
	first := w.untilSets(id, Set{Newest: true, Want: 4, There: 4, Ready: 4})[0].Hash
	w.apply(of(daemonSets, held, "b"))
	w.untilSets(id, Set{Want: 4, There: 4, Ready: 4})
	w.apply(of(daemonSets, held, "a"))
	w.untilSets(id, Set{Newest: true, Want: 4, There: 4, Ready: 4}) // though their number is the first one's
	w.apply(of(daemonSets, held, "b"))
	w.untilSets(id, Set{Want: 4, There: 4, Ready: 4})
	members, _ := w.observer.Members(id)
	if err := w.kube.core.Pods(w.namespace).Delete(t.Context(), members[0].Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.untilSets(id, Set{Want: 3, There: 3, Ready: 3}, Set{Newest: true, Want: 1, There: 1, Ready: 1}) {
		if (s.Hash == first) == s.Newest {
			t.Errorf("the first template's hash is %s, and there is %+v", first, s)
		}
	}
}

// TestSilentPods: what the node controller writes of a pod whose kubelet does not answer tells it from all others.
func TestSilentPods(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(daemonSets, nil)
	w.follow(t)
	id := w.id(daemonSets, "db")
	w.apply(of(daemonSets, "updateStrategy: {type: RollingUpdate}", "a"))
	w.untilSets(id, Set{Newest: true, Want: 4, There: 4, Ready: 4})
	members, _ := w.observer.Members(id)
	write := func(name, conditions string) {
		t.Helper()
		body := []byte(`{"status":{"conditions":[` + conditions + `]}}`)
		_, err := w.kube.core.Pods(w.namespace).Patch(t.Context(), name, types.StrategicMergePatchType, body, metav1.PatchOptions{}, "status")
		if err != nil {
			t.Fatal(err)
		}
	}
	write(members[0].Name, `{"type":"Ready","status":"False"}`)
	w.untilSets(id, Set{Newest: true, Want: 3, There: 3, Ready: 3})
	if n := w.observer.Silent(id); n != 1 {
		t.Errorf("%d pods are silent, want 1", n)
	}
	w.until("only the silent one to be missing", func() bool { return w.observer.SilentAlone(id) })
	write(members[1].Name, `{"type":"Ready","status":"False"},{"type":"ContainersReady","status":"False"}`)
	w.untilSets(id, Set{Newest: true, Want: 3, There: 3, Ready: 2})
	w.until("another one to be missing", func() bool { return !w.observer.SilentAlone(id) })
	if n := w.observer.Silent(id); n != 1 {
		t.Errorf("%d pods are silent, want 1", n)
	}
	write(members[0].Name, `{"type":"Ready","status":"True"}`)
	w.untilSets(id, Set{Newest: true, Want: 4, There: 4, Ready: 3})
	if n := w.observer.Silent(id); n != 0 {
		t.Errorf("%d pods are silent, want none", n)
	}
}

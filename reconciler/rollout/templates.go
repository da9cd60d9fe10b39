package rollout

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Ordinals is how a StatefulSet numbers and replaces its pods; the zero value for what is none.
type Ordinals struct {
	// First is the ordinal of its first pod, and Partition how many from there on are not of the newest template.
	First, Partition int32
	// Base is the hash of the template that pods below Partition are made of.
	Base string
	// Parallel: it does not wait for one pod to be Ready before it goes on to the next.
	Parallel bool
}

func ordinals(live *unstructured.Unstructured) Ordinals {
	if gk := live.GroupVersionKind().GroupKind(); gk.Group != "apps" || gk.Kind != "StatefulSet" {
		return Ordinals{}
	}
	number := func(fields ...string) int32 {
		n, _, _ := unstructured.NestedInt64(live.Object, fields...)
		return int32(n)
	}
	base, _, _ := unstructured.NestedString(live.Object, "status", "currentRevision")
	policy, _, _ := unstructured.NestedString(live.Object, "spec", "podManagementPolicy")
	return Ordinals{
		First: number("spec", "ordinals", "start"), Partition: number("spec", "updateStrategy", "rollingUpdate", "partition"),
		Base: shared(base), Parallel: policy == "Parallel",
	}
}

// Member is a pod of a StatefulSet or DaemonSet that is not being deleted. A DaemonSet's is on a node that answers, see
// [Observer.Silent].
type Member struct {
	Name, UID string
	Hash      string // of its template, as its label controller-revision-hash
	Newest    bool   // it is of the template that the workload has now
	Ready     bool
	Ordinal   int // of a StatefulSet's pod, counted from its first
	Born      time.Time
}

// Members returns the pods of a StatefulSet or DaemonSet, by name. They are known only while Follow is on and has listed
// them, and only when the controller has seen the last change of the workload, and we as many of its newest pods as it.
func (o *Observer) Members(id ID) (members []Member, known bool) {
	workload, there := o.store.get(id)
	f := o.follower(id.Namespace)
	if !there || f == nil || workload.Revision == "" {
		return nil, false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	newest := int32(0)
	for _, p := range f.pods {
		if p.owner.uid != workload.UID || p.deleting || p.silent && id.Kind == "DaemonSet" {
			continue
		}
		m := Member{Name: p.Name, UID: p.uid, Hash: p.revision, Ready: p.ready, Born: p.created}
		if id.Kind == "StatefulSet" {
			m.Newest, m.Ordinal = p.revision == workload.Revision, ordinalOf(p.Name)-int(workload.Ordinals.First)
		} else {
			m.Newest = p.generation == workload.Revision
		}
		if m.Newest {
			newest++
		}
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return members, f.podsListed && (id.Kind != "StatefulSet" || newest == workload.Replicas.Updated)
}

// Silent counts the pods of a DaemonSet on nodes that do not answer, those that are being deleted too: they stay until the node
// answers or is gone. Of other kinds there are none: their pods are made on other nodes.
func (o *Observer) Silent(id ID) int {
	workload, there := o.store.get(id)
	f := o.follower(id.Namespace)
	if !there || f == nil || id.Kind != "DaemonSet" {
		return 0
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	silent, others := 0, 0
	for _, p := range f.pods {
		switch {
		case p.owner.uid != workload.UID:
		case p.silent:
			silent++
		case !p.deleting:
			others++
		}
	}
	return max(0, min(silent, int(workload.Replicas.Want)-others)) // of a node that is gone nothing is wanted
}

// SilentAlone reports whether nothing keeps a DaemonSet from being Current but nodes that do not answer, which are not all.
func (o *Observer) SilentAlone(id ID) bool {
	workload, there := o.store.get(id)
	n := o.Silent(id)
	rest := workload.Replicas.Want - int32(n)
	return there && n > 0 && rest > 0 && workload.Revision != "" && workload.Status == InProgress &&
		workload.Replicas.Ready >= rest && workload.Replicas.Available >= rest && workload.Replicas.Updated >= rest
}

// ordinalOf is the number at the end of a pod's name.
func ordinalOf(name string) int {
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
	if err != nil {
		return 0
	}
	return n
}

// templates is Sets for a StatefulSet or DaemonSet, from its pods.
func (o *Observer) templates(id ID) (sets []Set, known bool) {
	members, known := o.Members(id)
	workload, there := o.store.get(id)
	if !known || !there {
		return nil, false
	}
	of := func(hash string) *Set {
		i := slices.IndexFunc(sets, func(s Set) bool { return s.Hash == hash })
		if i < 0 {
			i, sets = len(sets), append(sets, Set{Hash: hash})
		}
		return &sets[i]
	}
	for _, m := range members {
		set := of(m.Hash)
		set.Newest = set.Newest || m.Newest
		set.Want, set.There = set.Want+1, set.There+1
		if m.Ready {
			set.Ready++
		}
	}
	if id.Kind == "StatefulSet" {
		newest := of(workload.Revision)
		newest.Newest, newest.Want = true, int(workload.Replicas.Want)
		if base := workload.Ordinals.Base; base != "" && base != workload.Revision {
			kept := min(workload.Ordinals.Partition, workload.Replicas.Want)
			newest.Want -= int(kept)
			of(base).Want = int(kept)
		}
		return sets, true
	}
	// A DaemonSet that went back to a template keeps its old pods, whose number is that of the first time.
	if updated := int(workload.Replicas.Updated); len(sets) == 1 && updated >= sets[0].There && updated <= sets[0].There+o.Silent(id) {
		sets[0].Newest = true
	}
	return sets, true
}

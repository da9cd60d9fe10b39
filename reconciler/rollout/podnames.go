package rollout

import "slices"

// PodNames are the names of a workload's pods that are not being deleted, by the hash of their template, as in [Set], sorted.
// They are not known while Follow is off, or has not listed them.
func (o *Observer) PodNames(id ID) (names map[string][]string, known bool) {
	workload, there := o.store.get(id)
	f := o.follower(id.Namespace)
	if !there || f == nil {
		return nil, false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	names = map[string][]string{}
	for _, p := range f.pods {
		hash, ours := p.revision, p.owner.uid == workload.UID
		if s, ok := f.sets[p.owner.Name]; ok && s.uid == p.owner.uid {
			hash, ours = s.hash, s.owner.uid == workload.UID
		}
		if ours && !p.deleting {
			names[hash] = append(names[hash], p.Name)
		}
	}
	for _, of := range names {
		slices.Sort(of)
	}
	return names, f.listed && f.podsListed
}

package rollout

import "slices"

// Set counts the pods of one template of a workload.
type Set struct {
	// Hash names the template, as the label pod-template-hash of a Deployment's pods does, controller-revision-hash of others'.
	Hash string
	// Newest: it is the template that the workload has now.
	Newest bool
	// Want is how many pods there are to be, There how many there are that are not being deleted, Ready how many of those
	// are Ready.
	Want, There, Ready int
}

// Sets returns what is known of a workload's pods by template. It is known only while Follow is on and has listed them,
// and only when the controllers have seen the last change of the workload and of its ReplicaSets. A DaemonSet's newest
// template is not told while it has no pods.
func (o *Observer) Sets(id ID) (sets []Set, known bool) {
	if id.Kind == "StatefulSet" || id.Kind == "DaemonSet" {
		return o.templates(id)
	}
	deployment, there := o.store.get(id)
	f := o.follower(id.Namespace)
	if !there || f == nil || deployment.Revision == "" {
		return nil, false
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	newest := false
	for _, s := range f.sets {
		if s.owner.uid != deployment.UID {
			continue
		}
		if !s.seen {
			return nil, false
		}
		set := Set{
			Hash: s.hash, Newest: s.revision == deployment.Revision, Want: int(s.want), There: int(s.made), Ready: int(s.ready),
		}
		newest = newest || set.Newest
		sets = append(sets, set)
	}
	return sets, newest && f.listed
}

// Unproven returns the pods of a Deployment that are not being deleted, of all templates but the one of this hash: those that
// are not Ready, and those that are, each sorted by name. It knows only those that Follow watches.
func (o *Observer) Unproven(id ID, proven string) (unwell, ready []ID) {
	deployment, there := o.store.get(id)
	f := o.follower(id.Namespace)
	if !there || f == nil {
		return nil, nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, p := range f.pods {
		s, ok := f.sets[p.owner.Name]
		switch {
		case !ok || s.uid != p.owner.uid || s.owner.uid != deployment.UID || s.hash == proven || p.deleting:
		case p.ready:
			ready = append(ready, p.ID)
		default:
			unwell = append(unwell, p.ID)
		}
	}
	slices.SortFunc(unwell, compareIDs)
	slices.SortFunc(ready, compareIDs)
	return unwell, ready
}

// Hurry ends the grace that Follow gives a namespace: its pods are wanted now.
func (o *Observer) Hurry(namespace string) {
	if f := o.follower(namespace); f != nil {
		f.hurried.Do(func() { close(f.hurry) })
	}
}

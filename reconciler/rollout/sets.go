package rollout

// Set counts the pods of one template of a Deployment.
type Set struct {
	// Hash names the template, as the label pod-template-hash does.
	Hash string
	// Newest: it is the template that the Deployment has now.
	Newest bool
	// Want is how many pods there are to be, There how many there are that are not being deleted, Ready how many of those
	// are Ready.
	Want, There, Ready int
}

// Sets returns what is known of a Deployment's pods by template. It is known only while Follow is on and has listed them,
// and only when the controllers have seen the last change of the Deployment and of its ReplicaSets.
func (o *Observer) Sets(id ID) (sets []Set, known bool) {
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

// Hurry ends the grace that Follow gives a namespace: its pods are wanted now.
func (o *Observer) Hurry(namespace string) {
	if f := o.follower(namespace); f != nil {
		f.hurried.Do(func() { close(f.hurry) })
	}
}

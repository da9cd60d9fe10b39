package rollout

import "time"

// Warning is what the cluster told of a workload, of a ReplicaSet of it, or of a pod. Its message may hold what a probe's answer
// said: mask it like a log line.
type Warning struct {
	About           ID
	Reason, Message string
	At              time.Time // the last time
}

// Warnings are those about a workload and what belongs to it, in no order. They are not known while Follow is off.
func (o *Observer) Warnings(id ID) (all []Warning) {
	workload, there := o.store.get(id)
	f := o.follower(id.Namespace)
	if !there || f == nil {
		return nil
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, w := range f.warnings {
		uid := w.uid
		if p, ok := f.pods[w.about.Name]; ok && p.uid == uid {
			uid = p.owner.uid
			if s, ok := f.sets[p.owner.Name]; ok && s.uid == uid {
				uid = s.owner.uid
			}
		} else if s, ok := f.sets[w.about.Name]; ok && s.uid == uid {
			uid = s.owner.uid
		}
		if uid != "" && uid == workload.UID {
			all = append(all, Warning{w.about, w.reason, w.message, w.at})
		}
	}
	return all
}

package reconciler

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// evict deletes the pods of StatefulSets and DaemonSets that are to go and that their controllers leave, as the
// application's account. Their controllers make others, and a watch shows both.
func (p *Pass) evict(ctx context.Context) Outcome {
	state := p.target.held.saved.State
	for _, staged := range state.Staged {
		id, found := p.idOf(staged.Name)
		workload, there := p.site.observer.Get(rollout.ID(id))
		if !found || !there {
			continue
		}
		for _, pod := range state.Leaving(p.Seen, staged.Name) {
			deleted, err := p.client().Evict(ctx, podOf(id, pod.Name), pod.UID, workload.UID, false)
			if err != nil {
				return retry(fmt.Errorf("replace a pod of %s: %w", id, err))
			}
			if deleted {
				p.log.Info("Deleted a pod", "object", podOf(id, pod.Name).String(), "stage", state.Stage, "back", state.Back)
			}
		}
	}
	return next
}

// mayEvict says why the pods of a workload could not be deleted one by one, before any of its stages needs it.
func (p *Pass) mayEvict(ctx context.Context, id apply.ID) error {
	workload, there := p.site.observer.Get(rollout.ID(id))
	members, known := p.site.observer.Members(rollout.ID(id))
	if isDeployment(id) || !there || !known || len(members) == 0 {
		return nil
	}
	_, err := p.client().Evict(ctx, podOf(id, members[0].Name), members[0].UID, workload.UID, true)
	if err != nil && apply.Final(err) {
		return &apply.ObjectError{ID: id, Reason: fmt.Sprintf("its stages need the right to delete its pods: %v", err)}
	}
	return err
}

func podOf(workload apply.ID, name string) apply.ID {
	return apply.ID{Kind: "Pod", Namespace: workload.Namespace, Name: name}
}

// idOf finds an owned object by the name that people see.
func (p *Pass) idOf(name string) (apply.ID, bool) {
	i := slices.IndexFunc(p.target.held.saved.Inventory, func(e apply.Entry) bool { return e.ID.String() == name })
	if i < 0 {
		return apply.ID{}, false
	}
	return p.target.held.saved.Inventory[i].ID, true
}

// each are the pods of a StatefulSet or DaemonSet one by one; those of these templates are proven.
func (p *Pass) each(id rollout.ID, proven map[string]bool) []policies.Pod {
	members, _ := p.site.observer.Members(id)
	var pods []policies.Pod
	for _, m := range members {
		pods = append(pods, policies.Pod{
			Name: m.Name, UID: m.UID, New: !proven[m.Hash], Ready: m.Ready, Ordinal: m.Ordinal, Born: m.Born,
		})
	}
	return pods
}

package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// trafficOf is how the environment's rules share traffic out; zero: by the number of pods.
func trafficOf(e config.Environment) policies.Traffic {
	if b := e.Rollout.BlueGreen; b != nil {
		return policies.Traffic{
			Route: policies.ServiceSwitch, Name: b.Service, Service: b.Service, Namespace: e.Namespace, Preview: b.PreviewService,
			Drain: b.Drain.Std(),
		}
	}
	t := e.Rollout.Traffic
	if t == nil {
		return policies.Traffic{}
	}
	made := policies.Traffic{
		Route: policies.HTTPRoute, Name: t.HTTPRoute, Service: t.Service, Namespace: e.Namespace,
		Drain: t.Drain.Std(), WarmUp: t.WarmUp.Std(),
	}
	if t.VirtualService != "" {
		made.Route, made.Name = policies.VirtualService, t.VirtualService
	}
	if t.Testers != nil {
		made.Header, made.Value = t.Testers.Header, t.Testers.Value
	}
	return made
}

// routed notes which of the workloads the route sends to, or says why it cannot be split. Where the proven release had no
// such route yet, there is nothing to split, and this release is staged by the number of its pods.
func (p *Pass) routed(ctx context.Context, found []policies.Staged, objects []*unstructured.Unstructured) (why string, err error) {
	t := p.Wanted.Canary.Traffic
	if t == (policies.Traffic{}) || len(found) == 0 {
		return "", nil
	}
	name, why := routedBy(t, objects)
	if why != "" {
		return why, nil
	}
	proven, err := p.proven(ctx)
	if err != nil || t.Splittable(proven) != "" {
		return "", err
	}
	for i := range found {
		found[i].Routed = found[i].Name == name
	}
	return "", nil
}

// routedBy is the Deployment whose pods a route sends to, or why it cannot be split.
func routedBy(t policies.Traffic, objects []*unstructured.Unstructured) (name, why string) {
	if why := t.Splittable(objects); why != "" {
		return "", why
	}
	_, service := t.Find(objects)
	var names []string
	for _, o := range objects {
		if id := apply.IDOf(o); isDeployment(id) && policies.Selects(service, o) {
			names = append(names, id.String())
		}
	}
	if len(names) != 1 {
		return "", fmt.Sprintf("rollout: Service %s selects the pods of %d Deployments, must be of one: %v", t.Service, len(names), names)
	}
	return names[0], ""
}

// splits reports whether an object is one of the Services that the traffic is split with.
func (t *target) splits(id apply.ID) bool {
	return t.held.saved.State.Split.By.IsOwn(id.Group, id.Kind, id.Namespace, id.Name)
}

// traffic sees how the route and its Services are, from the watches alone.
func (p *Pass) traffic() {
	t, split := p.target, p.target.held.saved.State.Split
	by := split.By
	if by == (policies.Traffic{}) {
		return
	}
	seen := &p.Seen.Traffic
	seen.Why = fmt.Sprintf("%s %s is not there", by.Route, by.Name)
	for _, entry := range t.held.saved.Inventory {
		switch id := entry.ID; {
		case t.splits(id):
			seen.Services++
		case by.IsRoute(id.Group, id.Kind, id.Namespace, id.Name):
			seen.Why = p.routeRefused(entry)
			seen.Accepted = seen.Why == ""
		}
	}
	service := func(name string) rollout.ID {
		return rollout.ID{Kind: "Service", Namespace: by.Namespace, Name: name}
	}
	seen.Stable = p.site.observer.Endpoints(service(by.Stable()), split.Stable)
	if split.Canary != "" {
		seen.Canary = p.site.observer.Endpoints(service(by.Canary()), split.Canary)
	}
}

// routeRefused says why the live route is not what was sent last, accepted by all its parents.
func (p *Pass) routeRefused(entry apply.Entry) string {
	seen, there := p.site.observer.Get(rollout.ID(entry.ID))
	switch {
	case !there:
		return entry.ID.String() + ": " + p.whyUnseen(entry)
	case seen.Hash != entry.Hash || seen.UID != entry.UID:
		return entry.ID.String() + " is not what was applied"
	}
	return seen.Refused
}

// shared are the objects of a form whose traffic is split: those that are due anyway, and the route and Services instead of
// Git's.
func (p *Pass) shared(due, proven, objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	state := p.target.held.saved.State
	if state.Back {
		objects = nil // what is left of the new release keeps its Service
	}
	made, err := state.Split.Objects(state.Form, proven, objects)
	if err != nil {
		return nil, err
	}
	by := state.Split.By
	due = slices.DeleteFunc(due, func(o *unstructured.Unstructured) bool {
		id := apply.IDOf(o)
		return len(made) > 0 && by.IsRoute(id.Group, id.Kind, id.Namespace, id.Name)
	})
	return append(due, made...), nil
}

// unsplit deletes the Services that the traffic was split with.
func (p *Pass) unsplit(ctx context.Context) Outcome {
	saved := &p.target.held.saved
	var gone apply.Inventory
	for _, entry := range saved.Inventory {
		if p.target.splits(entry.ID) {
			gone = append(gone, entry)
		}
	}
	changes, err := p.client().Prune(ctx, p.owner(), gone, apply.PruneOptions{})
	dropped := map[apply.ID]bool{}
	for _, c := range changes {
		dropped[c.ID] = true
	}
	saved.Inventory = saved.Inventory.Without(dropped)
	p.changed(changes)
	if err != nil && !errors.Is(err, context.Canceled) {
		return retry(err)
	}
	return again
}

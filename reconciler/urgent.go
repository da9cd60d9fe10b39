package reconciler

import (
	"context"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// ways are what was found out of the ways back of staged Deployments while their stages stand, so that nothing has to be
// asked when one fails.
type ways struct {
	templates map[apply.ID]map[string]any  // of proven ReplicaSets; a template of these never changes
	ready     map[apply.ID]*apply.Prepared // applies of proven manifests that bring the proven pods back
	tried     map[apply.ID]int64           // at which generation of each Deployment it was looked for last
}

func newWays() ways {
	return ways{map[apply.ID]map[string]any{}, map[apply.ID]*apply.Prepared{}, map[apply.ID]int64{}}
}

// wayBack is the prepared apply of a Deployment's proven manifest; nil where there is none, or somebody changed the
// Deployment since.
func (p *Pass) wayBack(id apply.ID) *apply.Prepared {
	prepared := p.target.ways.ready[id]
	if prepared == nil || prepared.Generation != p.generation(id) {
		return nil
	}
	return prepared
}

func (p *Pass) generation(id apply.ID) int64 {
	seen, _ := p.site.observer.Get(rollout.ID(id))
	return seen.Generation
}

// lookBack prepares the ways back of a stage that stands. What fails is looked for again when it is needed.
func (p *Pass) lookBack(ctx context.Context) {
	state := p.target.held.saved.State
	if !state.Applied || !state.Form.Held() || p.Allowed == nil {
		return
	}
	p.listenAhead(ctx)
	proven, err := p.proven(ctx)
	if err != nil {
		return
	}
	for _, o := range proven {
		id := apply.IDOf(o)
		if !isDeployment(id) || !isIn(state.Staged, id) || p.target.ways.tried[id] == p.generation(id) {
			continue
		}
		p.target.ways.tried[id] = p.generation(id)
		p.comesBack(ctx, policies.Shape{Form: policies.Aborting}.Of(o), state)
	}
}

// urgent are the applies that bring all traffic back to the proven pods, where nothing has to be asked before: of the proven
// manifests, or where a route shares the traffic out, of the route. Everything else that is due follows as ever.
func (p *Pass) urgent(ctx context.Context, before policies.State) (due []*apply.Prepared) {
	state := p.target.held.saved.State
	if p.Allowed == nil || !before.Form.Held() || slices.Contains(p.Effects, policies.Keep) || !slices.Contains(p.Effects, policies.Apply) {
		return nil
	}
	switch state.Form {
	case policies.Aborting:
		for id, prepared := range p.target.ways.ready {
			if isIn(state.Staged, id) && prepared.Direct() && p.wayBack(id) != nil {
				due = append(due, prepared)
			}
		}
	case policies.Draining:
		objects, err := p.sent(ctx)
		if err != nil {
			return nil
		}
		due = p.routes(ctx, objects)
	default:
	}
	return due
}

// routes are the applies of the routes among some objects.
func (p *Pass) routes(ctx context.Context, objects []*unstructured.Unstructured) (due []*apply.Prepared) {
	saved := p.target.held.saved
	for _, o := range objects {
		id := apply.IDOf(o)
		i := slices.IndexFunc(saved.Inventory, func(e apply.Entry) bool { return e.ID == id && e.UID != "" })
		if i < 0 || !saved.State.Split.By.IsRoute(id.Group, id.Kind, id.Namespace, id.Name) {
			continue
		}
		if prepared, err := p.client().Straight(ctx, p.owner(), o, saved.Inventory[i]); err == nil {
			due = append(due, prepared)
		}
	}
	return due
}

// hasten sends what is urgent while the state is saved and the last words of the failing pods are read: side by side, since
// each takes a round trip, and the state is as safe. Where the process dies before it is saved, the next one finds a stage
// without its pods, holds it again, and finds the fault or measures it again. What Git is to be told is saved with the state, and
// told afterwards. Pods that were not heard before are heard first, since they go.
func (p *Pass) hasten(ctx context.Context) error {
	t, saved := p.target, &p.target.held.saved
	var waits sync.WaitGroup
	if slices.ContainsFunc(t.untold, func(r policies.Record) bool { return r.Phase == policies.Failed }) {
		p.Failing = p.failing()
		listen := func() { p.Failing = p.listen(ctx, p.Failing) }
		if slices.ContainsFunc(p.Failing, func(f rollout.Finding) bool { return !p.heard(f) }) {
			listen()
		} else {
			waits.Go(listen)
		}
	}
	answers := make([]*unstructured.Unstructured, len(p.Urgent))
	for i, prepared := range p.Urgent {
		waits.Go(func() {
			answer, err := p.client().Send(ctx, prepared)
			if err != nil {
				p.log.Info("Urgent apply was not made", "object", prepared.ID.String(), "err", err)
			}
			answers[i] = answer
		})
	}
	saved.Untold = t.untold
	err := p.site.store.save(ctx, &t.held)
	waits.Wait()
	saved.Untold = nil
	p.sentUrgently(answers)
	if err != nil {
		return err
	}
	p.saved()
	return nil
}

// sentUrgently notes what became of the urgent applies; nil where one was not made.
func (p *Pass) sentUrgently(answers []*unstructured.Unstructured) {
	for i, answer := range answers {
		if answer == nil {
			continue
		}
		id := p.Urgent[i].ID
		p.site.note(p.Key, answer)
		p.changed([]apply.Change{{ID: id, Action: apply.Configured, Reason: "all traffic goes back to the proven pods"}})
		if ready := p.target.ways.ready[id]; ready != nil {
			ready.Generation = answer.GetGeneration() // to send it again changes nothing
		}
	}
}

// isIn reports whether an object is one of the staged workloads.
func isIn(staged []policies.Staged, id apply.ID) bool {
	return slices.ContainsFunc(staged, func(s policies.Staged) bool { return s.Name == id.String() })
}

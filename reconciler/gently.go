package reconciler

import (
	"context"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

// gently chooses the way back that never leaves too few pods, where the proven pods would not come back as they are. What
// others wrote into a template since its first stage, as kubectl rollout restart does, is made ours first: then it goes with
// the apply of the proven manifest.
func (p *Pass) gently(ctx context.Context, state *policies.State) error {
	proven, err := p.proven(ctx)
	if err != nil {
		return err
	}
	for _, o := range proven {
		shape := state.Shape(p.Wanted, apply.IDOf(o).String())
		if shape.Form != policies.Aborting {
			continue
		}
		sent := shape.Of(o)
		if p.comesBack(ctx, sent, *state) {
			continue
		}
		if had := p.provenTemplate(ctx, apply.IDOf(o), *state); had != nil && p.Allowed != nil {
			if err := p.client().ClaimTemplate(ctx, p.owner(), sent, had); err != nil {
				p.log.Info("Template was not taken over", "object", apply.IDOf(o).String(), "err", err)
			}
		}
		if !p.comesBack(ctx, sent, *state) {
			*state = state.Gently(p.Seen.Now)
		}
	}
	return nil
}

// comesBack reports whether an apply of the proven manifest brings back the template of the proven pods, to the byte. Where
// somebody else wrote into the template meanwhile it makes new pods instead, and to let all others be missing would leave
// none. What cannot be looked at is taken for different.
func (p *Pass) comesBack(ctx context.Context, workload *unstructured.Unstructured, state policies.State) bool {
	id := apply.IDOf(workload)
	if !isDeployment(id) { // one pod goes after the other, whatever it becomes
		return true
	}
	if p.wayBack(id) != nil {
		return true
	}
	had := p.provenTemplate(ctx, id, state)
	if had == nil {
		return false
	}
	prepared, err := p.client().Prepare(ctx, p.owner(), workload)
	if err != nil {
		return false
	}
	gets, _, _ := unstructured.NestedMap(prepared.Would.Object, "spec", "template")
	if !reflect.DeepEqual(had, gets) {
		return false
	}
	p.target.ways.ready[prepared.ID] = prepared
	return true
}

// provenTemplate is the template of a staged workload's proven pods; nil where it is not to be had.
func (p *Pass) provenTemplate(ctx context.Context, id apply.ID, state policies.State) map[string]any {
	i := slices.IndexFunc(state.Staged, func(s policies.Staged) bool { return s.Name == id.String() })
	if i < 0 {
		return nil
	}
	set := apply.ID{Group: "apps", Kind: "ReplicaSet", Namespace: id.Namespace, Name: id.Name + "-" + state.Staged[i].Proven}
	if had := p.target.ways.templates[set]; had != nil {
		return had
	}
	proven, err := p.site.apply.Self().Get(ctx, set, "v1")
	if err != nil {
		p.log.Info("Proven template was not found", "object", set.String(), "err", err)
		return nil
	}
	had, _, _ := unstructured.NestedMap(proven.Object, "spec", "template")
	unstructured.RemoveNestedField(had, "metadata", "labels", "pod-template-hash")
	if len(had) == 0 {
		return nil
	}
	p.target.ways.templates[set] = had
	return had
}

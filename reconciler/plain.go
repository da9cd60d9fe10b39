package reconciler

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

// plain finds out which workloads keep the plain names of the configuration that they read, since nothing of them or of it
// changes. The proven release tells who may: all others cost no request.
func (p *Pass) plain(ctx context.Context, objects []*unstructured.Unstructured) ([]string, error) {
	saved := p.target.held.saved
	var proven []*unstructured.Unstructured
	if saved.State.Proven != (policies.Release{}) {
		var err error
		if proven, err = p.proven(ctx); err != nil {
			return nil, err
		}
	}
	return PlainNames(ctx, p.client(), apply.Request{
		Owner: p.owner(), Objects: objects, Inventory: saved.Inventory, Adopt: p.Rules.Adopt,
	}, proven)
}

// PlainNames asks, by dry-runs, which workloads of a release keep the plain names of what they read; see
// [policies.KeepPlain]. A release that the API server refuses keeps none: the plan of the whole says why, with all faults.
func PlainNames(ctx context.Context, client *apply.Client, of apply.Request, proven []*unstructured.Unstructured) ([]string, error) {
	readers := policies.PlainReaders(of.Objects, proven)
	if len(readers) == 0 {
		return nil, nil
	}
	asked := of
	asked.Objects = nil
	for _, r := range readers {
		for _, o := range append(slices.Clone(r.Reads), r.Workload) {
			if objectOf(asked.Objects, apply.IDOf(o)) == nil {
				asked.Objects = append(asked.Objects, o)
			}
		}
	}
	plan, err := client.Plan(ctx, asked)
	if err != nil && apply.Final(err) {
		return nil, nil //nolint:nilerr // said by the plan of the whole
	}
	if err != nil {
		return nil, err
	}
	return policies.KeepPlain(readers, func(o *unstructured.Unstructured) bool { return changesPods(plan.Changes, o) }), nil
}

// Name gives the objects of a preview the names that the agent would: what runs under plain names keeps them where nothing
// of it changes, and what reads versions does so for good.
func (of *PreviewOf) Name(ctx context.Context, client *apply.Client, owner apply.Owner) error {
	state := of.Saved.State
	if !of.Rules.Rollout.Staged() {
		of.Objects = policies.Named(of.Objects, state.Versioned, state.Plain)
		return nil
	}
	plain, err := PlainNames(ctx, client, apply.Request{Owner: owner, Objects: of.Objects, Adopt: of.Rules.Adopt}, nil)
	of.Objects = policies.Named(of.Objects, true, plain)
	return err
}

// changesPods reports whether a workload's template changes, or what pods see of a ConfigMap or Secret.
func changesPods(changes []apply.Planned, o *unstructured.Unstructured) bool {
	i := slices.IndexFunc(changes, func(c apply.Planned) bool { return c.ID == apply.IDOf(o) })
	switch {
	case i < 0, changes[i].Later:
		return true
	case changes[i].Action != apply.Configured:
		return changes[i].Action != apply.Unchanged
	case isStaged(changes[i].ID):
		return replacesPods(changes[i])
	}
	return slices.ContainsFunc(changes[i].Fields, func(field string) bool {
		return !strings.HasPrefix(field, "metadata") && field != "immutable"
	})
}

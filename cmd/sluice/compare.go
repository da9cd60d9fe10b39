package main

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// comparison asks a cluster, as the caller, what a release would change. It writes nothing.
type comparison struct {
	conf    *rest.Config
	cluster *apply.Cluster
}

// nobody is the name of no agent: of objects that are there the agent is the one whose label they bear.
const nobody = "sluice-plan"

func compare(ctx context.Context, flags clusterFlags) (*comparison, error) {
	conf, err := flags.rest()
	if err != nil {
		return nil, err
	}
	cluster, err := apply.New(ctx, apply.Config{REST: conf, Agent: nobody})
	return &comparison{conf, cluster}, err
}

// askCluster renders an environment as its cluster would have it, and asks what would change there.
func askCluster(
	ctx context.Context, flags clusterFlags, namespace string, place checkout, app *config.Application, env *config.Environment,
) (reconciler.PreviewOf, error) {
	of := previewOf(app, env)
	live, err := compare(ctx, flags)
	if err != nil {
		return of, err
	}
	made, err := place.render(ctx, app, env, live.capabilities())
	if err != nil {
		return of, err
	}
	of.Asked, of.Hooks, of.Tests = releaseOf(place, made), made.Hooks, made.Tests
	unsaved := live.saved(ctx, &of, namespace)
	if made, err = live.filled(ctx, &of, place, app, env, made); err != nil {
		return of, errors.Join(err, unsaved)
	}
	of.Objects = reconciler.Prepared(live.cluster.Scoped(made.Objects), env.Drift.Leave, env.Rollout.Staged())
	return of, errors.Join(live.ask(ctx, &of, app.Was), unsaved)
}

// filled renders again with the generated values that the cluster has.
func (c *comparison) filled(
	ctx context.Context, of *reconciler.PreviewOf, place checkout, app *config.Application, env *config.Environment, made *render.Result,
) (*render.Result, error) {
	if of.Generated = made.Generated; len(made.Generated) == 0 {
		return made, nil
	}
	req := place.request(app, env, c.capabilities())
	req.Kept.Values = of.Saved.Generated
	for _, o := range c.cluster.Scoped(made.Objects) {
		live, err := c.live(ctx, o)
		if err != nil {
			return nil, err
		}
		if live != nil && (ownerOf(of, app.Was).Owns(live) || env.Adopt && live.GetLabels()[apply.LabelApplication] == "") {
			req.Kept.Objects = append(req.Kept.Objects, live)
		}
	}
	made, err := rendererOf(ctx).Render(ctx, place.over(ctx), req)
	if err == nil {
		of.Generated = made.Generated
	}
	return made, err
}

func (c *comparison) capabilities() render.Capabilities {
	return render.Capabilities{KubeVersion: c.cluster.Version(), APIVersions: c.cluster.APIVersions()}
}

// saved adds what the agent knows, where the caller may read its state; where not, nothing is told of what would be pruned.
func (c *comparison) saved(ctx context.Context, of *reconciler.PreviewOf, namespace string) error {
	core, err := typed.NewForConfig(c.conf)
	if err != nil {
		return err
	}
	secret, err := core.Secrets(namespace).Get(ctx, reconciler.StateName(of.Key), metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil
	}
	if err != nil {
		return err
	}
	of.Saved, err = reconciler.ReadState(secret)
	return err
}

// ask adds to a preview what the cluster has, and what would change in it.
func (c *comparison) ask(ctx context.Context, of *reconciler.PreviewOf, was []string) error {
	agent := nobody
	for _, o := range of.Objects {
		live, err := c.live(ctx, o)
		if err != nil {
			return err
		}
		if live == nil {
			continue
		}
		of.Live = append(of.Live, live)
		if by := live.GetLabels()[apply.LabelAgent]; by != "" {
			agent = by
		}
	}
	cluster, err := apply.New(ctx, apply.Config{REST: c.conf, Agent: agent})
	if err != nil {
		return err
	}
	client := cluster.Self().Opening(asIfUnchanged(of.Live))
	if err := of.Name(ctx, client, ownerOf(of, was)); err != nil {
		return err
	}
	planned, err := client.Plan(ctx, apply.Request{Owner: ownerOf(of, was), Objects: of.Objects, Adopt: of.Rules.Adopt})
	if err != nil {
		return fmt.Errorf("the cluster refuses the release:\n%w", err)
	}
	of.Changes, of.Differences = append([]apply.Planned{}, planned.Changes...), planned.Differences()
	return nil
}

// live is the object that is there; nil: it is not, or its kind is not.
func (c *comparison) live(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if !c.cluster.Kind(o.GroupVersionKind()) {
		return nil, nil
	}
	live, err := c.cluster.Self().Get(ctx, apply.IDOf(o), o.GroupVersionKind().Version)
	if errors.Is(err, apply.ErrGone) {
		return nil, nil
	}
	return live, err
}

// ownerOf is who the agent would apply the objects for, with earlier names of both.
func ownerOf(of *reconciler.PreviewOf, was []string) apply.Owner {
	owner := apply.Owner{Application: of.Application, Environment: of.Environment}
	for _, application := range append([]string{of.Application}, was...) {
		for _, environment := range append([]string{of.Environment}, of.Rules.Was...) {
			if application != of.Application || environment != of.Environment {
				owner.Was = append(owner.Was, apply.Owner{Application: application, Environment: environment})
			}
		}
	}
	return owner
}

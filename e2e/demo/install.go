package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// mark is the label by which the demo knows what it made in a cluster.
const mark = "app.kubernetes.io/created-by"

const marked = "sluice-demo"

// install applies examples/install without the agent's own Deployment, since the demo's agent runs beside the
// cluster, and remembers to remove it where the cluster goes on.
func (d *demo) install(ctx context.Context) error {
	var objects []*unstructured.Unstructured
	for _, dir := range []string{"examples/install", "examples/install/apps"} {
		built, err := build(d.program(dir))
		if err != nil {
			return fmt.Errorf("build %s: %w", dir, err)
		}
		objects = append(objects, built...)
	}
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool {
		return slices.Contains([]string{"Deployment", "Service", "ConfigMap"}, o.GetKind())
	})
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return rank(a) - rank(b) })
	if d.foreign != "" {
		if err := d.checkFree(ctx, append(objects, definition())); err != nil {
			return err
		}
		d.later("Removing what the demo made in the cluster", func(ctx context.Context) error {
			return d.cluster.remove(ctx, append(objects, definition()))
		})
	}
	for _, o := range objects {
		if err := d.cluster.apply(ctx, o); err != nil {
			return fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

func rank(o *unstructured.Unstructured) int {
	if o.GetKind() == "Namespace" {
		return 0
	}
	return 1
}

// definition is what 02-kustomize brings for the whole cluster.
func definition() *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("apiextensions.k8s.io/v1")
	o.SetKind("CustomResourceDefinition")
	o.SetName("backupschedules.orders.example.com")
	return o
}

func build(dir string) ([]*unstructured.Unstructured, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, r := range built.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		labels := o.GetLabels()
		if labels == nil {
			labels = map[string]string{}
		}
		labels[mark] = marked
		o.SetLabels(labels)
		out = append(out, o)
	}
	return out, nil
}

func (c *cluster) apply(ctx context.Context, o *unstructured.Unstructured) error {
	r, err := c.resource(o.GroupVersionKind(), o.GetNamespace())
	if err != nil {
		return err
	}
	_, err = r.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: marked, Force: true})
	return err
}

// checkFree refuses a cluster where a name is taken, and waits for what an earlier demo is still leaving.
func (d *demo) checkFree(ctx context.Context, objects []*unstructured.Unstructured) error {
	var taken []error
	var left []*unstructured.Unstructured
	for _, o := range objects {
		if rank(o) != 0 && o.GetNamespace() != "" {
			continue // goes with its namespace
		}
		live, err := d.cluster.get(ctx, o)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return err
		case live.GetLabels()[mark] == marked || o.GetKind() == "CustomResourceDefinition" && ownedByExample(live):
			left = append(left, o)
		default:
			taken = append(taken, fmt.Errorf("the cluster has a %s %q already, which the demo would need", o.GetKind(), o.GetName()))
		}
	}
	if len(taken) > 0 || len(left) == 0 {
		return errors.Join(taken...)
	}
	return d.say.timed("Removing what an earlier demo left in the cluster", func() error { return d.cluster.remove(ctx, left) })
}

// ownedByExample tells the definition that an agent applied for the example from one that somebody else has.
func ownedByExample(o *unstructured.Unstructured) bool {
	return o.GetLabels()["sluice.dev/application"] == "orders"
}

// remove deletes what install made and what came of it, and returns when all is gone.
func (c *cluster) remove(ctx context.Context, objects []*unstructured.Unstructured) error {
	var errs []error
	for _, o := range slices.Backward(objects) {
		if rank(o) != 0 && o.GetNamespace() != "" {
			continue // goes with its namespace
		}
		r, err := c.resource(o.GroupVersionKind(), "")
		if err == nil {
			err = r.Delete(ctx, o.GetName(), metav1.DeleteOptions{})
		}
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("remove %s %s: %w", o.GetKind(), o.GetName(), err))
		}
	}
	for _, o := range objects {
		if rank(o) == 0 {
			errs = append(errs, await(ctx, 2*time.Minute, func() error { return gone(c.get(ctx, o)) }))
		}
	}
	return errors.Join(errs...)
}

func gone(o *unstructured.Unstructured, err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("%s %s is still being deleted", o.GetKind(), o.GetName())
	}
	return err
}

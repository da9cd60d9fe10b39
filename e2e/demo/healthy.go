package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// patience is how long the demo waits for what takes seconds here; on another cluster, images are pulled first.
const patience = 5 * time.Minute

func environments() []string { return []string{"staging", "production"} }

// awaitHealthy waits until Git says of each example that it is healthy in both environments, and the cluster agrees.
func (d *demo) awaitHealthy(ctx context.Context) error {
	waiting := map[string]string{} // application/environment -> revision
	for _, app := range d.apps {
		for _, env := range environments() {
			waiting[app.name+"/"+env] = app.revision
		}
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := d.notes.follow(limited, func(n note) (bool, error) {
		d.say.note(n)
		key := n.Application + "/" + n.Environment
		if n.Phase == "Healthy" && waiting[key] == n.On {
			delete(waiting, key)
		}
		return len(waiting) == 0, nil
	})
	if err != nil {
		return d.tooLate(ctx, err, fmt.Sprintf("still waiting for %s", strings.Join(sortedKeys(waiting), ", ")))
	}
	for _, app := range d.apps {
		for _, env := range environments() {
			if _, err := d.serving(ctx, app.name, env); err != nil {
				return err
			}
		}
	}
	return nil
}

// tooLate adds to the end of a wait what the agent said last; a wait that somebody ended stays as it is.
func (d *demo) tooLate(ctx context.Context, err error, what string) error {
	if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%s after %v; the agent's last words:\n%s", what, patience, d.lastWords())
}

// namespace is the one that the examples give an environment.
func namespace(app, env string) string {
	if env == "staging" {
		return app + "-staging"
	}
	return app
}

// serving returns the Deployment of an environment when all of its pods are ready.
func (d *demo) serving(ctx context.Context, app, env string) (*unstructured.Unstructured, error) {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("apps/v1")
	o.SetKind("Deployment")
	o.SetNamespace(namespace(app, env))
	o.SetName(app)
	live, err := d.cluster.get(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("%s in %s: %w", app, env, err)
	}
	want, _, _ := unstructured.NestedInt64(live.Object, "spec", "replicas")
	got, _, _ := unstructured.NestedInt64(live.Object, "status", "availableReplicas")
	updated, _, _ := unstructured.NestedInt64(live.Object, "status", "updatedReplicas")
	if want < 1 || got != want || updated != want {
		return nil, fmt.Errorf("%s in %s: of %d pods %d are of this release and %d available", app, env, want, updated, got)
	}
	return live, nil
}

// image is that of the Deployment's first container.
func image(deployment *unstructured.Unstructured) string {
	containers, _, _ := unstructured.NestedSlice(deployment.Object, "spec", "template", "spec", "containers")
	if len(containers) == 0 {
		return ""
	}
	first, _ := containers[0].(map[string]any)
	name, _ := first["image"].(string)
	return name
}

// owned lists the objects of an environment by the labels that Sluice gives them, as "Kind name" with the UID.
func (d *demo) owned(ctx context.Context, app, env string) (map[string]string, error) {
	out := map[string]string{}
	for _, kind := range []schema.GroupVersionKind{
		{Version: "v1", Kind: "ServiceAccount"}, {Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Service"},
		{Group: "apps", Version: "v1", Kind: "Deployment"}, {Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
		{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
		{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		{Group: "orders.example.com", Version: "v1", Kind: "BackupSchedule"},
	} {
		r, err := d.cluster.resource(kind, namespace(app, env))
		if err == nil {
			var list *unstructured.UnstructuredList
			list, err = r.List(ctx, metav1.ListOptions{LabelSelector: "sluice.dev/application=" + app + ",sluice.dev/environment=" + env})
			for i := range items(list) {
				out[kind.Kind+" "+list.Items[i].GetName()] = string(list.Items[i].GetUID())
			}
		}
		if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) {
			return nil, fmt.Errorf("list %s: %w", kind.Kind, err)
		}
	}
	return out, nil
}

func items(list *unstructured.UnstructuredList) []unstructured.Unstructured {
	if list == nil {
		return nil
	}
	return list.Items
}

// describe says what runs where.
func (d *demo) describe(ctx context.Context) error {
	d.say.line("\nWhat runs where, each in the namespace and with the rights that its platform team gave it:\n")
	table := tabwriter.NewWriter(d.say.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "    APPLICATION\tENVIRONMENT\tNAMESPACE\tREVISION\tPODS\tIMAGE\tOBJECTS")
	for _, app := range d.apps {
		for _, env := range environments() {
			deployment, err := d.serving(ctx, app.name, env)
			if err != nil {
				return err
			}
			objects, err := d.owned(ctx, app.name, env)
			if err != nil {
				return err
			}
			pods, _, _ := unstructured.NestedInt64(deployment.Object, "status", "availableReplicas")
			_, _ = fmt.Fprintf(table, "    %s\t%s\t%s\t%.7s\t%d\t%s\t%d\n", app.name, env, namespace(app.name, env), app.revision, pods,
				image(deployment), len(objects))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if err := await(ctx, time.Minute, func() error { return d.shown(ctx) }); err != nil {
		return err
	}
	d.say.line("\nThe dashboard shows the same, and what happens next:\n\n    http://%s/", d.dashboard)
	return nil
}

func sortedKeys(m map[string]string) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/schema"
	"github.com/sluice-cd/sluice/render"
)

// chartNote is what the author of a chart should know, though nothing is wrong.
type chartNote struct {
	Environment string `json:"environment"`
	render.Remark
}

// rendered is what validate found by rendering the environments of an application.
type rendered struct {
	faults config.Faults
	notes  []chartNote
	// objects were checked against the API, and foreign ones were not: their kinds are not Kubernetes' own.
	objects, foreign int
}

// validateRenders renders each environment of a valid sluice.yaml, in a process that is bounded, and checks what it gives.
func validateRenders(ctx context.Context, file, kubeVersion string) (found rendered) {
	dir := filepath.Dir(file)
	place, err := locate(ctx, dir, "")
	if err != nil {
		return rendered{faults: config.Faults{{File: file, Message: err.Error()}}}
	}
	defer place.close()
	app, faults := config.Load(place.tree, place.dir)
	if app == nil {
		return rendered{}
	}
	root := filepath.Join(dir, upTo(place.dir))
	known, said := map[render.Remark]bool{}, map[string]bool{}
	for i := range app.Environments {
		env := &app.Environments[i]
		if len(faults.For(env.Name)) > 0 {
			continue
		}
		at := fmt.Sprintf("environments[%s].source", env.Name)
		cluster := render.Capabilities{KubeVersion: kubeVersion}
		req := place.request(app, env, cluster)
		req.Remark = true
		made, err := rendererOf(ctx).Render(ctx, place.over(ctx), req)
		if err != nil {
			found.faults = append(found.faults, config.Fault{File: file, Path: at, Message: "does not render: " + err.Error()})
			continue
		}
		for _, o := range made.Masked().Objects {
			found.check(filepath.Join(root, made.Sources[render.IDOf(o)]), o, kubeVersion, said)
		}
		for _, r := range made.Remarks {
			if !known[r] {
				known[r], found.notes = true, append(found.notes, chartNote{env.Name, r})
			}
		}
	}
	return found
}

// check checks one object. What another environment has as well is said once.
func (found *rendered) check(file string, o *unstructured.Unstructured, kubeVersion string, said map[string]bool) {
	result, errs := schema.Check(o, kubeVersion)
	if result == schema.Foreign {
		found.foreign++
		return
	}
	found.objects++
	for _, err := range errs {
		fault := config.Fault{File: file, Message: fmt.Sprintf("%s %s: %s", o.GetKind(), o.GetName(), err)}
		if !said[fault.Error()] {
			said[fault.Error()] = true
			found.faults = append(found.faults, fault)
		}
	}
}

// upTo leads from a folder of a tree to its root.
func upTo(dir string) string {
	up, err := filepath.Rel(filepath.FromSlash("/"+dir), "/")
	if err != nil {
		return "."
	}
	return up
}

// wrongVersion refuses what is no Kubernetes version before anything is rendered.
func wrongVersion(kubeVersion string) error {
	if kubeVersion == "" {
		return nil
	}
	if _, errs := schema.Check(&unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}, kubeVersion); len(errs) > 0 {
		return usageError{errors.Join(errs...)}
	}
	return nil
}

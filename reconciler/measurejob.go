package reconciler

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	batch "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/rollout/analysis"
)

const (
	// jobGlance is the time between two looks at a Job that runs.
	jobGlance = 2 * time.Second
	// jobLimit is when a Job is given up that no controller ends: it bounds itself by an hour at most.
	jobLimit = time.Hour + time.Minute
	// jobTimeout bounds a request about one.
	jobTimeout = 10 * time.Second
)

// job prepares the run of a Job. Its name is made of what the state says, so that after a restart the same run is found.
func (p *Pass) job(ctx context.Context, of config.Analysis) (*analysis.Job, error) {
	objects, err := p.manifests(ctx)
	if err != nil {
		return nil, err
	}
	manifest := jobFor(objects, of.Job)
	if manifest == nil {
		return nil, fmt.Errorf("no Job of the manifests has the annotation %s: %s", analysis.Annotation, of.Job)
	}
	jobs, err := batch.NewForConfig(p.site.apply.Impersonated(p.serviceAccount()))
	if err != nil {
		return nil, err
	}
	state := p.target.held.saved.State
	run := fmt.Sprint(p.Key, of.Name, state.Release.Trigger, state.Stage, state.Reached.UnixNano())
	for _, t := range state.Measured {
		if t.Analysis == of.Name {
			run += fmt.Sprint(" again ", t.Taken)
		}
	}
	sum := sha256.Sum256([]byte(run))
	return &analysis.Job{
		Jobs: jobs.Jobs(cmp.Or(manifest.GetNamespace(), p.Rules.Namespace)), Manifest: manifest,
		Name: analysis.JobName(manifest.GetName(), hex.EncodeToString(sum[:5])), Timeout: jobTimeout,
		Labels: map[string]string{
			apply.LabelApplication: p.Application, apply.LabelEnvironment: p.Environment, apply.LabelAgent: p.agent.name,
		},
	}, nil
}

// isMeasure reports whether an object is a Job that an analysis runs, which is not applied with the release.
func isMeasure(o *unstructured.Unstructured) bool {
	_, marked := o.GetAnnotations()[analysis.Annotation]
	id := apply.IDOf(o)
	return marked && id.Group == "batch" && id.Kind == "Job"
}

func jobFor(objects []*unstructured.Unstructured, name string) *unstructured.Unstructured {
	for _, o := range objects {
		if isMeasure(o) && o.GetAnnotations()[analysis.Annotation] == name {
			return o
		}
	}
	return nil
}

// applied are the objects without those that analyses run, and without hooks.
func applied(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	apart := func(o *unstructured.Unstructured) bool { return isMeasure(o) || isHook(o) }
	if !slices.ContainsFunc(objects, apart) {
		return objects
	}
	return slices.DeleteFunc(slices.Clone(objects), apart)
}

package analysis

import (
	"context"
	"fmt"
	"maps"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	typed "k8s.io/client-go/kubernetes/typed/batch/v1"
)

// Annotation marks a Job among an application's manifests as one that an analysis runs; its value is what the analysis
// calls it. Such a Job is not applied with the release.
const Annotation = "sluice.dev/analysis"

const (
	// defaultDeadline and longestDeadline bound how long a Job may run: a smoke test takes seconds, and a stage waits for it.
	defaultDeadline = 5 * time.Minute
	longestDeadline = time.Hour
	// afterlife is when a Job goes that nobody deleted, since the agent died.
	afterlife = 10 * time.Minute
	// longestBase leaves room for a suffix: a Job's name becomes a label of its pods, 63 characters.
	longestBase = 40
)

// Job is a Job that is run once. It may not be used concurrently.
type Job struct {
	Jobs typed.JobInterface // as the application's account
	// Manifest is the Job as the application wrote it; Name is the one that it is run under, and Labels those of its owner.
	Manifest *unstructured.Unstructured
	Name     string
	Labels   map[string]string
	Timeout  time.Duration // of one request
	// Found: it was there when it was asked about for the first time. An agent before this one started it.
	Found bool

	asked bool
}

// JobName is a name of its own for a run of a Job.
func JobName(base, suffix string) string { return base[:min(len(base), longestBase)] + "-" + suffix }

// Ask starts the Job, unless it was started before, and says what became of it.
func (j *Job) Ask(ctx context.Context) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, j.Timeout)
	defer cancel()
	job, err := j.Jobs.Get(ctx, j.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		job, err = j.start(ctx)
		j.asked = true
	case err == nil && !j.asked:
		j.Found, j.asked = true, true
	}
	if err != nil {
		return Answer{}, fmt.Errorf("run Job %q: %w", j.Name, err)
	}
	for key, value := range j.Labels {
		if job.Labels[key] != value {
			return Answer{}, fmt.Errorf("run Job %q: somebody else's has that name", j.Name)
		}
	}
	for _, c := range job.Status.Conditions {
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobComplete:
			return Answer{Good: "the Job succeeded"}, nil
		case c.Type == batchv1.JobFailed:
			return Answer{Bad: fmt.Sprintf("the Job failed: %s: %s", c.Reason, short(c.Message))}, nil
		}
	}
	return Answer{Running: true}, nil
}

func (j *Job) start(ctx context.Context) (*batchv1.Job, error) {
	var job batchv1.Job
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(j.Manifest.Object, &job); err != nil {
		return nil, err
	}
	job.ObjectMeta = metav1.ObjectMeta{
		Name: j.Name, Namespace: job.Namespace, Labels: maps.Clone(job.Labels), Annotations: maps.Clone(job.Annotations),
	}
	if job.Labels == nil {
		job.Labels = map[string]string{}
	}
	maps.Copy(job.Labels, j.Labels)
	delete(job.Annotations, Annotation)
	seconds := int64(defaultDeadline.Seconds())
	if own := job.Spec.ActiveDeadlineSeconds; own != nil {
		seconds = min(*own, int64(longestDeadline.Seconds()))
	}
	ttl := int32(afterlife.Seconds())
	job.Spec.ActiveDeadlineSeconds, job.Spec.TTLSecondsAfterFinished = &seconds, &ttl
	return j.Jobs.Create(ctx, &job, metav1.CreateOptions{FieldManager: "sluice"})
}

// Remove deletes the Job with its pods. One that is not there, or is somebody else's, is no error.
func (j *Job) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, j.Timeout)
	defer cancel()
	job, err := j.Jobs.Get(ctx, j.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete Job %q: %w", j.Name, err)
	}
	for key, value := range j.Labels {
		if job.Labels[key] != value {
			return nil
		}
	}
	policy := metav1.DeletePropagationBackground
	err = j.Jobs.Delete(ctx, j.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &job.UID}, PropagationPolicy: &policy,
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("delete Job %q: %w", j.Name, err)
	}
	return nil
}

package reconciler

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	batch "k8s.io/client-go/kubernetes/typed/batch/v1"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/reconciler/rollout/analysis"
)

const smoke = `
apiVersion: batch/v1
kind: Job
metadata: {name: smoke, namespace: default, labels: {team: shop}, annotations: {sluice.dev/analysis: smoke, team: shop}}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: smoke, image: smoke}]}}
`

func manifest(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

// TestJobOfAnAnalysis runs one on a real API server; the test plays the controller.
func TestJobOfAnAnalysis(t *testing.T) {
	clients, err := batch.NewForConfig(server)
	if err != nil {
		t.Fatal(err)
	}
	namespace, _ := newNamespace(t)
	jobs, words := clients.Jobs(namespace), strings.Replace(smoke, "namespace: default", "namespace: "+namespace, 1)
	run := func(name string) *analysis.Job {
		return &analysis.Job{Jobs: jobs, Manifest: manifest(t, words), Name: name, Timeout: 10 * time.Second,
			Labels: map[string]string{"sluice.dev/application": "shop"}}
	}
	ends := func(name string, conditions ...batchv1.JobCondition) {
		t.Helper()
		job, err := jobs.Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		now := metav1.Now()
		job.Status.StartTime, job.Status.Conditions = &now, conditions
		if conditions[len(conditions)-1].Type == batchv1.JobComplete {
			job.Status.CompletionTime = &now
		}
		if _, err := jobs.UpdateStatus(t.Context(), job, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	condition := func(kind batchv1.JobConditionType, reason, message string) batchv1.JobCondition {
		return batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: message, LastTransitionTime: metav1.Now()}
	}
	t.Run("IsBoundedAndOurs", func(t *testing.T) {
		j := run("smoke-1")
		if answer, err := j.Ask(t.Context()); err != nil || !answer.Running || j.Found {
			t.Fatalf("it is %+v, %v", answer, err)
		}
		live, err := jobs.Get(t.Context(), "smoke-1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if *live.Spec.ActiveDeadlineSeconds != 300 || *live.Spec.TTLSecondsAfterFinished != 600 {
			t.Errorf("it may run %d s, and stays %d s", *live.Spec.ActiveDeadlineSeconds, *live.Spec.TTLSecondsAfterFinished)
		}
		if live.Labels["sluice.dev/application"] != "shop" || live.Labels["team"] != "shop" || live.Annotations["team"] != "shop" ||
			live.Annotations[analysis.Annotation] != "" || live.Spec.Template.Labels["sluice.dev/application"] != "" {
			t.Errorf("it has %v, %v, and its pods %v", live.Labels, live.Annotations, live.Spec.Template.Labels)
		}
	})
	t.Run("IsFoundAgain", func(t *testing.T) {
		j := run("smoke-1")
		if answer, err := j.Ask(t.Context()); err != nil || !answer.Running || !j.Found {
			t.Errorf("it is %+v, %v, found %v", answer, err, j.Found)
		}
	})
	t.Run("Succeeds", func(t *testing.T) {
		ends("smoke-1", condition(batchv1.JobSuccessCriteriaMet, "", ""), condition(batchv1.JobComplete, "", ""))
		if answer, err := run("smoke-1").Ask(t.Context()); err != nil || answer.Good == "" {
			t.Errorf("it is %+v, %v", answer, err)
		}
		if err := run("smoke-1").Remove(t.Context()); err != nil {
			t.Fatal(err)
		}
		if live, err := jobs.Get(t.Context(), "smoke-1", metav1.GetOptions{}); !apierrors.IsNotFound(err) && live.DeletionTimestamp == nil {
			t.Errorf("it is still there: %v", err)
		}
	})
	t.Run("Fails", func(t *testing.T) {
		j := run("smoke-2")
		if _, err := j.Ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		ends("smoke-2", condition(batchv1.JobFailureTarget, "BackoffLimitExceeded", "too often"), condition(batchv1.JobFailed, "BackoffLimitExceeded", "too often"))
		if answer, err := j.Ask(t.Context()); err != nil || answer.Bad != "the Job failed: BackoffLimitExceeded: too often" {
			t.Errorf("it is %+v, %v", answer, err)
		}
	})
	t.Run("IsNotSomebodyElses", func(t *testing.T) {
		other := run("smoke-3")
		other.Labels = map[string]string{"sluice.dev/application": "orders"}
		if _, err := other.Ask(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := run("smoke-3").Ask(t.Context()); err == nil || !strings.Contains(err.Error(), "somebody else's") {
			t.Errorf("the error is %v", err)
		}
		if err := run("smoke-3").Remove(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := jobs.Get(t.Context(), "smoke-3", metav1.GetOptions{}); err != nil {
			t.Errorf("somebody else's Job was deleted: %v", err)
		}
	})
	t.Run("IsGone", func(t *testing.T) {
		if err := run("smoke-4").Remove(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestJobsOfAnalysesAreNotApplied: only Jobs, and only those that are marked.
func TestJobsOfAnalysesAreNotApplied(t *testing.T) {
	marked := manifest(t, smoke)
	plain := manifest(t, strings.Replace(smoke, "sluice.dev/analysis: smoke, ", "", 1))
	other := manifest(t, strings.Replace(smoke, "kind: Job", "kind: CronJob", 1))
	objects := []*unstructured.Unstructured{marked, plain, other}
	left := applied(objects)
	if len(left) != 2 || left[0] != plain || left[1] != other || len(objects) != 3 {
		t.Errorf("%d objects are applied", len(left))
	}
	if jobFor(objects, "smoke") != marked || jobFor(objects, "other") != nil {
		t.Error("the Job is not found by what its annotation says")
	}
	if name := analysis.JobName(strings.Repeat("x", 70), "0123456789"); len(name) > 63 {
		t.Errorf("the name %s is longer than a label", name)
	}
}

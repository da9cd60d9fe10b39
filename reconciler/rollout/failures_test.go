package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var (
	statefulSets = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "StatefulSet"}
	daemonSets   = schema.GroupVersionKind{Group: "apps", Version: "v1", Kind: "DaemonSet"}
	jobs         = schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}
)

// manifest is a workload whose pods fail as asked; extra are further fields of its spec, pods' of the pod spec.
func manifest(kind, name, fail, extra, pods string) string {
	annotations := "{}"
	if fail != "" {
		annotations = "{dev.sluice/fail: " + fail + "}"
	}
	return `
apiVersion: apps/v1
kind: ` + kind + `
metadata: {name: ` + name + `}
spec:
  selector: {matchLabels: {app: ` + name + `}}
  ` + extra + `
  template:
    metadata: {labels: {app: ` + name + `}, annotations: ` + annotations + `}
    spec:
      ` + pods + `
      containers: [{name: app, image: "registry.example/app:2", resources: {limits: {memory: 64Mi}}}]
`
}

// untilFound waits until the first finding of a workload is of this kind and as terminal as this.
func (w *world) untilFound(id ID, kind FindingKind, terminal bool) Finding {
	w.t.Helper()
	var findings []Finding
	w.until(string(kind)+" of "+id.Name, func() bool {
		findings = w.observer.Diagnose(id)
		return len(findings) > 0 && findings[0].Kind == kind && findings[0].Terminal == terminal
	})
	return findings[0]
}

func TestFailures(t *testing.T) {
	tests := map[string]struct {
		reason            string
		kind              schema.GroupVersionKind
		fail, extra, pods string
		want              FindingKind
		terminal          bool
		message           string // a part
	}{
		"NeverReady": {"", deployments, "never-ready", "replicas: 3", "", ProbeFailing, false, "readiness probe failed: HTTP probe failed with statuscode: 503"},
		"Slow":       {"until it is ready", deployments, "slow", "", "", ProbeFailing, false, "runs, but is not ready"},
		"Lost":       {"after it was ready", deployments, "lost, dev.sluice/delay: 1s", "", "", ProbeFailing, false, "runs, but is not ready"},
		"CrashLoop":  {"", deployments, "crash-loop", "", "", CrashLoop, true, `container "app" ends with exit code 1`},
		"OOM":        {"", deployments, "oom", "", "", OOMKilled, true, "more memory than its limit of 64Mi"},
		"Image":      {"", deployments, "image", "", "", ImageNotFound, true, `image "registry.example/app:2" does not exist: not found`},
		"Config":     {"the wake-up that patience asks for", deployments, "config", "", "", ConfigMissing, true, `configmap "config" not found`},
		"Unschedulable": {"", deployments, "", "", "nodeSelector: {disk: none}", Unschedulable, false,
			"no node takes the pod: 4 node(s) didn't match Pod's node affinity/selector"},
		"NoServiceAccount":   {"", deployments, "", "", "serviceAccountName: none", ConfigMissing, false, `serviceaccount "none" not found`},
		"Deadline":           {"a sick probe had its time", deployments, "never-ready", "progressDeadlineSeconds: 1", "", ProbeFailing, true, "readiness probe failed"},
		"StatefulSet":        {"", statefulSets, "crash-loop", "replicas: 2", "", CrashLoop, true, "exit code 1"},
		"StatefulSetRefused": {"seen in an event alone", statefulSets, "", "", "serviceAccountName: none", ConfigMissing, false, `serviceaccount "none" not found`},
		"DaemonSet":          {"", daemonSets, "image", "", "", ImageNotFound, true, "does not exist"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil, func(c *Config) { c.Patience = 1500 * time.Millisecond })
			w.watch(tc.kind, nil)
			w.observer.Follow(w.namespace, true)
			w.apply(manifest(tc.kind.Kind, "own", tc.fail, tc.extra, tc.pods))
			got := w.untilFound(w.id(tc.kind, "own"), tc.want, tc.terminal)
			if !strings.Contains(got.Message, tc.message) {
				t.Errorf("%s: %q, want it to say %q", tc.reason, got.Message, tc.message)
			}
		})
	}
}

func TestFailures_Quota(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(deployments, nil)
	w.observer.Follow(w.namespace, true)
	w.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: small}, spec: {hard: {pods: '0'}}}")
	w.apply(manifest("Deployment", "own", "", "", ""))
	got := w.untilFound(w.id(deployments, "own"), Quota, false)
	if !strings.Contains(got.Message, "exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0") {
		t.Errorf("%q", got.Message)
	}
}

func TestFailures_PodSecurity(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.kube.core.Namespaces().Patch(t.Context(), w.namespace, types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.watch(deployments, nil)
	w.observer.Follow(w.namespace, true)
	w.apply(manifest("Deployment", "own", "", "", ""))
	got := w.untilFound(w.id(deployments, "own"), Admission, true)
	if !strings.HasPrefix(got.Message, `the API server refuses the pod: violates PodSecurity "restricted:latest": `) {
		t.Errorf("%q", got.Message)
	}
}

func TestFailures_Job(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(jobs, nil)
	w.observer.Follow(w.namespace, true)
	job := func(name, fail string) string {
		return "{apiVersion: batch/v1, kind: Job, metadata: {name: " + name + "}, spec: {backoffLimit: 0, template: {metadata: {annotations: {" + fail + "}}," +
			" spec: {restartPolicy: Never, containers: [{name: app, image: web}]}}}}"
	}
	w.apply(job("good", ""))
	w.apply(job("bad", "dev.sluice/fail: job"))
	w.until("job complete", func() bool {
		o, _ := w.observer.Get(w.id(jobs, "good"))
		return o.Status == Current
	})
	got := w.untilFound(w.id(jobs, "bad"), CrashLoop, true)
	if o, _ := w.observer.Get(w.id(jobs, "bad")); o.Status != Failed || got.Message != `container "app" ends with exit code 1` {
		t.Errorf("status %s (%s), finding %q", o.Status, o.Message, got.Message)
	}
	w.apply(strings.Replace(job("late", "dev.sluice/fail: never-ready"), "backoffLimit: 0", "activeDeadlineSeconds: 1", 1))
	w.until("job that took too long", func() bool {
		o, _ := w.observer.Get(w.id(jobs, "late"))
		return o.Status == Failed
	})
	if o, _ := w.observer.Get(w.id(jobs, "late")); !strings.Contains(o.Message, "active longer than specified deadline") {
		t.Errorf("it is %q", o.Message)
	}
}

// told are last words with whatever error there is told too: who explains leaves it out.
func told(t *testing.T, words LastWords) LastWords {
	return func(ctx context.Context, namespace, pod, container string, ended bool) ([]string, error) {
		said, err := words(ctx, namespace, pod, container, ended)
		t.Logf("%s said %q, ended: %v, error: %v", pod, said, ended, err)
		return said, err
	}
}

// TestDiagnoseJob: why the pod failed and what it said, by asking alone.
func TestDiagnoseJob(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(jobs, nil)
	w.apply("{apiVersion: batch/v1, kind: Job, metadata: {name: smoke}, spec: {backoffLimit: 0, template: {metadata: {annotations: {dev.sluice/fail: job}}," +
		" spec: {restartPolicy: Never, containers: [{name: app, image: web}]}}}}")
	w.until("job failed", func() bool {
		o, _ := w.observer.Get(w.id(jobs, "smoke"))
		return o.Status == Failed
	})
	found, err := DiagnoseJob(t.Context(), control, w.namespace, "smoke")
	if err != nil || len(found) != 1 || found[0].Message != `container "app" ends with exit code 1` {
		t.Fatalf("%+v, %v", found, err)
	}
	words, err := Logs(control)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"starting", "listening on :8080", "ready"}, Explain(t.Context(), found, told(t, words))[0].LastLines); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if found, err := DiagnoseJob(t.Context(), control, w.namespace, "another"); len(found) > 0 || err != nil {
		t.Errorf("%+v, %v of a Job that is not there", found, err)
	}
}

// TestLesson09_TheFixIsNotBlamed replaces a broken template by one that is well.
func TestLesson09_TheFixIsNotBlamed(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(deployments, nil)
	w.observer.Follow(w.namespace, true)
	w.apply(manifest("Deployment", "own", "crash-loop", "replicas: 3", ""))
	id := w.id(deployments, "own")
	w.untilFound(id, CrashLoop, true)
	answer := w.apply(manifest("Deployment", "own", "slow, dev.sluice/delay: 1s", "replicas: 3", ""))
	w.observer.Note(Describe(answer, projection(answer)))
	if got := w.observer.Diagnose(id); len(got) > 0 {
		t.Errorf("the fix is blamed before its controller has seen it: %+v", got)
	}
	w.until("fix is ready", func() bool {
		for _, f := range w.observer.Diagnose(id) {
			if f.Terminal {
				t.Errorf("the fix is blamed: %+v", f)
			}
		}
		o, _ := w.observer.Get(id)
		return o.Status == Current
	})
	o, _ := w.observer.Get(id)
	if diff := cmp.Diff(Replicas{Want: 3, Updated: 3, Ready: 3, Available: 3}, o.Replicas); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestHealth_OnTheRealControllers(t *testing.T) {
	w := newWorld(t, nil)
	kinds := map[string]schema.GroupVersionKind{
		"{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: own}, spec: {podSelector: {}}}":                                                                                         {Group: "networking.k8s.io", Version: "v1", Kind: "NetworkPolicy"},
		"{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: own}, spec: {defaultBackend: {service: {name: own, port: {number: 80}}}}}":                                                    {Group: "networking.k8s.io", Version: "v1", Kind: "Ingress"},
		"{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: own}, spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: absent}}}":               {Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"},
		"{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: own}, spec: {minAvailable: 1, selector: {matchLabels: {app: own}}}}":                                                         {Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
		"{apiVersion: v1, kind: Service, metadata: {name: own}, spec: {type: LoadBalancer, ports: [{port: 80}]}}":                                                                                         {Version: "v1", Kind: "Service"},
		"{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: own}, spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}}":                       {Version: "v1", Kind: "PersistentVolumeClaim"},
		"{apiVersion: batch/v1, kind: CronJob, metadata: {name: own}, spec: {schedule: '0 0 1 1 *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}}}}": {Group: "batch", Version: "v1", Kind: "CronJob"},
		manifest("Deployment", "own", "", "replicas: 0", ""): deployments,
		manifest("DaemonSet", "own", "", "", ""):             daemonSets,
		manifest("StatefulSet", "own", "", "", ""):           statefulSets,
	}
	for text, gvk := range kinds {
		gvr := plural(gvk)
		switch gvk.Kind {
		case "NetworkPolicy":
			gvr.Resource = "networkpolicies"
		case "Ingress":
			gvr.Resource = "ingresses"
		}
		w.observer.Watch(gvk, gvr, true, w.namespace, nil)
		o := w.object(text)
		_, err := w.kube.dynamic.Resource(gvr).Namespace(w.namespace).Apply(t.Context(), "own", o, metav1.ApplyOptions{FieldManager: "sluice"})
		if err != nil {
			t.Fatal(err)
		}
		w.until(gvk.Kind+" is current", func() bool {
			o, _ := w.observer.Get(w.id(gvk, "own"))
			return o.Status == Current
		})
	}
}

func TestFollow_EndsWithItsLastUser(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(deployments, nil)
	w.observer.Follow(w.namespace, false) // was never on
	w.observer.Follow(w.namespace, true)
	w.observer.Follow(w.namespace, true)
	w.apply(manifest("Deployment", "own", "crash-loop", "", ""))
	id := w.id(deployments, "own")
	w.untilFound(id, CrashLoop, true)
	w.observer.Follow(w.namespace, false)
	if got := w.observer.Diagnose(id); len(got) == 0 {
		t.Error("forgotten though somebody follows")
	}
	w.observer.Follow(w.namespace, false)
	if got := w.observer.Diagnose(id); len(got) != 0 {
		t.Errorf("known though nobody follows: %+v", got)
	}
	w.observer.Follow(w.namespace, true)
	w.untilFound(id, CrashLoop, true)
}

func TestFollow_AsTheFallback(t *testing.T) {
	w := newWorld(t, nobody())
	reader := w.account("reader", "[{apiGroups: ['', apps], resources: [deployments, replicasets, pods, events], verbs: [list, watch]}]")
	w.watch(deployments, reader)
	w.observer.Follow(w.namespace, true)
	w.apply(manifest("Deployment", "own", "image", "", ""))
	w.untilFound(w.id(deployments, "own"), ImageNotFound, true)
}

func TestExplain_LastWordsFromTheServer(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(deployments, nil)
	w.observer.Follow(w.namespace, true)
	w.apply(manifest("Deployment", "own", "crash-loop", "", ""))
	found := w.untilFound(w.id(deployments, "own"), CrashLoop, true)
	words, err := Logs(control)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"starting", "listening on :8080", "ready"}
	got := Explain(t.Context(), []Finding{found}, told(t, words))
	if diff := cmp.Diff(want, got[0].LastLines); diff != "" || got[0].Message != found.Message {
		t.Errorf("%q (-want +got):\n%s", got[0].Message, diff)
	}
	if _, err := words(t.Context(), found.Object.Namespace, "absent", "app", true); err == nil {
		t.Error("the log of a pod that is not there was read")
	}
}

// TestExplain: what a container said before it ended, or says so far, and nothing of one that never ran.
func TestExplain(t *testing.T) {
	words := func(_ context.Context, namespace, pod, container string, ended bool) ([]string, error) {
		if container == "silent" {
			return nil, errors.New("no log")
		}
		if container == "once" && ended {
			return nil, errors.New("previous terminated container \"once\" not found")
		}
		return []string{fmt.Sprintf("%s/%s/%s %t", namespace, pod, container, ended)}, nil
	}
	for kind, want := range map[FindingKind][]string{
		CrashLoop: {"a/p/app true"}, OOMKilled: {"a/p/app true"}, ProbeFailing: {"a/p/app false"}, NotReady: {"a/p/app false"},
		ImageNotFound: nil, ConfigMissing: nil,
	} {
		p := ID{Kind: "Pod", Namespace: "a", Name: "p"}
		got := Explain(t.Context(), []Finding{{Object: p, Container: "app", Kind: kind}, {Object: p, Container: "silent", Kind: kind}, {Object: p, Kind: kind}, {Object: p, Container: "once", Kind: CrashLoop}}, words)
		if diff := cmp.Diff(want, got[0].LastLines); diff != "" || got[1].LastLines != nil || got[2].LastLines != nil ||
			!slices.Equal(got[3].LastLines, []string{"a/p/once false"}) {
			t.Errorf("%s: %v (-want +got):\n%s", kind, got, diff)
		}
	}
}

// TestLinesOf_OnlyWholeOnes: of a line that was cut nobody knows what it holds.
func TestLinesOf_OnlyWholeOnes(t *testing.T) {
	long := strings.Repeat("x", int(lastBytes))
	for raw, want := range map[string][]string{
		"one\n\n two\r\n":            {"one", " two\r"},
		"one\ntwo":                   {"one", "two"},
		("one\n" + long)[:lastBytes]: {"one"},
		long:                         {},
		"":                           {},
	} {
		if diff := cmp.Diff(want, linesOf([]byte(raw))); diff != "" {
			t.Errorf("%.20q (-want +got):\n%s", raw, diff)
		}
	}
}

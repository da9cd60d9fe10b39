package acceptance

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// failures asks for one kind each and says what the pod must come to.
var failures = map[string]struct {
	annotations map[string]string
	image       string
	want        func(corev1.Pod) bool
}{
	"fine":        {nil, "web:1", func(p corev1.Pod) bool { return ready(p) && p.Status.PodIP != "" }},
	"never-ready": {fail("never-ready"), "web:1", func(p corev1.Pod) bool { return running(p) && !ready(p) && restarts(p) == 0 }},
	"slow":        {fail("slow", "2s"), "web:1", func(p corev1.Pod) bool { return ready(p) && readyAfter(p) >= time.Second }},
	"lost":        {fail("lost", "2s"), "web:1", func(p corev1.Pod) bool { return running(p) && !ready(p) && readyAfter(p) >= time.Second }},
	"crash-loop": {fail("crash-loop"), "web:1", func(p corev1.Pod) bool {
		return running(p) && waits(p, "CrashLoopBackOff", "back-off") && restarts(p) >= 3 && ended(p, "Error", 1)
	}},
	"oom": {fail("oom"), "web:1", func(p corev1.Pod) bool {
		return running(p) && waits(p, "CrashLoopBackOff", "back-off") && ended(p, "OOMKilled", 137)
	}},
	"image": {fail("image"), "web:1", func(p corev1.Pod) bool {
		return pending(p) && waits(p, "ImagePullBackOff", `Back-off pulling image "web:1": `)
	}},
	"no-such-tag": {nil, "registry.example/web:missing", func(p corev1.Pod) bool {
		return pending(p) && waits(p, "ImagePullBackOff", "registry.example/web:missing: not found")
	}},
	"no-such-name": {nil, "registry.example/does-not-exist:1", func(p corev1.Pod) bool {
		return pending(p) && waits(p, "ImagePullBackOff", ": not found")
	}},
	"config": {fail("config"), "web:1", func(p corev1.Pod) bool {
		return pending(p) && waits(p, "CreateContainerConfigError", `configmap "config" not found`)
	}},
	"misspelt": {fail("nver-ready"), "web:1", func(p corev1.Pod) bool {
		return pending(p) && waits(p, "CreateContainerConfigError", `"nver-ready"`)
	}},
}

// testFailures makes all of them at once and waits for each.
func testFailures(t *testing.T, client kubernetes.Interface) {
	for name, f := range failures {
		deploy(t, client, name, f.image, f.annotations)
	}
	for name, f := range failures {
		t.Run(name, func(t *testing.T) { until(t, client, name, f.want) })
	}
}

func testJobs(t *testing.T, client kubernetes.Interface) {
	for name, f := range map[string]struct {
		annotations map[string]string
		want        corev1.PodPhase
	}{"job-good": {nil, corev1.PodSucceeded}, "job-bad": {fail("job"), corev1.PodFailed}} {
		t.Run(name, func(t *testing.T) {
			template := podTemplate(name, "job:1", f.annotations)
			template.Spec.RestartPolicy = corev1.RestartPolicyNever
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: batchv1.JobSpec{
				BackoffLimit: new(int32), Template: template,
			}}
			if _, err := client.BatchV1().Jobs("default").Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			until(t, client, name, func(p corev1.Pod) bool { return p.Status.Phase == f.want })
		})
	}
}

func deploy(t *testing.T, client kubernetes.Interface, name, image string, annotations map[string]string) {
	t.Helper()
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
		Template: podTemplate(name, image, annotations),
	}}
	if _, err := client.AppsV1().Deployments("default").Create(t.Context(), d, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func podTemplate(name, image string, annotations map[string]string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}, Annotations: annotations},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: image}}},
	}
}

func fail(kind string, delay ...string) map[string]string {
	a := map[string]string{"dev.sluice/fail": kind}
	for _, d := range delay {
		a["dev.sluice/delay"] = d
	}
	return a
}

func running(p corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning }
func pending(p corev1.Pod) bool { return p.Status.Phase == corev1.PodPending }
func ready(p corev1.Pod) bool   { return readyCondition(p).Status == corev1.ConditionTrue }

// readyAfter is how long after its start the pod became ready, or was no longer.
func readyAfter(p corev1.Pod) time.Duration {
	return readyCondition(p).LastTransitionTime.Sub(p.Status.StartTime.Time)
}

func readyCondition(p corev1.Pod) corev1.PodCondition {
	i := slices.IndexFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady })
	if i < 0 {
		return corev1.PodCondition{}
	}
	return p.Status.Conditions[i]
}

func container(p corev1.Pod) corev1.ContainerStatus {
	return append(slices.Clone(p.Status.ContainerStatuses), corev1.ContainerStatus{})[0]
}

func restarts(p corev1.Pod) int32 { return container(p).RestartCount }

func waits(p corev1.Pod, reason, message string) bool {
	w := container(p).State.Waiting
	return w != nil && w.Reason == reason && strings.Contains(w.Message, message)
}

func ended(p corev1.Pod, reason string, code int32) bool {
	e := container(p).LastTerminationState.Terminated
	return e != nil && e.Reason == reason && e.ExitCode == code
}

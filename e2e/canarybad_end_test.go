package e2e

import (
	"fmt"
	"maps"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// isTakenBack is the end of a case, and its line of the table.
func (c *badCase) isTakenBack(t *testing.T) string {
	t.Helper()
	note := c.AwaitPhase(t, c.environment, c.bad, "RolledBack")
	says(t, note, append(c.says, "; back to "+c.first[:7])...)
	world.Await(t, world.Patience, "only proven pods serve", c.onlyProvenServe)
	failed := c.AwaitPhase(t, c.environment, c.bad, "Failed")
	if c.words {
		says(t, failed, `"pods":[{"pod":"`+c.Namespace(c.environment)+`/shop-`, `"lastLines":["starting","<secret> on :8080","ready"]`)
	}
	for _, n := range c.Repo.MustNotes(t, c.environment) {
		if n.Says("listening") {
			t.Errorf("a note shows a secret: %s", n.Text)
		}
	}
	if least := c.pods.LeastReadyOf(firstImage); least < 4 {
		t.Errorf("%d proven pods were Ready at one moment, want 4 throughout", least)
	}
	left := c.kept(t, note)
	maps.Copy(left, c.before)
	world.Await(t, world.Patience, "the same proven pods, what is kept, and no others", func() error {
		if live := c.pods.Live(); !maps.Equal(live, left) {
			return fmt.Errorf("the pods are %v, want %v", live, left)
		}
		return nil
	})
	return c.took(t, failed)
}

// onlyProvenServe says who else is behind the Service, or that a proven pod is not.
func (c *badCase) onlyProvenServe() error {
	if now := c.serving.Now(); !maps.Equal(now, c.before) {
		return fmt.Errorf("behind the Service are %v, want %v", now, c.before)
	}
	return nil
}

// kept are the pods of the release that are there for a look, by UID, marked as ours and of no use to anybody else.
func (c *badCase) kept(t *testing.T, note world.Note) map[string]bool {
	t.Helper()
	list, err := c.Cluster.Core.CoreV1().Pods(c.Namespace(c.environment)).List(t.Context(), metav1.ListOptions{
		LabelSelector: "sluice.dev/kept-application=shop,sluice.dev/kept-environment=" + c.environment,
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, pod := range list.Items {
		kept[string(pod.UID)] = true
		if image := pod.Spec.Containers[0].Image; image != c.image() {
			t.Errorf("pod %s of image %s is kept", pod.Name, image)
		}
		isForALook(t, pod, c.bad, note)
	}
	if wants := c.onFailure == "hold"; wants != (len(kept) > 0) || len(kept) > 2 {
		t.Errorf("%d pods are kept", len(kept))
	}
	return kept
}

// isForALook fails where something may select a pod that was kept, or nobody knows whose it is and how long it stays.
func isForALook(t *testing.T, pod corev1.Pod, of string, note world.Note) {
	t.Helper()
	if len(pod.Labels) != 3 || pod.Labels["sluice.dev/kept-of"] != of || metav1.GetControllerOf(&pod) != nil {
		t.Errorf("the pod has the labels %v and the controller %v", pod.Labels, metav1.GetControllerOf(&pod))
	}
	until, err := time.Parse(time.RFC3339, pod.Annotations["sluice.dev/kept-until"])
	if err != nil || until.Before(time.Now()) || pod.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] != "true" {
		t.Errorf("the pod has the annotations %v", pod.Annotations)
	}
	says(t, note, "kept for a look until", pod.Name)
}

// took is how long it took until only proven pods were behind the Service: since a watch, or a scrape, showed the fault, and
// since the agent decided. Nothing, where no pod of the release ever was behind it.
func (c *badCase) took(t *testing.T, failed world.Note) string {
	t.Helper()
	fault := c.pods.Unready(c.before)
	if c.analysis != "" {
		fault = c.traffic.Told(c.image())
	}
	only := c.serving.Only(c.before)
	if fault.IsZero() || only.IsZero() {
		t.Errorf("the fault was seen at %v, and only proven pods served from %v on", fault, only)
	}
	ms := func(since time.Time) time.Duration { return max(0, only.Sub(since)).Round(time.Millisecond) }
	return fmt.Sprintf("%-16s%-10s%12v%15v", c.kind, c.onFailure, ms(fault), ms(failed.At))
}

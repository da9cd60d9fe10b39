package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/e2e/world"
)

// glance is a line of `sluice status --watch -o json`, as far as the story reads it.
type glance struct {
	Phase, Form, Waits     string
	Stage, Stages, Approve int
	Workloads              []struct {
		Object                                             string
		Replicas, Want, New, NewReady, Proven, ProvenReady int
	}
}

// watch runs `sluice status --watch` as the agent's account, which may read its state and pods, until the story ends it.
func watch(t *testing.T, s *world.Story, format string) (end func() string) {
	t.Helper()
	cmd := exec.Command(s.Sluice, "status", "shop", "staging", "--watch", "-n", s.System, "-o", format,
		"--kubeconfig", filepath.Join(s.Agent.Dir, "kubeconfig"))
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() string {
		t.Helper()
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil || talk.Len() > 0 {
			t.Errorf("status --watch ended with %v: %s", err, talk.String())
		}
		return out.String()
	}
}

// TestCanaryIsWatched: the stages of a release, as one sees them who looks at the cluster.
func TestCanaryIsWatched(t *testing.T) {
	s, _ := canary(t, "canary-watch", `directory: {path: deploy/staging}}
    rollout: {canary: {steps: [{instances: 1, hold: 2s}, {weight: 50%, approve: true}]}}
`)
	lines, text := watch(t, s, "json"), watch(t, s, "text")
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "Another image")
	s.AwaitPhase(t, "staging", revision, "Holding")
	if stage, err := s.Agent.Metric("sluice_stage", `application="shop"`, `environment="staging"`); err != nil || stage != 1 {
		t.Errorf("sluice_stage is %v (%v), want 1", stage, err)
	}
	mayReadState(t, s)
	plan(t, s, kubeconfigOf(t, s), 3, "A release is in stage 1 now: another one takes it back to the proven one first")
	events, err := s.Cluster.Core.CoreV1().Events(s.System).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{"stage 1 of 2: 1 instance", "waits for approved"} {
		if !slices.ContainsFunc(events.Items, func(e corev1.Event) bool { return strings.Contains(e.Message, words) }) {
			t.Errorf("no Event says %q", words)
		}
	}
	s.CLI(t, s.Repo.Dir, "approve", "shop", "staging")
	s.Repo.Push(t)
	s.AwaitPhase(t, "staging", revision, "Healthy")
	s.AwaitGit(t, "staging")
	if stage, err := s.Agent.Metric("sluice_stage", `application="shop"`, `environment="staging"`); err != nil || stage != 0 {
		t.Errorf("sluice_stage is %v (%v), want 0", stage, err)
	}
	seen := map[string]bool{}
	decoder := json.NewDecoder(strings.NewReader(lines()))
	for decoder.More() {
		var g glance
		if err := decoder.Decode(&g); err != nil {
			t.Fatal(err)
		}
		for _, w := range g.Workloads {
			pods := w.NewReady == w.Want && w.New == w.Want && w.Object == "Deployment/"+s.Staging+"/shop" && w.Replicas == 4
			seen["all of the first stage are Ready, and it takes its time"] = seen["all of the first stage are Ready, and it takes its time"] ||
				pods && g.Stage == 1 && g.Stages == 2 && w.Want == 1 && w.ProvenReady == 4 && g.Waits == "the time of the stage"
			seen["a person is waited for"] = seen["a person is waited for"] ||
				g.Phase == "Holding" && g.Approve == 2 && g.Waits == "a person: sluice approve shop staging" && pods && w.Proven == 4
			seen["as many new ones as there are"] = seen["as many new ones as there are"] || g.Stage == 2 && pods && w.Want == 4
		}
		seen["the end"] = g.Phase == "Healthy" && g.Stage == 0 && len(g.Workloads) == 0
	}
	for what, was := range seen {
		if !was {
			t.Errorf("not seen: %s", what)
		}
	}
	if len(seen) != 4 {
		t.Errorf("there were no workloads: %v", seen)
	}
	said := text()
	for _, words := range []string{", stage 1 of 2; Deployment/" + s.Staging + "/shop: 1 of 1 new Ready (1 wanted), 4 of 4 proven Ready; waits for the time of the stage", "waits for a person: sluice approve shop staging", "shop/staging Healthy "} {
		if !strings.Contains(said, words) {
			t.Errorf("not said: %q in\n%s", words, said)
		}
	}
	for line := range strings.Lines(said) {
		if strings.ContainsRune(line, '\x1b') {
			t.Errorf("a line that is no terminal's: %q", line)
		}
	}
}

package world

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Report logs what a person needs to see why a story failed: the notes, the status, the events, the agent's last words.
func (s *Story) Report(t testing.TB) {
	ctx := context.WithoutCancel(t.Context())
	var b strings.Builder
	for _, env := range []string{"staging", "production"} {
		notes, err := s.Repo.Notes(env)
		if err != nil {
			fmt.Fprintf(&b, "notes of %s: %v\n", env, err)
		}
		for _, n := range notes[max(0, len(notes)-6):] {
			fmt.Fprintf(&b, "note %s\n", n.Text)
		}
	}
	cmd := exec.CommandContext(ctx, s.Sluice, "status", "--repo", s.Repo.Dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(&b, "sluice status: %v\n%s\n", err, out)
	} else {
		fmt.Fprintf(&b, "sluice status\n%s\n", out)
	}
	for _, namespace := range []string{s.Staging, s.Production, s.System} {
		b.WriteString(s.workloads(ctx, namespace))
		b.WriteString(s.events(ctx, namespace))
	}
	if s.Project != nil {
		fmt.Fprintf(&b, "the forge's last words:\n%s\n", s.Project.words())
	}
	t.Logf("what was there when the story failed:\n%s\nthe agent's last words:\n%s", b.String(), Tail(s.Agent.Log(t), 60))
}

// workloads are what their controllers say of them.
func (s *Story) workloads(ctx context.Context, namespace string) string {
	var b strings.Builder
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		list, err := s.Cluster.Resource(kind, namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			fmt.Fprintf(&b, "%ss of %s: %v\n", kind, namespace, err)
			continue
		}
		for _, o := range list.Items {
			strategy := cmp.Or(Field(&o, "spec", "updateStrategy"), Field(&o, "spec", "strategy"))
			fmt.Fprintf(&b, "%s %s/%s, generation %d, %s: %s\n", kind, namespace, o.GetName(), o.GetGeneration(), strategy, Field(&o, "status"))
		}
	}
	return b.String()
}

func (s *Story) events(ctx context.Context, namespace string) string {
	list, err := s.Cluster.Core.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Sprintf("events of %s: %v\n", namespace, err)
	}
	var lines []string
	for _, e := range list.Items {
		when := e.LastTimestamp.Time
		if when.IsZero() {
			when = e.EventTime.Time
		}
		lines = append(lines, fmt.Sprintf("%s event %s %s/%s %s: %s", when.Format("15:04:05"), e.Type,
			e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message))
	}
	slices.Sort(lines)
	return strings.Join(append(lines[max(0, len(lines)-15):], ""), "\n")
}

// Events are the messages of a namespace's events whose text has all of the words.
func (s *Story) Events(t testing.TB, namespace string, words ...string) []string {
	t.Helper()
	list, err := s.Cluster.Core.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list.Items {
		if text := e.Reason + ": " + e.Message; containsAll(text, words) {
			out = append(out, text)
		}
	}
	return out
}

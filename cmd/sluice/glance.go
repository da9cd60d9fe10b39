package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
)

// glance is how an environment is at one moment: what `status --watch -o json` prints, one object a line, whenever it
// changes. It is a contract: keys are added, and none changes its meaning.
type glance struct {
	Application string         `json:"application"`
	Environment string         `json:"environment"`
	Phase       policies.Phase `json:"phase"`
	Revision    string         `json:"revision,omitempty"`
	Proven      string         `json:"proven,omitempty"` // revision of the proven release
	Reason      string         `json:"reason,omitempty"`
	// Stage counts from 1 to Stages, one more while the release finishes; 0: nothing is staged.
	Stage  int `json:"stage,omitempty"`
	Stages int `json:"stages,omitempty"`
	// Form is how the workloads are sent: hold, finish, abort or return.
	Form policies.Form `json:"form,omitempty"`
	// Due is when time alone lets the stage end, or fail where its pods are not Ready.
	Due   time.Time `json:"due,omitzero"`
	Waits string    `json:"waits,omitempty"` // what for
	// Next is a newer revision that a window keeps from beginning, and Opens when one lets it begin, or the next stage.
	Next  string    `json:"next,omitempty"`
	Opens time.Time `json:"opens,omitzero"`
	// Approve is the stage that a person's word is waited for; 0: none.
	Approve   int              `json:"approve,omitempty"`
	Workloads []glanceWorkload `json:"workloads,omitempty"`
	// Measured is what the analyses of the stage came to so far.
	Measured []glanceMeasured `json:"measured,omitempty"`
	// Trouble is why the cluster does not answer: the rest is as it was before.
	Trouble string `json:"trouble,omitempty"`
}

// glanceWorkload counts the pods of a staged workload that are not being deleted.
type glanceWorkload struct {
	Object      string `json:"object"`
	Replicas    int    `json:"replicas"`
	Want        int    `json:"want"` // new pods of the stage
	New         int    `json:"new"`
	NewReady    int    `json:"newReady"`
	Proven      int    `json:"proven"`
	ProvenReady int    `json:"provenReady"`
	// NotReady says of each new pod that is not Ready why, as its containers say it.
	NotReady []string `json:"notReady,omitempty"`
}

// glanceMeasured is what the samples of one analysis came to.
type glanceMeasured struct {
	Analysis string `json:"analysis"`
	Taken    int    `json:"taken"`
	Good     int    `json:"good"`
	Bad      int    `json:"bad"`
	Says     string `json:"says,omitempty"` // the last one, beside its threshold
}

func (m glanceMeasured) String() string {
	return fmt.Sprintf("%s: %d of %d samples are good, %d bad; the last one: %s", m.Analysis, m.Good, m.Taken, m.Bad, m.Says)
}

// glanceAt puts together what the state says and what the pods are.
func glanceAt(saved reconciler.Saved, pods map[string]*corev1.Pod) glance {
	state := saved.State
	g := glance{
		Application: saved.Application, Environment: saved.Environment, Phase: state.Phase, Revision: state.Release.Revision,
		Proven: state.Proven.Revision, Reason: printable(state.Reason), Stage: state.At(), Stages: saved.Stages, Form: state.Form,
		Due: saved.Due, Approve: state.Awaited(), Next: state.Waiting.Release.Revision, Opens: state.Waiting.Opens,
	}
	if state.Closed {
		g.Opens = state.Opens
	}
	if g.Phase == "" && g.Next != "" {
		g.Phase, g.Revision, g.Next = policies.Pending, g.Next, ""
	}
	for _, s := range state.Staged {
		g.Workloads = append(g.Workloads, countPods(s, pods))
	}
	for _, m := range state.Measured {
		g.Measured = append(g.Measured, glanceMeasured{m.Analysis, m.Taken, m.Good, m.Bad, printable(m.Says)})
	}
	g.Waits = reconciler.WaitsFor(saved.Key, state)
	return g
}

func countPods(s policies.Staged, pods map[string]*corev1.Pod) glanceWorkload {
	w := glanceWorkload{Object: s.Name, Replicas: s.Replicas, Want: s.Pods}
	for _, pod := range pods {
		hash, ours := templateOf(pod, s.Name)
		if !ours || pod.DeletionTimestamp != nil {
			continue
		}
		there, ready := &w.New, &w.NewReady
		if hash == s.Proven {
			there, ready = &w.Proven, &w.ProvenReady
		}
		*there++
		if isReady(pod) {
			*ready++
		} else if hash != s.Proven {
			w.NotReady = append(w.NotReady, pod.Name+": "+whyNotReady(pod))
		}
	}
	slices.Sort(w.NotReady)
	return w
}

// templateOf is the hash of a pod's template, where it is a pod of a workload, Kind/namespace/name.
func templateOf(pod *corev1.Pod, workload string) (hash string, ours bool) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return "", false
	}
	kind, name, hash := owner.Kind, owner.Name, pod.Labels["controller-revision-hash"]
	if kind == "ReplicaSet" {
		hash = pod.Labels["pod-template-hash"]
		kind, name = "Deployment", strings.TrimSuffix(name, "-"+hash)
	}
	return hash, kind+"/"+pod.Namespace+"/"+name == workload
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// whyNotReady is a word of the first container that waits, or of the pod.
func whyNotReady(pod *corev1.Pod) string {
	for _, c := range append(slices.Clone(pod.Status.InitContainerStatuses), pod.Status.ContainerStatuses...) {
		if c.State.Waiting != nil && c.State.Waiting.Reason != "" {
			return c.State.Waiting.Reason
		}
		if c.State.Terminated != nil && c.State.Terminated.ExitCode != 0 {
			return fmt.Sprintf("ended with exit code %d", c.State.Terminated.ExitCode)
		}
	}
	if pod.Status.Phase == corev1.PodRunning {
		return "not Ready"
	}
	return string(pod.Status.Phase)
}

// printable leaves out what could repaint a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

// head is the environment in one line.
func (g glance) head() string {
	text := fmt.Sprintf("%s/%s %s %.7s", g.Application, g.Environment, g.Phase, g.Revision)
	switch {
	case g.Form == policies.Wave:
		text += ", all pods in one wave"
	case g.Stage > g.Stages:
		text += ", after the last stage"
	case g.Stage > 0:
		text += fmt.Sprintf(", stage %d of %d", g.Stage, g.Stages)
	}
	return text
}

func (w glanceWorkload) String() string {
	return fmt.Sprintf("%s: %d of %d new Ready (%d wanted), %d of %d proven Ready", w.Object, w.NewReady, w.New, w.Want, w.ProvenReady, w.Proven)
}

// line is a glance where nobody sees it change.
func (g glance) line() string {
	parts := []string{g.head()}
	for _, w := range g.Workloads {
		parts = append(parts, w.String())
	}
	for _, m := range g.Measured {
		parts = append(parts, m.String())
	}
	if g.Waits != "" {
		parts = append(parts, "waits for "+g.Waits)
	}
	if g.Reason != "" {
		parts = append(parts, g.Reason)
	}
	if g.Trouble != "" {
		parts = append(parts, "the cluster does not answer: "+g.Trouble)
	}
	return strings.Join(parts, "; ")
}

// text is a glance on a terminal.
func (g glance) text(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", g.head())
	if g.Proven != "" && g.Proven != g.Revision {
		fmt.Fprintf(&b, "  proven   %.7s\n", g.Proven)
	}
	if g.Reason != "" {
		fmt.Fprintf(&b, "  reason   %s\n", g.Reason)
	}
	for _, w := range g.Workloads {
		fmt.Fprintf(&b, "  %s\n", w)
		for _, why := range w.NotReady {
			fmt.Fprintf(&b, "    %s\n", why)
		}
	}
	for _, m := range g.Measured {
		fmt.Fprintf(&b, "  %s\n", m)
	}
	if g.Waits != "" {
		fmt.Fprintf(&b, "  waits for %s\n", g.Waits)
	}
	if left := g.Due.Sub(now).Round(time.Second); !g.Due.IsZero() && g.Approve == 0 {
		fmt.Fprintf(&b, "  %s left, until %s\n", max(left, 0), g.Due.Local().Format(time.DateTime))
	}
	if g.Trouble != "" {
		fmt.Fprintf(&b, "  the cluster does not answer: %s\n", g.Trouble)
	}
	return b.String()
}

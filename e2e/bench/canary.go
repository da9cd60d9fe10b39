package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// staging is how the applications are staged: what is sent of each is stage 1, stage 2, the finish and the manifest as it was
// rendered.
const (
	staging = "    rollout: {canary: {steps: [{instances: 1, hold: 2s}, {weight: 50%}]}}\n"
	sentOf  = 4
	// stagedReplicas is enough for stages to differ.
	stagedReplicas = 4
)

// canary takes every application through its stages at once, and then some back.
func (g *ground) canary() {
	g.Logf("Staging all applications")
	for _, app := range g.apps {
		file := path.Join(app.dir(), "sluice.yaml")
		g.story.Repo.Write(g, file, g.story.Repo.Read(g, file)+staging)
		manifest := path.Join(app.dir(), "deploy", "deployment.yaml")
		g.story.Repo.Edit(g, manifest, "replicas: 1", fmt.Sprintf("replicas: %d", stagedReplicas))
	}
	g.release("More replicas")
	const tag = "4.0.0"
	for _, app := range g.apps {
		g.setTag(app, tag)
	}
	took, used := g.release("A release of all applications in stages")
	sent := float64(sentOf * len(g.apps))
	memory, err := processes(g.story.Agent.PID()).memory()
	g.must(err, "measure memory")
	g.report.add("agent-canary-available", took.Seconds(), "s", "")
	g.report.add("agent-canary-cpu-per-stage", used.cpu.Seconds()/sent, "s", "")
	g.report.add("agent-canary-requests-per-stage", float64(len(caused(used.requests)))/sent, "requests", "")
	g.report.add("agent-canary-memory", memory, "MiB", "")
	g.report.Requests["agent-canary"] = tally(used.requests)
	g.takeBack(tag)
}

// release commits what was changed and returns how long it took until all Deployments were available, and what the agent
// used for it.
func (g *ground) release(message string) (time.Duration, usage) {
	g.story.Repo.CommitOnly(g, message)
	_, cpu := g.skip()
	g.story.Repo.Push(g)
	began := time.Now()
	used := g.usage(began, cpu, func() error { return errors.Join(g.healthy(), g.rolledOut()) })
	return used.last.Sub(began), used
}

// rolledOut says whether every Deployment has the image of its clone, and all its pods.
func (g *ground) rolledOut() error {
	return inParallel(g.apps, func(app application) error {
		d, err := g.story.Cluster.Core.AppsV1().Deployments(app.namespace).Get(g.ctx, app.name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		want := g.story.Repo.Read(g, app.kustomization())
		_, tag, _ := strings.Cut(d.Spec.Template.Spec.Containers[0].Image, image+":")
		if !rolledOut(d) || !strings.Contains(want, fmt.Sprintf("newTag: %q", tag)) || d.Spec.MinReadySeconds > 0 {
			return fmt.Errorf("%s is not rolled out", app.name)
		}
		return nil
	})
}

// takeBack releases an image that nobody has, in one application after the other, and looks at how soon it is taken back once
// its pod says so: until the agent's word is there, and until the controller has taken the pod away.
func (g *ground) takeBack(tag string) {
	g.Logf("Bad releases of single applications")
	var decided, cleared, trip []time.Duration
	var requests []request
	before := 0
	for i := range g.options.tries {
		app := g.apps[i*len(g.apps)/g.options.tries]
		g.setTag(app, fmt.Sprintf("does-not-exist-%d", i))
		g.story.Repo.CommitOnly(g, "An image that nobody has")
		began, cpu := g.skip()
		w := g.watchFault(app)
		g.story.Repo.Push(g)
		fault, word, gone := w.times(g)
		decided, cleared = append(decided, word.Sub(fault)), append(cleared, gone.Sub(word))
		used := g.usage(began, cpu, enough).requests
		requests, before = append(requests, used...), before+asked(used, fault)
		trip = append(trip, g.roundTrip(app))
		g.setTag(app, tag)
	}
	g.spread("floor-round-trip", "", trip)
	g.spread("agent-rollback-decided", "floor-round-trip", decided)
	g.spread("agent-rollback-controller", "", cleared)
	g.report.add("agent-rollback-requests-before", float64(before)/float64(g.options.tries), "requests", "")
	g.report.add("agent-rollback-requests", float64(len(caused(requests)))/float64(g.options.tries), "requests", "")
	g.report.Requests["agent-rollback"] = tally(requests)
	g.release("Images that are there")
	g.takeTrafficBack()
	g.reverts()
}

// asked counts the requests from a moment to the first change of a Deployment. The state is saved beside it, and may come first.
func asked(requests []request, from time.Time) (n int) {
	for _, r := range caused(requests) {
		switch {
		case r.Received.Before(from):
		case r.what() == "patch deployments":
			return n
		default:
			n++
		}
	}
	return n
}

// roundTrip is how long one change of a Deployment takes the API server.
func (g *ground) roundTrip(app application) time.Duration {
	began := time.Now()
	patch := []byte(fmt.Sprintf(`{"metadata":{"annotations":{"bench":"%d"}}}`, began.UnixNano()))
	_, err := g.story.Cluster.Core.AppsV1().Deployments(app.namespace).Patch(g.ctx, app.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "bench"})
	g.must(err, "patch Deployment")
	return time.Since(began)
}

// faultWatch sees what becomes of a bad release.
type faultWatch struct {
	deployments, pods watch.Interface
}

func (g *ground) watchFault(app application) faultWatch {
	begin := func(w watch.Interface, err error) watch.Interface {
		g.must(err, "watch "+app.namespace)
		return w
	}
	core := g.story.Cluster.Core
	return faultWatch{
		begin(core.AppsV1().Deployments(app.namespace).Watch(g.ctx, metav1.ListOptions{})),
		begin(core.CoreV1().Pods(app.namespace).Watch(g.ctx, metav1.ListOptions{})),
	}
}

// times are when a new pod says that its image is not there, when the Deployment has the proven image again, and when the
// pod goes.
func (w faultWatch) times(g *ground) (fault, word, gone time.Time) {
	defer w.deployments.Stop()
	defer w.pods.Stop()
	ctx, stop := context.WithTimeout(g.ctx, patience)
	defer stop()
	note := func(at *time.Time, happened bool) {
		if at.IsZero() && happened {
			*at = time.Now()
		}
	}
	for bad := false; gone.IsZero() || word.IsZero(); {
		select {
		case <-ctx.Done():
			g.Fatalf("a bad release was not taken back: %w", ctx.Err())
		case event := <-w.deployments.ResultChan():
			if d, ok := event.Object.(*appsv1.Deployment); ok {
				missing := isMissing(d.Spec.Template.Spec)
				note(&word, bad && !missing)
				bad = bad || missing
			}
		case event := <-w.pods.ResultChan():
			if pod, ok := event.Object.(*corev1.Pod); ok && isMissing(pod.Spec) {
				note(&fault, isFaulty(pod))
				note(&gone, pod.DeletionTimestamp != nil || event.Type == watch.Deleted)
			}
		}
	}
	return fault, word, gone
}

func isMissing(pod corev1.PodSpec) bool {
	return strings.Contains(pod.Containers[0].Image, ":does-not-exist-")
}

func isFaulty(pod *corev1.Pod) bool {
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Waiting != nil && strings.Contains(c.State.Waiting.Reason, "ImagePull") {
			return true
		}
	}
	return false
}

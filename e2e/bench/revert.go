package main

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// standing is a stage that stands until somebody ends it.
const standing = "    rollout: {canary: {steps: [{instances: 1, hold: 1h}]}}\n"

// reverts pushes reverts of single releases, in the middle of their canary and after it, and looks at how soon the proven pods
// are alone again. Beside it runs a plain poller, which asks Git as often as the agent does.
func (g *ground) reverts() {
	g.Logf("Reverts in mid-canary")
	g.spreadRevert("agent-revert-mid", "floor-revert-mid-poll", g.revertEach(standing, 0))
	g.Logf("Reverts of complete releases")
	var wave []time.Duration
	for i := range g.options.tries {
		wave = append(wave, g.wave(i))
	}
	g.spread("floor-revert-wave", "", wave)
	g.spreadRevert("agent-revert-complete", "floor-revert-complete-poll", g.revertEach(staging, 1))
}

// reverted is when things happened after the push of a revert.
type reverted struct {
	polled  time.Duration // a plain poller saw it
	decided time.Duration // the Deployment had the proven image
	alone   time.Duration // all pods were proven and Ready, and no others were left
}

// revertEach releases an image in one application after the other, and takes it back by git revert.
func (g *ground) revertEach(rules string, series int) (all []reverted) {
	for i := range g.options.tries {
		app := g.apps[i*(len(g.apps)-1)/g.options.tries] // the last has a route
		file := path.Join(app.dir(), "sluice.yaml")
		before := g.story.Repo.Read(g, file)
		g.story.Repo.Write(g, file, strings.Replace(before, staging, rules, 1))
		g.story.Repo.CommitOnly(g, "How it is staged")
		proven := g.tagOf(app)
		tag := fmt.Sprintf("6.%d.%d", series, i)
		g.setTag(app, tag)
		g.story.Repo.CommitOnly(g, "A release")
		g.skip()
		w := g.watchRevert(app)
		g.story.Repo.Push(g)
		w.until(g, func(images map[string]int, ready int, _ string) bool {
			if rules == standing {
				return images[tag] == 1 && ready == stagedReplicas+1
			}
			return images[tag] == stagedReplicas && len(images) == 1 && ready == stagedReplicas
		})
		began, cpu := g.skip()
		g.usage(began, cpu, enough) // it is at rest
		all = append(all, g.revert(w, proven))
		g.story.Repo.Write(g, file, before)
		g.story.Repo.Commit(g, "How it was staged")
		began, cpu = g.skip()
		g.usage(began, cpu, g.healthy)
	}
	return all
}

// revert takes the last commit back.
func (g *ground) revert(w *revertWatch, proven string) reverted {
	g.story.Repo.Run(g, "revert", "--no-edit", "HEAD")
	head := g.story.Repo.Head(g)
	seen := g.poll(head)
	g.story.Repo.Push(g)
	pushed := time.Now()
	var out reverted
	w.until(g, func(images map[string]int, ready int, wanted string) bool {
		if out.decided == 0 && wanted == proven {
			out.decided = time.Since(pushed)
		}
		return out.decided > 0 && images[proven] == stagedReplicas && len(images) == 1 && ready == stagedReplicas
	})
	out.alone = time.Since(pushed)
	select {
	case at := <-seen:
		out.polled = at.Sub(pushed)
	case <-g.ctx.Done():
		g.Fatal(g.ctx.Err())
	}
	w.stop()
	return out
}

// poll asks Git for the branch at the agent's interval, from now on, and tells when it is at a revision.
func (g *ground) poll(revision string) <-chan time.Time {
	every, err := time.ParseDuration(interval)
	g.must(err, "read interval")
	seen := make(chan time.Time, 1)
	go func() {
		for tick := time.NewTicker(every); ; {
			cmd := exec.CommandContext(g.ctx, "git", "ls-remote", "origin", "refs/heads/main")
			cmd.Dir = g.story.Repo.Dir
			if out, err := cmd.Output(); err == nil && strings.HasPrefix(string(out), revision) || g.ctx.Err() != nil {
				tick.Stop()
				seen <- time.Now()
				return
			}
			<-tick.C
		}
	}()
	return seen
}

func (g *ground) spreadRevert(name, floor string, all []reverted) {
	var polled, decided, rest, alone []time.Duration
	for _, r := range all {
		polled, decided = append(polled, r.polled), append(decided, r.decided)
		rest, alone = append(rest, r.alone-r.decided), append(alone, r.alone)
	}
	g.spread(floor, "", polled)
	g.spread(name+"-decided", floor, decided)
	to := ""
	if name == "agent-revert-complete" {
		to = "floor-revert-wave"
	}
	g.spread(name+"-controller", to, rest)
	g.spread(name+"-alone", "", alone)
}

// tagOf is the tag of an application's image in the clone.
func (g *ground) tagOf(app application) string {
	_, after, _ := strings.Cut(g.story.Repo.Read(g, app.kustomization()), "newTag: ")
	return strings.Trim(strings.TrimSpace(after), `"}`)
}

// revertWatch sees the pods of an application, and what its Deployment asks for.
type revertWatch struct {
	deployments, pods watch.Interface

	live   map[types.UID]*corev1.Pod
	wanted string
}

func (g *ground) watchRevert(app application) *revertWatch {
	core := g.story.Cluster.Core
	pods, err := core.CoreV1().Pods(app.namespace).Watch(g.ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + app.name})
	g.must(err, "watch pods of "+app.namespace)
	deployments, err := core.AppsV1().Deployments(app.namespace).Watch(g.ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + app.name})
	g.must(err, "watch Deployments of "+app.namespace)
	return &revertWatch{deployments: deployments, pods: pods, live: map[types.UID]*corev1.Pod{}}
}

func (w *revertWatch) stop() {
	w.pods.Stop()
	w.deployments.Stop()
}

// until reads the watches until done says so of the pods that are not being deleted: how many of each tag, how many are Ready in
// all, and which tag the Deployment asks for.
func (w *revertWatch) until(g *ground, done func(images map[string]int, ready int, wanted string) bool) {
	ctx, stop := context.WithTimeout(g.ctx, patience)
	defer stop()
	for {
		images, ready := map[string]int{}, 0
		for _, pod := range w.live {
			images[tagged(pod.Spec)]++
			if isReadyPod(pod) {
				ready++
			}
		}
		if done(images, ready, w.wanted) {
			return
		}
		select {
		case <-ctx.Done():
			g.Fatalf("the pods are %v, %d Ready, and %q is asked for: %w", images, ready, w.wanted, ctx.Err())
		case event := <-w.deployments.ResultChan():
			if d, ok := event.Object.(*appsv1.Deployment); ok {
				w.wanted = tagged(d.Spec.Template.Spec)
			}
		case event := <-w.pods.ResultChan():
			pod, ok := event.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			if w.live[pod.UID] = pod; event.Type == watch.Deleted || pod.DeletionTimestamp != nil {
				delete(w.live, pod.UID)
			}
		}
	}
}

func tagged(pod corev1.PodSpec) string {
	_, tag, _ := strings.Cut(pod.Containers[0].Image, image+":")
	return tag
}

func isReadyPod(pod *corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// wave is how long Kubernetes itself takes to bring an older ReplicaSet back at once, beside what runs: of a Deployment that no
// agent owns, by one write.
func (g *ground) wave(try int) time.Duration {
	app := g.apps[try*(len(g.apps)-1)/g.options.tries]
	api := g.story.Cluster.Core.AppsV1().Deployments(app.namespace)
	live, err := api.Get(g.ctx, app.name, metav1.GetOptions{})
	g.must(err, "get Deployment")
	plain := application{name: "plain", namespace: app.namespace}
	labels := map[string]string{"app.kubernetes.io/name": plain.name}
	made := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: plain.name}, Spec: *live.Spec.DeepCopy()}
	made.Spec.Selector, made.Spec.Template.Labels = &metav1.LabelSelector{MatchLabels: labels}, labels
	made.Spec.MinReadySeconds, made.Spec.Strategy = 0, appsv1.DeploymentStrategy{}
	w := g.watchRevert(plain)
	defer w.stop()
	_, err = api.Create(g.ctx, made, metav1.CreateOptions{})
	g.must(err, "make Deployment")
	defer func() { _ = api.Delete(g.ctx, plain.name, metav1.DeleteOptions{}) }()
	set := func(tag string) time.Duration {
		began := time.Now()
		_, err := api.Patch(g.ctx, plain.name, types.StrategicMergePatchType, fmt.Appendf(nil,
			`{"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":"100%%","maxUnavailable":0}},`+
				`"template":{"spec":{"containers":[{"name":"web","image":"%s:%s"}]}}}}`, image, tag), metav1.PatchOptions{FieldManager: "bench"})
		g.must(err, "patch Deployment")
		w.until(g, func(images map[string]int, ready int, _ string) bool {
			return images[tag] == stagedReplicas && len(images) == 1 && ready == stagedReplicas
		})
		return time.Since(began)
	}
	set("7.0.0")
	set("7.0.1")
	return set("7.0.0")
}

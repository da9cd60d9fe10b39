package main

import (
	"fmt"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
)

// routed is how an application is staged whose traffic a VirtualService shares out: its stage stands until it fails. Istio
// says nothing of a VirtualService, so that there is nothing to wait for after the route was written.
const routed = "    rollout: {canary: {steps: [{weight: 25%%, hold: 1h}]}, traffic: {virtualService: %[1]s, service: %[1]s, drain: 1s}}\n"

const virtualService = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %[1]s}
spec:
  hosts: [%[1]s.example.com]
  http: [{route: [{destination: {host: %[1]s}}]}]
`

// takeTrafficBack has a new pod fail that gets traffic, and looks at how soon the route gives it none, and the pod is gone.
func (g *ground) takeTrafficBack() {
	g.Logf("Bad releases behind a route")
	g.story.DefineRoutes(g)
	app := g.apps[len(g.apps)-1]
	file := path.Join(app.dir(), "sluice.yaml")
	g.story.Repo.Write(g, file, strings.Replace(g.story.Repo.Read(g, file), staging, fmt.Sprintf(routed, app.name), 1))
	g.story.Repo.Write(g, path.Join(app.dir(), "deploy", "route.yaml"), fmt.Sprintf(virtualService, app.name))
	g.story.Repo.Edit(g, app.kustomization(), "resources:\n", "resources:\n  - route.yaml\n")
	g.release("A route")
	var decided, cleared []time.Duration
	for i := range g.options.tries {
		w := g.watchRoute(app)
		g.setTag(app, fmt.Sprintf("5.0.%d", i))
		g.story.Repo.CommitOnly(g, "A release behind a route")
		began, cpu := g.skip()
		g.story.Repo.Push(g)
		fault, word, gone := w.times(g, app)
		decided, cleared = append(decided, word.Sub(fault)), append(cleared, gone.Sub(word))
		g.usage(began, cpu, enough)
	}
	g.spread("agent-rollback-route", "floor-round-trip", decided)
	g.spread("agent-rollback-route-pods", "", cleared)
}

// routeWatch sees what becomes of a bad release behind a route.
type routeWatch struct{ routes, pods watch.Interface }

func (g *ground) watchRoute(app application) routeWatch {
	routes, err := g.story.Cluster.Resource("VirtualService", app.namespace).Watch(g.ctx, metav1.ListOptions{})
	g.must(err, "watch "+app.namespace)
	pods, err := g.story.Cluster.Core.CoreV1().Pods(app.namespace).Watch(g.ctx, metav1.ListOptions{})
	g.must(err, "watch "+app.namespace)
	return routeWatch{routes, pods}
}

// times are when a new pod that gets traffic says that it crashes, which it is told to say, when the route gives it none, and
// when it goes.
func (w routeWatch) times(g *ground, app application) (fault, word, gone time.Time) {
	defer w.routes.Stop()
	defer w.pods.Stop()
	deadline := time.After(patience)
	newest, weighed := "", false
	for gone.IsZero() || word.IsZero() {
		select {
		case <-deadline:
			g.Fatalf("a bad release behind a route was not taken back")
		case event := <-w.routes.ResultChan():
			route, ok := event.Object.(*unstructured.Unstructured)
			if !ok {
				break
			}
			switch weight := weightOf(route, app.name+"-canary"); {
			case weight > 0 && !weighed:
				weighed = true
				g.crash(app, newest)
				fault = time.Now()
			case weight == 0 && weighed && word.IsZero():
				word = time.Now()
			}
		case event := <-w.pods.ResultChan():
			pod, ok := event.Object.(*corev1.Pod)
			if !ok {
				break
			}
			if event.Type == watch.Added {
				newest = pod.Name
			}
			if pod.Name == newest && gone.IsZero() && (pod.DeletionTimestamp != nil || event.Type == watch.Deleted) {
				gone = time.Now()
			}
		}
	}
	return fault, word, gone
}

// crash has a pod say that its container crashes again and again.
func (g *ground) crash(app application, pod string) {
	const status = `{"status":{"conditions":[{"type":"Ready","status":"False"}],"containerStatuses":[{"name":%q,"image":"x","imageID":"x",` +
		`"ready":false,"restartCount":6,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":1,"reason":"Error"}}}]}}`
	pods := g.story.Cluster.Core.CoreV1().Pods(app.namespace)
	live, err := pods.Get(g.ctx, pod, metav1.GetOptions{})
	g.must(err, "get pod")
	_, err = pods.Patch(g.ctx, pod, "application/strategic-merge-patch+json",
		fmt.Appendf(nil, status, live.Spec.Containers[0].Name), metav1.PatchOptions{FieldManager: "bench"}, "status")
	g.must(err, "have a pod crash")
}

// weightOf is the share of a VirtualService's traffic that a Service gets.
func weightOf(route *unstructured.Unstructured, service string) int64 {
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "http")
	for _, rule := range rules {
		list, _, _ := unstructured.NestedSlice(rule.(map[string]any), "route")
		for _, to := range list {
			host, _, _ := unstructured.NestedString(to.(map[string]any), "destination", "host")
			if weight, _, _ := unstructured.NestedInt64(to.(map[string]any), "weight"); host == service {
				return weight
			}
		}
	}
	return 0
}

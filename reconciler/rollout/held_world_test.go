package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice/policies"
)

// held is the Deployment, StatefulSet or DaemonSet "web" in a namespace of its own, and what watches have told of its pods and ReplicaSets. A
// test reads the watches itself, in until: between two calls it knows no more than at the end of the first.
type held struct {
	t         *testing.T
	kind      schema.GroupVersionKind
	kube      *client
	namespace string
	watches   [3]watch.Interface

	// What is sent, besides the template's letter.
	replicas  int
	spec      string            // further fields of the spec
	podSpec   string            // further fields of the pod's
	fail      map[string]string // by template: how its pods fail
	container map[string]string // by template: further fields of its container

	pods       map[types.UID]*corev1.Pod
	sets       map[types.UID]*appsv1.ReplicaSet
	deployment *appsv1.Deployment
	stateful   *appsv1.StatefulSet
	daemon     *appsv1.DaemonSet
	limit      int // the last revisionHistoryLimit

	// Since mark: the fewest Ready pods, and the most pods that the ReplicaSets wanted together. That is what the
	// controller promises: a ReplicaSet may make pods before another has deleted what it no longer wants.
	low, high int
}

// newHeld makes a Deployment of so many pods of template a.
func newHeld(t *testing.T, config *rest.Config, replicas int) *held {
	t.Helper()
	return newHeldOf(t, config, deployments, replicas, "")
}

// newHeldOf makes a workload of so many pods of template a; spec are further fields of it, and first is done before.
func newHeldOf(t *testing.T, config *rest.Config, kind schema.GroupVersionKind, replicas int, spec string, first ...func(*held)) *held {
	t.Helper()
	kube, err := newClient(config)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := kube.core.Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "held-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		background := metav1.DeletePropagationBackground
		_ = kube.core.Namespaces().Delete(context.Background(), ns.Name, metav1.DeleteOptions{PropagationPolicy: &background})
	})
	h := &held{
		t: t, kind: kind, kube: kube, namespace: ns.Name, replicas: replicas, spec: spec, limit: 10,
		fail: map[string]string{}, container: map[string]string{},
		pods: map[types.UID]*corev1.Pod{}, sets: map[types.UID]*appsv1.ReplicaSet{},
	}
	workloads := map[schema.GroupVersionKind]func(context.Context, metav1.ListOptions) (watch.Interface, error){
		deployments: kube.apps.Deployments(ns.Name).Watch, statefulSets: kube.apps.StatefulSets(ns.Name).Watch,
		daemonSets: kube.apps.DaemonSets(ns.Name).Watch,
	}
	for i, begin := range []func(context.Context, metav1.ListOptions) (watch.Interface, error){
		kube.core.Pods(ns.Name).Watch, kube.apps.ReplicaSets(ns.Name).Watch, workloads[kind],
	} {
		if h.watches[i], err = begin(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.watches[i].Stop)
	}
	for _, prepare := range first {
		prepare(h)
	}
	h.settle("a")
	h.stays(fmt.Sprintf("{A%d}", replicas))
	h.mark()
	return h
}

// git is the manifest of a template, as it is rendered.
func (h *held) git(template string) *unstructured.Unstructured {
	h.t.Helper()
	annotations := "{}"
	if fail := h.fail[template]; fail != "" {
		annotations = "{dev.sluice/fail: " + fail + "}"
	}
	container := "name: shop, image: 'registry.example/shop:" + template + "'"
	if more := h.container[template]; more != "" {
		container += ", " + more
	}
	spec := h.spec
	if h.kind != daemonSets {
		spec = fmt.Sprintf("replicas: %d\n  %s", h.replicas, h.spec)
	}
	made := parse(h.t, fmt.Sprintf(`
apiVersion: apps/v1
kind: %s
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  %s
  template:
    metadata: {labels: {app: web}, annotations: %s}
    spec: {containers: [{%s}], %s}
`, h.kind.Kind, spec, annotations, container, h.podSpec))
	made.SetNamespace(h.namespace)
	return made
}

func (h *held) apply(template string, shape policies.Shape) {
	h.t.Helper()
	h.send(shape.Of(h.git(template)))
}

// settle applies a template's manifest as it is rendered.
func (h *held) settle(template string) {
	h.t.Helper()
	h.apply(template, policies.Shape{})
}

func (h *held) send(o *unstructured.Unstructured) {
	h.t.Helper()
	_, err := h.kube.dynamic.Resource(plural(h.kind)).Namespace(h.namespace).
		Apply(h.t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "sluice", Force: true})
	if err != nil {
		h.t.Fatal(err)
	}
}

// scale does what an autoscaler does; from now on that number is sent.
func (h *held) scale(replicas int) {
	h.t.Helper()
	h.replicas = replicas
	h.patch(h.kind.Kind, "web", fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas), "scale")
}

// patch is what somebody else does to a Deployment, a ReplicaSet or a Pod.
func (h *held) patch(kind, name, body string, subresource ...string) {
	h.t.Helper()
	var err error
	ctx, merge, by, sub := h.t.Context(), types.MergePatchType, metav1.PatchOptions{FieldManager: "somebody"}, subresource
	switch kind {
	case "Deployment":
		_, err = h.kube.apps.Deployments(h.namespace).Patch(ctx, name, merge, []byte(body), by, sub...)
	case "ReplicaSet":
		_, err = h.kube.apps.ReplicaSets(h.namespace).Patch(ctx, name, merge, []byte(body), by, sub...)
	case "StatefulSet":
		_, err = h.kube.apps.StatefulSets(h.namespace).Patch(ctx, name, merge, []byte(body), by, sub...)
	case "DaemonSet":
		_, err = h.kube.apps.DaemonSets(h.namespace).Patch(ctx, name, merge, []byte(body), by, sub...)
	default:
		_, err = h.kube.core.Pods(h.namespace).Patch(ctx, name, merge, []byte(body), by, sub...)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *held) deletePod(name string) {
	h.t.Helper()
	if err := h.kube.core.Pods(h.namespace).Delete(h.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *held) deleteSet(name string, how metav1.DeletionPropagation) {
	h.t.Helper()
	err := h.kube.apps.ReplicaSets(h.namespace).Delete(h.t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &how})
	if err != nil {
		h.t.Fatal(err)
	}
}

// deleteWorkload deletes the workload, and returns when it is gone.
func (h *held) deleteWorkload(how metav1.DeletionPropagation) {
	h.t.Helper()
	err := h.kube.dynamic.Resource(plural(h.kind)).Namespace(h.namespace).
		Delete(h.t.Context(), "web", metav1.DeleteOptions{PropagationPolicy: &how})
	if err != nil {
		h.t.Fatal(err)
	}
	h.until("no "+h.kind.Kind, func() bool { return h.deployment == nil && h.stateful == nil && h.daemon == nil })
}

// sicken makes so many Ready pods of a template not Ready, for good, and returns when the controllers know.
func (h *held) sicken(template string, n int) {
	h.t.Helper()
	for _, uid := range h.uids(template)[:n] {
		p := h.pods[uid]
		h.patch("Pod", p.Name, `{"metadata":{"annotations":{"dev.sluice/fail":"lost","dev.sluice/delay":"1ms"}}}`)
		h.until(p.Name+" is not Ready", func() bool { return h.pods[uid] != nil && !isReady(h.pods[uid]) })
	}
	h.stays(h.String())
}

// set is the ReplicaSet of a template.
func (h *held) set(template string) *appsv1.ReplicaSet {
	h.t.Helper()
	for _, s := range h.sets {
		if letter(s.Spec.Template.Spec) == template {
			return s
		}
	}
	h.t.Fatalf("there is no ReplicaSet of template %s", template)
	return nil
}

// uids are those of the pods of a template that are not being deleted, of "" those of all. One that was taken out of its
// ReplicaSet is none of them.
func (h *held) uids(template string) []types.UID {
	var uids []types.UID
	for uid, p := range h.pods {
		if p.DeletionTimestamp == nil && metav1.GetControllerOf(p) != nil && (template == "" || letter(p.Spec) == template) {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return uids
}

// keeps says that these pods are there still, and are not being deleted.
func (h *held) keeps(uids []types.UID) {
	h.t.Helper()
	for _, uid := range uids {
		if p := h.pods[uid]; p == nil || p.DeletionTimestamp != nil {
			h.t.Errorf("one of the %d pods that were to be kept went; now %s", len(uids), h)
		}
	}
}

// await waits until the pods are as written: how many there are of each template, and in parentheses how many of them
// are Ready where not all are.
func (h *held) await(want string) {
	h.t.Helper()
	h.until(want, func() bool { return h.String() == want })
}

// stays waits until the pods are as written and proves that the controllers leave them so, with no waiting for nothing
// to happen: the Deployment gets a new generation that changes nothing, and when the controller says that it has seen
// that one, together with the very pods that there are, it has decided. Twice, as the first decision may rest on an
// older sight of the ReplicaSets.
func (h *held) stays(want string) {
	h.t.Helper()
	h.await(want)
	before := h.uids("")
	h.decide(want)
	if diff := cmp.Diff(before, h.uids("")); h.String() != want || diff != "" {
		h.t.Fatalf("%s became %s; pods: -before +after\n%s", want, h, diff)
	}
}

// decide returns when the controllers have decided about the pods that there are.
func (h *held) decide(want string) {
	h.t.Helper()
	for range 2 {
		h.until("ReplicaSets that have what they want in "+want, h.setsAgree)
		h.limit++
		h.patch(h.kind.Kind, "web", fmt.Sprintf(`{"spec":{"revisionHistoryLimit":%d}}`, h.limit))
		h.until("decision about "+want, h.decided)
	}
	h.catchUp()
	h.until("ReplicaSets that have what they want in "+want, h.setsAgree)
}

// decided says whether the controller has seen the last limit, together with the very pods that there are.
func (h *held) decided() bool {
	total, ready := h.count("")
	updated := func(template corev1.PodSpec) int32 { n, _ := h.count(letter(template)); return n }
	switch {
	case h.deployment != nil:
		d := h.deployment
		updated := func(corev1.PodSpec) int32 { n, _ := h.countOf(h.newest()); return n }
		return *d.Spec.RevisionHistoryLimit == int32(h.limit) && d.Status.ObservedGeneration == d.Generation &&
			d.Status.Replicas == total && d.Status.ReadyReplicas == ready && d.Status.UpdatedReplicas == updated(d.Spec.Template.Spec)
	case h.stateful != nil:
		s := h.stateful
		return *s.Spec.RevisionHistoryLimit == int32(h.limit) && s.Status.ObservedGeneration == s.Generation &&
			s.Status.Replicas == total && s.Status.ReadyReplicas == ready && s.Status.UpdatedReplicas == updated(s.Spec.Template.Spec)
	case h.daemon != nil:
		d := h.daemon
		return *d.Spec.RevisionHistoryLimit == int32(h.limit) && d.Status.ObservedGeneration == d.Generation &&
			d.Status.CurrentNumberScheduled == total && d.Status.NumberReady == ready &&
			d.Status.UpdatedNumberScheduled == updated(d.Spec.Template.Spec)
	}
	return false
}

// setsAgree says whether each ReplicaSet has as many pods as it wants, and knows how they are.
func (h *held) setsAgree() bool {
	for _, s := range h.sets {
		total, ready := h.countOf(s)
		if s.Status.ObservedGeneration != s.Generation || *s.Spec.Replicas != total ||
			s.Status.Replicas != total || s.Status.ReadyReplicas != ready {
			return false
		}
	}
	return true
}

// catchUp reads the watches up to now: each is written to, and what comes before that was seen when that is.
func (h *held) catchUp() {
	h.t.Helper()
	h.limit++
	note := fmt.Sprint(h.limit)
	body := `{"metadata":{"annotations":{"note":"` + note + `"}}}`
	for _, s := range slices.Collect(maps.Values(h.sets)) { // until changes the map
		h.patch("ReplicaSet", s.Name, body)
		h.until("note on "+s.Name, func() bool { return h.sets[s.UID] != nil && h.sets[s.UID].Annotations["note"] == note })
	}
	if uids := h.uids(""); len(uids) > 0 {
		h.patch("Pod", h.pods[uids[0]].Name, body)
		h.until("note on a pod", func() bool { return h.pods[uids[0]] != nil && h.pods[uids[0]].Annotations["note"] == note })
	}
}

// mark lets low and high begin anew.
func (h *held) mark() {
	_, ready := h.count("")
	h.low, h.high = int(ready), h.wanted()
	if h.kind != deployments {
		h.high = len(h.uids(""))
	}
}

// wanted is how many pods the ReplicaSets want together.
func (h *held) wanted() int {
	sum := 0
	for _, s := range h.sets {
		sum += int(*s.Spec.Replicas)
	}
	return sum
}

// never says that since mark there were never fewer Ready pods, nor more pods wanted.
func (h *held) never(fewer, more int) {
	h.t.Helper()
	if h.low < fewer || h.high > more {
		h.t.Errorf("there were %d Ready pods, and %d were wanted, at a time; want never fewer than %d, never more than %d",
			h.low, h.high, fewer, more)
	}
}

func (h *held) until(what string, done func() bool) {
	h.t.Helper()
	late := time.After(patience)
	for !done() {
		var event watch.Event
		var open bool
		select {
		case event, open = <-h.watches[0].ResultChan():
		case event, open = <-h.watches[1].ResultChan():
		case event, open = <-h.watches[2].ResultChan():
		case <-late:
			h.t.Fatalf("not seen: %s; there is %s", what, h)
		}
		if !open {
			h.t.Fatal("a watch has ended")
		}
		h.see(event)
	}
}

func (h *held) see(event watch.Event) {
	gone := event.Type == watch.Deleted
	switch o := event.Object.(type) {
	case *corev1.Pod:
		if h.pods[o.UID] = o; gone {
			delete(h.pods, o.UID)
		}
		_, ready := h.count("")
		h.low = min(h.low, int(ready))
		if h.kind != deployments {
			h.high = max(h.high, len(h.uids("")))
		}
	case *appsv1.ReplicaSet:
		if h.sets[o.UID] = o; gone {
			delete(h.sets, o.UID)
		}
		h.high = max(h.high, h.wanted())
	case *appsv1.Deployment:
		if h.deployment = o; gone {
			h.deployment = nil
		}
	case *appsv1.StatefulSet:
		if h.stateful = o; gone {
			h.stateful = nil
		}
	case *appsv1.DaemonSet:
		if h.daemon = o; gone {
			h.daemon = nil
		}
	default:
		h.t.Fatalf("watch: %v", event)
	}
}

// count counts the pods of a template that are not being deleted, and those of them that are Ready; of "" all.
func (h *held) count(template string) (total, ready int32) {
	for _, uid := range h.uids(template) {
		total++
		if isReady(h.pods[uid]) {
			ready++
		}
	}
	return total, ready
}

// countOf counts the pods of a ReplicaSet, of which there may be two of one letter; without one there are none.
func (h *held) countOf(s *appsv1.ReplicaSet) (total, ready int32) {
	for _, uid := range h.uids("") {
		if p := h.pods[uid]; s != nil && metav1.IsControlledBy(p, s) {
			total++
			if isReady(p) {
				ready++
			}
		}
	}
	return total, ready
}

// newest is the ReplicaSet of the Deployment's present template; nil while there is none.
func (h *held) newest() *appsv1.ReplicaSet {
	const revision = "deployment.kubernetes.io/revision"
	for _, s := range h.sets {
		if s.Annotations[revision] == h.deployment.Annotations[revision] {
			return s
		}
	}
	return nil
}

// String is like {A6(4) B2}: six pods of template a, of which four are Ready, and two of b.
func (h *held) String() string {
	letters := map[string]bool{}
	for _, uid := range h.uids("") {
		letters[letter(h.pods[uid].Spec)] = true
	}
	var words []string
	for _, l := range slices.Sorted(maps.Keys(letters)) {
		total, ready := h.count(l)
		word := fmt.Sprintf("%s%d", strings.ToUpper(l), total)
		if ready != total {
			word += fmt.Sprintf("(%d)", ready)
		}
		words = append(words, word)
	}
	return "{" + strings.Join(words, " ") + "}"
}

// letter is the template that a pod is made from: its image's tag.
func letter(spec corev1.PodSpec) string {
	image := spec.Containers[0].Image
	return image[strings.LastIndexByte(image, ':')+1:]
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

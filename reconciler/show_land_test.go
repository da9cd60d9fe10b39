package reconciler

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// shopWorkload is a Deployment that nothing but the test looks after.
const shopWorkload = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.example.com/web:1.4.2"}]}
`

// isDone says of the Deployment what its controller would, were there one, and makes its ReplicaSet and pod.
func (l *land) isDone(env, ip string) {
	l.Helper()
	namespace := l.name + "-" + env
	live, err := l.core.AppsV1().Deployments(namespace).Get(l.Context(), "web", metav1.GetOptions{})
	if err != nil {
		l.Fatal(err)
	}
	owned := func(kind, name string, by metav1.Object) metav1.OwnerReference {
		yes := true
		return metav1.OwnerReference{APIVersion: "apps/v1", Kind: kind, Name: name, UID: by.GetUID(), Controller: &yes}
	}
	labels := map[string]string{"app": "web", "pod-template-hash": "abc"}
	template := live.Spec.Template
	template.Labels = labels
	set, err := l.core.AppsV1().ReplicaSets(namespace).Create(l.Context(), &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "web-abc", Labels: labels, OwnerReferences: []metav1.OwnerReference{owned("Deployment", "web", live)}},
		Spec:       appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
	}, metav1.CreateOptions{})
	if err != nil {
		l.Fatal(err)
	}
	pod, err := l.core.CoreV1().Pods(namespace).Create(l.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-abc-1", Labels: labels, OwnerReferences: []metav1.OwnerReference{owned("ReplicaSet", "web-abc", set)}},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: template.Spec.Containers},
	}, metav1.CreateOptions{})
	if err != nil {
		l.Fatal(err)
	}
	pod.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "web", Ready: true, RestartCount: 2}},
	}
	if _, err := l.core.CoreV1().Pods(namespace).UpdateStatus(l.Context(), pod, metav1.UpdateOptions{}); err != nil {
		l.Fatal(err)
	}
	live.Status = appsv1.DeploymentStatus{
		ObservedGeneration: live.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}, {Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		},
	}
	if _, err := l.core.AppsV1().Deployments(namespace).UpdateStatus(l.Context(), live, metav1.UpdateOptions{}); err != nil {
		l.Fatal(err)
	}
}

// warn says something of the Deployment, as a controller would.
func (l *land) warn(env, reason, message string) {
	l.Helper()
	namespace := l.name + "-" + env
	live, err := l.core.AppsV1().Deployments(namespace).Get(l.Context(), "web", metav1.GetOptions{})
	if err != nil {
		l.Fatal(err)
	}
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: "web-", Namespace: namespace},
		InvolvedObject: corev1.ObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: namespace, Name: "web", UID: live.UID},
		Type:           corev1.EventTypeWarning, Reason: reason, Message: message, LastTimestamp: metav1.Now(),
	}
	if _, err := l.core.CoreV1().Events(namespace).Create(l.Context(), event, metav1.CreateOptions{}); err != nil {
		l.Fatal(err)
	}
}

// cell waits until what is shown of an environment is as it should be.
func (p *process) cell(k Key, what string, probe func(view.Cell) bool) (found view.Cell) {
	p.Helper()
	p.await(what, func() error {
		board, err := p.agent.View().Board(p.Context())
		if err != nil {
			return err
		}
		for _, c := range board.Cells {
			if c.Key == view.Key(k) {
				if found = c; probe(c) {
					return nil
				}
			}
		}
		text, err := json.Marshal(found)
		if err != nil {
			return err
		}
		return fmt.Errorf("it is %s", text)
	})
	return found
}

// writes counts the requests that change something.
func (p *process) writes() (n float64) {
	for _, verb := range []string{"create", "update", "patch", "delete", "dry-run"} {
		n += p.metric("sluice_api_requests_total", verb)
	}
	return n
}

// TestViewTellsTheTruth: through a release, its failure, and one that Git cannot make; and nothing that is shown writes anything or
// has a value of a Secret in it.
func TestViewTellsTheTruth(t *testing.T) {
	l := newLand(t)
	l.rules.Links.Status = ""
	file := strings.Replace(l.application("shop", "", "staging", "production"), "name: production,",
		"name: production, follow: pin, promotion: {from: staging, by: manual, when: {healthyFor: 1h}},", 1)
	first := l.git.Commit(t, "shop", gittest.Change{Message: "Sell shoes", Files: map[string]string{
		"shop/sluice.yaml": file, "shop/deploy/web.yaml": shopWorkload, "shop/deploy/a.yaml": configMap("a", "https://me:"+password+"@db"),
		"shop/deploy/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: " + password + "}\n",
	}})
	p := l.start("one")
	shows, staging := p.agent.View(), view.Key(shop)
	told, shown := shows.Changes(t.Context()), ""
	keep := func(all ...any) {
		for _, one := range all {
			text, err := json.Marshal(one)
			if err != nil {
				t.Fatal(err)
			}
			shown += string(text)
		}
	}
	c := p.cell(shop, "it is under way", func(c view.Cell) bool {
		return c.Phase == "Progressing" && c.Health == view.Changing && len(c.NotWell) > 0
	})
	keep(c)
	if c.IsWell() || c.Release.Version != "1.4.2" || c.Objects != 3 || c.Cluster != "local" || c.Repository != "shop" {
		t.Errorf("under way it is %+v", c)
	}
	l.warn("staging", "FailedCreate", "no quota for "+password)
	c = p.cell(shop, "the cluster's own words", func(c view.Cell) bool { return len(c.Events) > 0 })
	if e := c.Events[0]; e.Object != "Deployment/"+l.name+"-staging/web" || e.Reason != "FailedCreate" || e.Message != "no quota for <secret>" || !e.Warning || e.At.IsZero() {
		t.Errorf("the cluster said %+v", e)
	}
	keep(c)
	l.isDone("staging", "10.1.2.3")
	l.awaitLine("staging", "shop", first, "Healthy")
	c = p.cell(shop, "it is well", view.Cell.IsWell)
	if c.Release.Revision != first || c.Release.Subject != "Sell shoes" || c.Release.Author == "" || c.Release.Began.IsZero() || len(c.Steps) == 0 || c.Namespace != l.name+"-staging" {
		t.Errorf("well it is %+v", c)
	}
	production := p.cell(Key{"shop", "production"}, "production waits for a pin", func(c view.Cell) bool { return c.Reason != "" && len(c.Requests) == 1 })
	if production.Place != 1 || production.Promotion == nil || production.Promotion.When[0] != "healthy for 1h" || production.Requests[0].Revision != first || production.Requests[0].Due {
		t.Errorf("production is %+v", production)
	}
	select {
	case <-told:
	case <-time.After(patience):
		t.Error("nobody was told of a change")
	}

	l.awaitLine("production", "shop", first, "Blocked")
	l.await("all is at rest", func() error { return p.rests(shop) })
	if rested := p.cell(shop, "it rests", view.Cell.IsWell); len(rested.Events) != 1 || rested.Events[0].Reason != "FailedCreate" {
		t.Errorf("at rest the events of the release are %+v", rested.Events)
	}
	objects, err := shows.Objects(t.Context(), staging)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]view.Object{}
	for _, o := range objects {
		byID[o.ID] = o
	}
	namespace := l.name + "-staging/"
	pod, set, web := byID["Pod/"+namespace+"web-abc-1"], byID["ReplicaSet/"+namespace+"web-abc"], byID["Deployment/"+namespace+"web"]
	if len(objects) != 5 || pod.Pod == nil || pod.Pod.IP != "10.1.2.3" || pod.Pod.Node != "node-1" || pod.Pod.Restarts != 2 || !pod.Pod.Ready {
		t.Errorf("of %d objects the pod is %+v", len(objects), pod)
	}
	if pod.Parent != set.ID || set.Parent != web.ID || web.Parent != "" || web.Health != "Current" {
		t.Errorf("the tree is %+v, %+v, %+v", pod, set, web)
	}
	for _, o := range objects {
		manifest, err := shows.Manifest(t.Context(), staging, o.ID)
		if owned := o.Parent == ""; owned != (err == nil) || !owned && !errors.Is(err, view.ErrUnknown) || owned && !strings.Contains(manifest, "kind: "+o.Kind) {
			t.Errorf("the manifest of %s is %q, %v", o.ID, manifest, err)
		}
		keep(manifest)
	}
	history, err := shows.History(t.Context(), "shop")
	if err != nil || len(history.Releases) != 2 || history.Stale != "" || len(history.Metrics) != 2*weeks {
		t.Fatalf("the history is %+v, %v", history.Releases, err)
	}
	for _, past := range history.Releases { // production's was Blocked
		if past.Live != (past.Environment == "staging") || past.Subject != "Sell shoes" || past.Standing != "verified" || past.Agent != l.name {
			t.Errorf("the history of %s is %+v", past.Environment, past)
		}
	}
	l.await("a look writes nothing", func() error { // the lease is renewed every other second
		writes := p.writes()
		_, ofObjects := shows.Objects(t.Context(), staging)
		_, ofManifest := shows.Manifest(t.Context(), staging, web.ID)
		_, ofHistory := shows.History(t.Context(), "shop")
		if now := p.writes(); now != writes {
			return fmt.Errorf("looking wrote %v times", now-writes)
		}
		return errors.Join(ofObjects, ofManifest, ofHistory)
	})
	keep(objects, history)

	bad := strings.Replace(shopWorkload, "replicas: 1", "replicas: -1", 1)
	second := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/web.yaml": bad, "shop/deploy/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: other-" + password + "}\n"}})
	c = p.cell(shop, "it failed", func(c view.Cell) bool { return c.Phase == "Failed" || c.Phase == "RolledBack" })
	if c.Release.Revision != second || !strings.Contains(c.Reason, "replicas") || c.Proven == nil || c.Proven.Revision != first || c.IsWell() {
		t.Errorf("failed it is %+v", c)
	}
	diff, err := shows.Diff(t.Context(), view.Side{Key: staging, Revision: first}, view.Side{Key: staging, Revision: second})
	if err != nil || len(diff.Changed) != 2 || diff.Changed[0].Lines[0] != "~ spec.replicas: 1 → -1" {
		t.Errorf("the difference is %+v, %v", diff, err)
	}
	keep(c, diff)
	third := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/web.yaml": "kind: ["}})
	c = p.cell(shop, "it does not render", func(c view.Cell) bool { return c.Next != nil && strings.Contains(c.Next.Reason, "web.yaml") })
	diff, err = shows.Diff(t.Context(), view.Side{Key: staging, Revision: first}, view.Side{Key: staging, Revision: third})
	if err != nil || !strings.Contains(diff.Failed, "web.yaml") {
		t.Errorf("what does not render is compared: %+v, %v", diff, err)
	}
	keep(diff)
	history, err = shows.History(t.Context(), "shop")
	if err != nil {
		t.Error(err)
	}
	board, err := shows.Board(t.Context())
	if err != nil || len(board.Agent.Repositories) != 1 || board.Agent.Repositories[0].Fetched.IsZero() || !board.Agent.Clusters[0].Ready {
		t.Errorf("the agent is %+v, %v", board.Agent, err)
	}
	keep(c, history, board)
	for _, secret := range []string{password, gittest.Password} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
	for _, unknown := range []view.Key{{Application: "shop", Environment: "nowhere"}, {Application: "nobody", Environment: "staging"}} {
		if _, err := shows.Objects(t.Context(), unknown); !errors.Is(err, view.ErrUnknown) {
			t.Errorf("the objects of %s: %v", unknown, err)
		}
		if _, err := shows.Diff(t.Context(), view.Side{Key: unknown, Revision: first}, view.Side{Key: unknown, Revision: second}); !errors.Is(err, view.ErrUnknown) {
			t.Errorf("a difference of %s: %v", unknown, err)
		}
	}
	aside := l.git.Commit(t, "shop", gittest.Change{Branch: "aside", Files: map[string]string{"shop/notes.txt": "not for everybody"}})
	if _, err := shows.Diff(t.Context(), view.Side{Key: staging, Revision: aside}, view.Side{Key: staging}); !errors.Is(err, view.ErrUnknown) {
		t.Errorf("a commit that was never released is looked up: %v", err)
	}
	if _, err := shows.Diff(t.Context(), view.Side{Key: staging, Revision: "HEAD"}, view.Side{Key: staging}); !errors.Is(err, view.ErrUnknown) {
		t.Errorf("a name is looked up: %v", err)
	}
}

// errOther is that something is other than it should be.
var errOther = errors.New("it should be otherwise")

// TestViewSaysSinceWhenGitIsAway: what was known stays, with since when nobody heard more.
func TestViewSaysSinceWhenGitIsAway(t *testing.T) {
	l := newLand(t)
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")}})
	p := l.start("one")
	l.awaitLine("staging", "shop", first, "Healthy")
	p.cell(shop, "it is well", view.Cell.IsWell)
	l.await("the history is known", func() error {
		if known, err := p.agent.View().History(t.Context(), "shop"); err != nil || len(known.Releases) != 1 {
			return fmt.Errorf("it is %+v: %w", known, cmp.Or(err, errOther))
		}
		return nil
	})
	if err := l.git.Order(gittest.Fault{Kind: gittest.Down}); err != nil {
		t.Fatal(err)
	}
	c := p.cell(shop, "it is old", func(c view.Cell) bool { return c.Stale != "" })
	if !strings.Contains(c.Stale, "the repository shop does not answer since ") || c.Phase != "Healthy" || c.IsWell() {
		t.Errorf("it is %+v", c)
	}
	l.await("the history is old", func() error {
		history, err := p.agent.View().History(t.Context(), "shop")
		if err != nil || len(history.Releases) != 1 || !strings.Contains(history.Stale, "down by order") {
			return fmt.Errorf("it is %+v: %w", history, cmp.Or(err, errOther))
		}
		return nil
	})
	l.git.Lift()
	p.cell(shop, "it is well again", view.Cell.IsWell)
}

package rollout

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

func configMap(name, value string) string {
	return "{apiVersion: v1, kind: ConfigMap, metadata: {name: " + name + "}, data: {k: " + value + "}}"
}

func TestWatch_SeesWhatIsThereAndWhatComes(t *testing.T) {
	w := newWorld(t, nil)
	if w.observer.Synced(configMaps, w.namespace) {
		t.Error("synced before Watch")
	}
	before := w.apply(configMap("before", "a"))
	w.observer.Watch(configMaps, plural(configMaps), true, w.namespace, nil)
	w.until("object of before", func() bool { return w.seen(w.id(configMaps, "before")) })
	w.until("synced", func() bool { return w.observer.Await(w.key, configMaps, w.namespace) })
	w.apply(configMap("after", "a"))
	w.until("object of after", func() bool { return w.seen(w.id(configMaps, "after")) })

	got, _ := w.observer.Get(w.id(configMaps, "before"))
	want := Object{
		ID: w.id(configMaps, "before"), Key: w.key, Version: "v1", UID: string(before.GetUID()),
		ResourceVersion: before.GetResourceVersion(), Hash: projection(before), Status: Current,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Get: -want +got\n%s", diff)
	}
	var names []string
	for _, o := range w.observer.Objects(w.key) {
		names = append(names, o.Name)
	}
	if diff := cmp.Diff([]string{"after", "before"}, names); diff != "" {
		t.Errorf("Objects: -want +got\n%s", diff)
	}
}

func TestWatch_IgnoresOtherAgents(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(configMaps, nil)
	foreign := w.object(configMap("foreign", "a"))
	foreign.SetLabels(map[string]string{LabelAgent: "another", LabelApplication: "shop", LabelEnvironment: w.namespace})
	if _, err := w.kube.dynamic.Resource(plural(configMaps)).Namespace(w.namespace).Create(t.Context(), foreign, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.apply(configMap("own", "a")) // what comes after it was seen, so would it have been
	w.until("own object", func() bool { return w.seen(w.id(configMaps, "own")) })
	if w.seen(w.id(configMaps, "foreign")) {
		t.Error("another agent's object is seen")
	}
}

func TestWatch_WakesOnlyForWhatMatters(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(configMaps, nil)
	patch := func(name, body string) {
		t.Helper()
		_, err := w.kube.dynamic.Resource(plural(configMaps)).Namespace(w.namespace).
			Patch(t.Context(), name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldManager: "somebody"})
		if err != nil {
			t.Fatal(err)
		}
	}
	barrier := Key{"barrier", w.namespace}
	passed := func() []Reason { // all events of before were handled when this one is
		t.Helper()
		o := w.object("{apiVersion: v1, kind: ConfigMap, metadata: {generateName: barrier-}}")
		o.SetLabels(map[string]string{LabelAgent: w.namespace, LabelApplication: barrier.Application, LabelEnvironment: barrier.Environment})
		if _, err := w.kube.dynamic.Resource(plural(configMaps)).Namespace(w.namespace).Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.untilWoken(barrier, DriftCandidate)
		reasons := w.reasons(w.key)
		w.forget()
		return reasons
	}

	answer := w.apply(configMap("own", "a"))
	w.observer.Note(Describe(answer, projection(answer)))
	passed() // whether the event or the note came first is chance here
	answer = w.apply(configMap("own", "b"))
	patch("own", `{"metadata":{"annotations":{"seen":"true"}}}`)
	if got := passed(); !slices.Equal(got, []Reason{DriftCandidate}) {
		t.Errorf("a changed field and a foreign annotation: woken for %v, want one drift-candidate", got)
	}
	patch("own", `{"data":{"k":"c"}}`)
	if got := passed(); !slices.Equal(got, []Reason{DriftCandidate}) {
		t.Errorf("drift: woken for %v", got)
	}
	w.observer.Note(Describe(answer, "an older answer"))
	if o, _ := w.observer.Get(w.id(configMaps, "own")); o.Hash == "an older answer" {
		t.Error("an older answer replaced what was seen later")
	}
	w.delete(configMaps, "own")
	if got := passed(); !slices.Equal(got, []Reason{Deleted}) {
		t.Errorf("deletion: woken for %v", got)
	}
	if w.seen(w.id(configMaps, "own")) {
		t.Error("the deleted object is still known")
	}
	w.observer.Note(Describe(answer, projection(answer)))
	if w.seen(w.id(configMaps, "own")) {
		t.Error("an answer from before the deletion brought the object back")
	}
}

func TestWatch_MadeAnewAndLabelRemoved(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(configMaps, nil)
	first := w.apply(configMap("own", "a"))
	w.untilWoken(w.key, DriftCandidate)
	w.forget()
	w.delete(configMaps, "own")
	w.untilWoken(w.key, Deleted)
	second := w.apply(configMap("own", "a"))
	w.untilWoken(w.key, DriftCandidate)
	if o, _ := w.observer.Get(w.id(configMaps, "own")); o.UID != string(second.GetUID()) || o.UID == string(first.GetUID()) {
		t.Errorf("UID is %q, want %q", o.UID, second.GetUID())
	}
	w.forget()
	_, err := w.kube.dynamic.Resource(plural(configMaps)).Namespace(w.namespace).Patch(t.Context(), "own", types.MergePatchType,
		[]byte(`{"metadata":{"labels":{"sluice.dev/agent":null}}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.untilWoken(w.key, Deleted)
	if w.seen(w.id(configMaps, "own")) {
		t.Error("an object without our label is still known")
	}
}

func TestWatch_DeletionWithFinalizer(t *testing.T) {
	w := newWorld(t, nil)
	w.watch(configMaps, nil)
	w.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: own, finalizers: [example.com/hold]}}")
	w.untilWoken(w.key, DriftCandidate)
	w.forget()
	w.delete(configMaps, "own")
	w.untilWoken(w.key, Deleted)
	if o, _ := w.observer.Get(w.id(configMaps, "own")); !o.Deleting || o.Status != Terminating {
		t.Errorf("deleting %v, status %s", o.Deleting, o.Status)
	}
	_, err := w.kube.dynamic.Resource(plural(configMaps)).Namespace(w.namespace).Patch(t.Context(), "own", types.MergePatchType,
		[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.until("object gone", func() bool { return !w.seen(w.id(configMaps, "own")) })
}

func TestLesson36_ContentsOfSecretsAreNeverRead(t *testing.T) {
	asked := &requests{}
	w := newWorld(t, asked.as(control))
	w.watch(secrets, nil)
	w.apply("{apiVersion: v1, kind: Secret, metadata: {name: own}, stringData: {password: hunter2}}")
	w.untilWoken(w.key, DriftCandidate)
	w.forget()
	answer := w.apply("{apiVersion: v1, kind: Secret, metadata: {name: own}, stringData: {password: hunter3}}")
	w.untilWoken(w.key, DriftCandidate)
	got, _ := w.observer.Get(w.id(secrets, "own"))
	want := Object{ID: w.id(secrets, "own"), Key: w.key, Version: "v1", UID: string(answer.GetUID()),
		ResourceVersion: answer.GetResourceVersion(), Status: Current}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Get: -want +got\n%s", diff)
	}
	accepted := asked.to("/secrets")
	if len(accepted) == 0 {
		t.Error("no request for Secrets was seen")
	}
	for _, accept := range accepted {
		if !strings.Contains(accept, "as=PartialObjectMetadata") || strings.Contains(accept, "application/json,") {
			t.Errorf("Secrets were asked for as %q", accept)
		}
	}
}

func TestWatch_OneForAllWhoAskAndIdleCostsNothing(t *testing.T) {
	asked := &requests{}
	w := newWorld(t, asked.as(control))
	w.watch(configMaps, nil)
	for range 100 {
		w.observer.Watch(configMaps, plural(configMaps), true, w.namespace, control)
		w.observer.Watch(configMaps, plural(configMaps), true, "another", control)
	}
	w.apply(configMap("own", "a"))
	w.untilWoken(w.key, DriftCandidate)
	if n := len(asked.to("/configmaps")); n != 1 {
		t.Errorf("%d requests, want one watch that lists too", n)
	}
}

// requests remembers what was asked for, and in which form.
type requests struct {
	mu   sync.Mutex
	seen []*http.Request
}

func (r *requests) as(config *rest.Config) *rest.Config {
	c := rest.CopyConfig(config)
	c.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(q *http.Request) (*http.Response, error) {
			r.mu.Lock()
			r.seen = append(r.seen, q)
			r.mu.Unlock()
			return next.RoundTrip(q)
		})
	})
	return c
}

// to returns the accepted forms of the requests whose path ends so.
func (r *requests) to(path string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []string
	for _, q := range r.seen {
		if strings.HasSuffix(q.URL.Path, path) {
			found = append(found, q.Header.Get("Accept"))
		}
	}
	return found
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func TestRun_EndsWhileTheServerIsAway(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	met := make(chan struct{}, 1)
	o := New(Config{REST: &rest.Config{Host: gone.URL}, Agent: "a", Wake: func(Key, Reason) { poke(met) }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- o.Run(ctx) }()
	o.Watch(configMaps, plural(configMaps), true, "ns", nil)
	o.Follow("ns", true)
	for o.Await(Key{"a", "b"}, configMaps, "ns"); o.Fault(configMaps, "ns") == nil; {
		<-met
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("Run did not return")
	}
	if o.Synced(configMaps, "ns") {
		t.Error("synced without an answer")
	}
}

func TestRun_RefusesAConfigThatCannotWork(t *testing.T) {
	if err := New(Config{}).Run(t.Context()); err == nil {
		t.Error("no error")
	}
}

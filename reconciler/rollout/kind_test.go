package rollout

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

var definitions = schema.GroupVersionKind{Group: definitionKind.Group, Version: "v1", Kind: definitionKind.Kind}

// widgets makes the definition of a kind that only this test has.
func (w *world) widgets() (schema.GroupVersionKind, string) {
	group := w.namespace + ".example.com"
	return schema.GroupVersionKind{Group: group, Version: "v1", Kind: "Widget"}, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.` + group + `}
spec:
  group: ` + group + `
  names: {kind: Widget, plural: widgets, singular: widget, listKind: WidgetList}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    - name: v1beta1
      served: true
      storage: false
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`
}

func (w *world) define(text string) {
	w.t.Helper()
	o := w.object(text)
	o.SetNamespace("")
	_, err := w.kube.dynamic.Resource(plural(definitions)).Apply(w.t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: "sluice"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.undefine(o.GetName()) })
}

func (w *world) undefine(name string) {
	err := w.kube.dynamic.Resource(plural(definitions)).Delete(w.t.Context(), name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) && w.t.Context().Err() == nil {
		w.t.Error(err)
	}
}

// TestWatch_KindComesAndGoes follows a kind whose definition is ours from nothing to nothing.
func TestWatch_KindComesAndGoes(t *testing.T) {
	w := newWorld(t, nil)
	widget, definition := w.widgets()
	w.observer.Watch(definitions, plural(definitions), false, w.namespace, nil)
	w.observer.Watch(widget, plural(widget), true, w.namespace, nil)
	w.until("kind is unknown", func() bool {
		w.observer.Await(w.key, widget, w.namespace)
		return apierrors.IsNotFound(w.observer.Fault(widget, w.namespace))
	})

	w.define(definition)
	w.until("kind is watched without a further Watch", func() bool { return w.observer.Await(w.key, widget, w.namespace) })
	if err := w.observer.Fault(widget, w.namespace); err != nil {
		t.Errorf("Fault after sync: %v", err)
	}
	id := w.id(widget, "own")
	w.apply("{apiVersion: " + widget.GroupVersion().String() + ", kind: Widget, metadata: {name: own}, spec: {size: 1}}")
	w.until("widget seen", func() bool { return w.seen(id) })

	w.undefine("widgets." + widget.Group)
	w.until("widget gone", func() bool { return !w.seen(id) })
	w.until("kind given up", func() bool { return !w.observer.Synced(widget, w.namespace) })

	w.define(definition)
	w.until("kind is watched again", func() bool {
		w.observer.Watch(widget, plural(widget), true, w.namespace, nil) // as each pass does
		return w.observer.Await(w.key, widget, w.namespace)
	})
}

func TestWatch_TwoVersionsOfOneKindAreNoDrift(t *testing.T) {
	w := newWorld(t, nil, func(c *Config) {
		c.Hash = func(live *unstructured.Unstructured) string { return live.GetAPIVersion() + projection(live) }
	})
	widget, definition := w.widgets()
	w.observer.Watch(definitions, plural(definitions), false, w.namespace, nil)
	w.define(definition)
	old := widget
	old.Version = "v1beta1"
	for _, gvk := range []schema.GroupVersionKind{widget, old} {
		w.until(gvk.Version+" is watched", func() bool {
			w.observer.Watch(gvk, plural(gvk), true, w.namespace, nil)
			return w.observer.Await(w.key, gvk, w.namespace)
		})
	}
	text := "{apiVersion: " + old.GroupVersion().String() + ", kind: Widget, metadata: {name: own}, spec: {size: 1}}"
	answer := w.apply(text)
	w.observer.Note(Describe(answer, old.GroupVersion().String()+projection(answer)))
	answer = w.apply(strings.Replace(text, "size: 1", "size: 2", 1))
	w.until("change seen", func() bool {
		o, _ := w.observer.Get(w.id(widget, "own"))
		return o.ResourceVersion == answer.GetResourceVersion()
	})
	if o, _ := w.observer.Get(w.id(widget, "own")); o.Version != old.Version || o.Hash != old.GroupVersion().String()+projection(answer) {
		t.Errorf("seen in version %q with hash %q", o.Version, o.Hash)
	}
}

// account makes a service account in the world's namespace with rights there, and returns its identity.
func (w *world) account(name string, rules string) *rest.Config {
	w.t.Helper()
	_, err := w.kube.core.ServiceAccounts(w.namespace).Create(w.t.Context(),
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	if rules != "" {
		w.apply("{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: " + name + "}, rules: " + rules + "}")
		w.apply("{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: " + name + "}," +
			" roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: " + name + "}," +
			" subjects: [{kind: ServiceAccount, name: " + name + ", namespace: " + w.namespace + "}]}")
	}
	as := rest.CopyConfig(control)
	as.Impersonate.UserName = "system:serviceaccount:" + w.namespace + ":" + name
	return as
}

// nobody is an identity without rights.
func nobody() *rest.Config {
	as := rest.CopyConfig(control)
	as.Impersonate.UserName = "nobody"
	return as
}

func TestWatch_ForbiddenFallsBackToTheNamespace(t *testing.T) {
	w := newWorld(t, nobody())
	reader := w.account("reader", "[{apiGroups: [''], resources: [configmaps], verbs: [list, watch]}]")
	w.apply(configMap("before", "a"))
	w.watch(configMaps, reader)
	if !w.seen(w.id(configMaps, "before")) {
		t.Error("synced without the object that is there")
	}
	w.apply(configMap("after", "a"))
	w.untilWoken(w.key, DriftCandidate)
	if w.observer.Synced(configMaps, "another") {
		t.Error("another namespace counts as synced")
	}
	w.forget()
	w.delete(configMaps, "after")
	w.untilWoken(w.key, Deleted)
}

func TestWatch_ForbiddenToAll(t *testing.T) {
	w := newWorld(t, nobody())
	w.observer.Watch(configMaps, plural(configMaps), true, w.namespace, w.account("reader", ""))
	w.observer.Watch(secrets, plural(secrets), true, w.namespace, nil)
	for _, gvk := range []schema.GroupVersionKind{configMaps, secrets} {
		w.until("fault of "+gvk.Kind, func() bool {
			return !w.observer.Await(w.key, gvk, w.namespace) && apierrors.IsForbidden(w.observer.Fault(gvk, w.namespace))
		})
	}
}

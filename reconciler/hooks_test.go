package reconciler

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/rollout"
	"github.com/sluice-cd/sluice/render"
)

const migrateJob = `
apiVersion: batch/v1
kind: Job
metadata: {name: migrate, namespace: shop, annotations: {helm.sh/hook-delete-policy: " Hook-Succeeded,hook-failed"}}
spec: {ttlSecondsAfterFinished: 0, template: {spec: {restartPolicy: Never, containers: [{name: migrate, image: migrate}]}}}
`

// withHooks is a release with hooks and a test.
func withHooks(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	hook := func(text string, weight int, events ...string) render.Hook {
		return render.Hook{Object: manifest(t, text), Weight: weight, Events: events}
	}
	made := &render.Result{
		Hooks: []render.Hook{
			hook("{apiVersion: v1, kind: Secret, metadata: {name: hooks, namespace: shop}, data: {a: Yg==}}", -5, "pre-install", "pre-upgrade"),
			hook(migrateJob, 0, "pre-upgrade", "test"),
		},
		Tests: []render.Hook{hook("{apiVersion: v1, kind: Pod, metadata: {name: smoke, namespace: shop}}", -1, "test")},
	}
	kept := []*unstructured.Unstructured{
		manifest(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {a: b}}"),
		manifest(t, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {template: {spec: {containers: [
			{name: web, envFrom: [{configMapRef: {name: web}}, {secretRef: {name: hooks}}]}]}}}}`),
	}
	return append(kept, made.All()...)
}

func namesOf(objects []*unstructured.Unstructured) (names []string) {
	for _, o := range objects {
		names = append(names, o.GetKind()+"/"+o.GetName())
	}
	return names
}

func TestHooksAmongManifests(t *testing.T) {
	objects := withHooks(t)
	want := policies.Hooks{policies.PreInstall: 1, policies.PreUpgrade: 2, policies.Test: 2}
	if diff := cmp.Diff(want, hooksIn(objects)); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	if got := namesOf(hooksAt(objects, policies.Test)); !slices.Equal(got, []string{"Pod/smoke", "Job/migrate"}) {
		t.Errorf("the tests are %v", got)
	}
	if got := namesOf(applied(objects)); !slices.Equal(got, []string{"ConfigMap/web", "Deployment/web"}) {
		t.Errorf("%v are applied", got)
	}
	if got := namesOf(due(objects, false)); slices.Contains(got, "Pod/smoke") || !slices.Contains(got, "Job/migrate") {
		t.Errorf("without tests %v may be sent", got)
	}
	if refused := twice(append(objects, manifest(t, "{apiVersion: v1, kind: Secret, metadata: {name: hooks, namespace: shop}}"))); len(refused) != 1 {
		t.Errorf("refused: %v", refused)
	}
}

// TestHooksKeepTheirNames: what a hook is has no names of its content, also where a workload reads it.
func TestHooksKeepTheirNames(t *testing.T) {
	got := strings.Join(namesOf(withNames(withHooks(t), true, nil)), " ")
	if strings.Contains(got, "Secret/hooks-") || !strings.Contains(got, "ConfigMap/web-") || !strings.HasSuffix(got, "Secret/hooks Pod/smoke Job/migrate") {
		t.Errorf("the objects are %s", got)
	}
}

func TestHookAsItIsSent(t *testing.T) {
	p := &Pass{Key: Key{"shop", "staging"}, Rules: config.Environment{Rollout: config.Rollout{HookTimeout: config.Duration(time.Minute)}}}
	h := policies.Hooking{Since: time.Unix(7, 0), Ahead: []policies.Ahead{{Moment: policies.PreUpgrade, Count: 2}}}
	run := p.runName(h)
	h.Began = time.Unix(99, 0)
	if again := p.runName(h); again != run {
		t.Errorf("the same run has the names %s and %s", run, again)
	}
	h.Next++
	if other := p.runName(h); other == run {
		t.Error("two runs have one name")
	}
	o := manifest(t, migrateJob)
	sent := p.outgoingHook(o, run)
	spec := sent.Object["spec"].(map[string]any)
	if spec["activeDeadlineSeconds"] != int64(90) || spec["ttlSecondsAfterFinished"] != int64(600) || sent.GetAnnotations()[runAnnotation] != run {
		t.Errorf("it is %v", sent.Object)
	}
	if o.GetAnnotations()[runAnnotation] != "" || p.hookLimit(o) != time.Minute {
		t.Errorf("the manifest was changed, or may take %s", p.hookLimit(o))
	}
	if got := policiesOf(o); !slices.Equal(got, []string{hookSucceeded, hookFailed}) {
		t.Errorf("its delete policies are %v", got)
	}
	o.Object["spec"].(map[string]any)["activeDeadlineSeconds"] = int64(600)
	if limit := p.hookLimit(o); limit != 600*time.Second+hookGrace {
		t.Errorf("with a bound of its own it may take %s", limit)
	}
	nameless := manifest(t, "{apiVersion: v1, kind: Pod, metadata: {generateName: smoke-}}")
	if name := p.outgoingHook(nameless, "ab").GetName(); name != "smoke-ab" {
		t.Errorf("its name is %s", name)
	}
}

// TestCollectKnowsHooks: where the state was lost, they are none of the objects that are pruned.
func TestCollectKnowsHooks(t *testing.T) {
	item := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Name: "migrate", Labels: map[string]string{rollout.LabelApplication: "shop", rollout.LabelEnvironment: "staging"},
		Annotations: map[string]string{hookAnnotation: "pre-upgrade", runAnnotation: "ab"},
	}}
	found := map[Key]possessions{}
	collect(found, schema.GroupVersionKind{Group: "batch", Version: "v1", Kind: "Job"}, []metav1.PartialObjectMetadata{item})
	want := possessions{hooks: []hookRun{{Entry: apply.Entry{ID: apply.ID{Group: "batch", Kind: "Job", Name: "migrate"}, Version: "v1"}, Run: "ab"}}}
	if diff := cmp.Diff(want, found[Key{"shop", "staging"}], cmp.AllowUnexported(possessions{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

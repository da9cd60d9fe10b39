package apply

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/google/go-cmp/cmp"
)

// foreign is a Deployment as another tool left it: with a field that Git has not.
func (f *fixture) foreign(manager string, labels, annotations map[string]string, apply bool) {
	f.Helper()
	obj := f.manifests(deployment)[0]
	obj.SetLabels(labels)
	obj.SetAnnotations(annotations)
	if err := unstructured.SetNestedField(obj.Object, int64(7), "spec", "revisionHistoryLimit"); err != nil {
		f.Fatal(err)
	}
	in, ctx := f.resource(IDOf(obj), "v1"), context.Background()
	if apply {
		must(in.Apply(ctx, obj.GetName(), obj, metav1.ApplyOptions{FieldManager: manager}))(f.T)
		return
	}
	must(in.Create(ctx, obj, metav1.CreateOptions{FieldManager: manager}))(f.T)
}

func TestAdopt(t *testing.T) {
	helm := map[string]string{"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "prod"}
	cases := map[string]struct {
		reason              string
		manager             string
		labels, annotations map[string]string
		apply               bool // server-side
		want                string
		keeps               bool // of fields that Git has not
	}{
		"Helm":             {"a release of Helm 3", "helm", map[string]string{"app.kubernetes.io/managed-by": "Helm"}, helm, false, "Helm (release prod/web)", false},
		"FluxKustomize":    {"applied by Flux", "kustomize-controller", map[string]string{"kustomize.toolkit.fluxcd.io/name": "web", "kustomize.toolkit.fluxcd.io/namespace": "flux"}, nil, true, "Flux (kustomize flux/web)", false},
		"FluxHelm":         {"Flux marks what Helm marks too", "helm-controller", map[string]string{"app.kubernetes.io/managed-by": "Helm", "helm.toolkit.fluxcd.io/name": "web", "helm.toolkit.fluxcd.io/namespace": "flux"}, helm, false, "Flux (helm flux/web)", false},
		"ArgoCD":           {"with its annotation", "argocd-controller", nil, map[string]string{"argocd.argoproj.io/tracking-id": "web:apps/Deployment:x/web"}, false, "Argo CD (application web)", false},
		"ArgoCDLabel":      {"with its older label", "argocd-controller", map[string]string{"app.kubernetes.io/instance": "web"}, nil, true, "Argo CD (application web)", false},
		"Kubectl":          {"client-side apply", "kubectl-client-side-apply", nil, map[string]string{lastApplied: "{}"}, false, "kubectl apply", false},
		"KubectlServer":    {"server-side apply", "kubectl", nil, nil, true, `somebody else (field manager "kubectl")`, false},
		"BeforeFirstApply": {"older than managedFields", "before-first-apply", nil, nil, false, `somebody else (field manager "before-first-apply")`, false},
		"Controller":       {"whose fields stay, since it may need them", "some-operator", nil, nil, false, `somebody else (field manager "some-operator")`, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			id := f.id("Deployment", "web")
			f.foreign(tc.manager, tc.labels, tc.annotations, tc.apply)
			f.edit(id, "kube-controller-manager", `{status: {observedGeneration: 1, replicas: 2}}`, "status")
			f.edit(id, "kubectl-rollout", `{spec: {template: {metadata: {annotations: {kubectl.kubernetes.io/restartedAt: today}}}}}`)
			uid := f.live(id).GetUID()
			want := "Deployment/" + f.ns + "/web: it exists already and was made by " + tc.want + "; to take it over set adopt: true"
			if _, err := f.client.Plan(f.Context(), f.request(deployment)); err == nil || err.Error() != want {
				t.Fatalf("%s: error %v; want %s", tc.reason, err, want)
			}
			req := f.request(deployment)
			req.Adopt = true
			result := f.apply(req)
			live := f.live(id)
			if live.GetUID() != uid {
				t.Error("it was made anew")
			}
			limit := map[bool]any{true: int64(7), false: int64(10)}[tc.keeps]
			if got := nested(live, "spec", "revisionHistoryLimit"); got != limit {
				t.Errorf("a field that Git has not is %v; want %v", got, limit)
			}
			if _, ok := live.GetAnnotations()[lastApplied]; ok {
				t.Error("kubectl's annotation is still there")
			}
			if got := nested(live, "spec", "template", "metadata", "annotations"); got == nil {
				t.Error("what kubectl rollout restart wrote is gone: all pods would be restarted")
			}
			managers := managersOf(live)
			if !slices.Contains(managers, "kube-controller-manager/status") {
				t.Errorf("the status lost its manager: %v", managers)
			}
			if !tc.keeps && slices.Contains(managers, tc.manager+"/") {
				t.Errorf("%s is still a manager: %v", tc.manager, managers)
			}
			if got := actions(result.Changes)["Deployment/web"]; got != Configured {
				t.Errorf("it is %s; want configured", got)
			}
			f.wire.took()
			f.again(result, deployment)
			if got := f.wire.took(); len(got) > 0 {
				t.Errorf("once adopted it costs requests: %v", got)
			}
		})
	}
}

func managersOf(obj *unstructured.Unstructured) []string {
	var names []string
	for _, m := range obj.GetManagedFields() {
		names = append(names, m.Manager+"/"+m.Subresource)
	}
	return names
}

func TestAdopt_NothingIsWrittenWhenOneDryRunFails(t *testing.T) {
	f := setUp(t)
	f.foreign("kubectl-client-side-apply", nil, map[string]string{lastApplied: "{}"}, false)
	before := f.live(f.id("Deployment", "web"))
	req := f.request(deployment, `{apiVersion: v1, kind: ConfigMap, metadata: {name: bad, namespace: NS}, data: {a: 1}}`)
	req.Adopt = true
	if _, err := f.client.Plan(f.Context(), req); err == nil {
		t.Fatal("a bad manifest was taken")
	}
	if diff := cmp.Diff(before, f.live(f.id("Deployment", "web"))); diff != "" {
		t.Errorf("it was touched: %s", diff)
	}
}

func TestAdopt_ReplicasThatGitHasNotStay(t *testing.T) {
	f := setUp(t)
	f.foreign("kubectl-client-side-apply", nil, map[string]string{lastApplied: "{}"}, false)
	seen := f.everyReplicas(f.id("Deployment", "web"))
	req := f.request(strings.ReplaceAll(deployment, "  replicas: 2\n", ""))
	req.Adopt = true
	f.apply(req)
	if got := seen(); slices.ContainsFunc(got, func(n int64) bool { return n != 2 }) || len(got) < 2 {
		t.Errorf("replicas were %v; want 2 throughout", got)
	}
}

func TestAdopt_SomebodyWritesMeanwhile(t *testing.T) {
	f := setUp(t)
	id := f.id("Deployment", "web")
	f.foreign("helm", nil, nil, false)
	req := f.request(deployment)
	req.Adopt = true
	plan := f.plan(req)
	writes := 0
	f.wire.answers(func(r *http.Request) (*http.Response, error) {
		if isWrite(r) && strings.Contains(r.Header.Get("Content-Type"), "json-patch") && writes < 2 {
			writes++
			f.edit(id, "busy", `{metadata: {annotations: {n: "`+strings.Repeat("x", writes)+`"}}}`)
		}
		return nil, nil
	})
	must(f.client.Apply(f.Context(), plan))(t)
	if writes != 2 || slices.Contains(managersOf(f.live(id)), "helm/") {
		t.Errorf("after %d writes of somebody else the managers are %v", writes, managersOf(f.live(id)))
	}
}

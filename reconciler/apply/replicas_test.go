package apply

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// everyReplicas returns a function that ends a watch on a Deployment and gives every number of replicas it ever had.
func (f *fixture) everyReplicas(id ID) func() []int64 {
	f.Helper()
	opts := metav1.ListOptions{FieldSelector: "metadata.name=" + id.Name}
	watch := must(f.resource(id, "v1").Watch(f.Context(), opts))(f.T)
	return func() []int64 {
		f.edit(id, "test", `{metadata: {annotations: {last: "yes"}}}`)
		defer watch.Stop()
		var seen []int64
		for event := range watch.ResultChan() {
			obj := event.Object.(*unstructured.Unstructured)
			n, _ := replicasOf(obj)
			seen = append(seen, n)
			if obj.GetAnnotations()["last"] == "yes" {
				break
			}
		}
		return seen
	}
}

func TestLesson38_ReplicasHandedOverStayAsTheyAre(t *testing.T) {
	eight := strings.ReplaceAll(deployment, "replicas: 2", "replicas: 8")
	none := strings.ReplaceAll(deployment, "  replicas: 2\n", "")
	cases := map[string]struct {
		reason string
		before func(*fixture)
	}{
		"Scale":          {"the subresource is used", func(*fixture) {}},
		"ScaleForbidden": {"the account may not use the subresource", func(f *fixture) { f.forbid("/scale") }},
		"DiedInBetween": {"the agent died after the hand-over", func(f *fixture) {
			f.applyAs(ScaleManager, `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: NS}, spec: {replicas: 8}}`)
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			id := f.id("Deployment", "web")
			first := f.apply(f.request(eight))
			tc.before(f)
			seen := f.everyReplicas(id)
			req := f.request(none)
			req.Inventory = first.Entries
			plan := f.plan(req)
			if slices.Contains(plan.Changes[0].Fields, "spec.replicas") {
				t.Error("the plan says that the number changes")
			}
			second := must(f.client.Apply(f.Context(), plan))(t)
			got := seen()
			if slices.ContainsFunc(got, func(n int64) bool { return n != 8 }) || len(got) < 2 {
				t.Errorf("%s: replicas were %v; want 8 throughout", tc.reason, got)
			}
			if owners := scalingOf(f.live(id), false); owners != (scaling{handed: true}) {
				t.Errorf("owners of the number: %+v; want only %s", owners, ScaleManager)
			}
			// The autoscaler sets another number. It stays, now and when Git brings one back.
			f.edit(id, "kube-controller-manager", `{spec: {replicas: 5}}`, "scale")
			third := f.again(second, eight)
			if n, _ := replicasOf(f.live(id)); n != 5 {
				t.Errorf("replicas %d after Git says 8; want 5, which somebody else set", n)
			}
			if want := `spec.replicas is left to "kube-controller-manager"`; third.Changes[0].Reason != want {
				t.Errorf("reason %q; want %q", third.Changes[0].Reason, want)
			}
		})
	}
}

// forbid makes the wire refuse writes to paths with a suffix.
func (f *fixture) forbid(suffix string) {
	f.wire.answers(func(r *http.Request) (*http.Response, error) {
		if isWrite(r) && strings.HasSuffix(r.URL.Path, suffix) {
			return refuse(r, http.StatusForbidden, "Forbidden", "refused"), nil
		}
		return nil, nil
	})
}

func TestReplicas_NewObjectWithoutANumber(t *testing.T) {
	f := setUp(t)
	f.apply(f.request(strings.ReplaceAll(deployment, "  replicas: 2\n", "")))
	if owners := scalingOf(f.live(f.id("Deployment", "web")), false); owners != (scaling{}) {
		t.Errorf("owners of the number: %+v; want nobody", owners)
	}
}

func TestReplicas_ScaledByHand(t *testing.T) {
	for _, n := range []int{5, 2} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			f := setUp(t)
			id := f.id("Deployment", "web")
			first := f.apply(f.request(deployment))
			f.edit(id, "kubectl", `{spec: {replicas: 7}}`, "scale")
			f.edit(id, "kubectl", fmt.Sprintf(`{spec: {replicas: %d}}`, n), "scale")
			if got, _ := first.Entries.Find(id); got.Hash != f.cluster.Hash(f.live(id)) {
				t.Error("a number that somebody else owns is taken for drift")
			}
			second := f.again(first, strings.ReplaceAll(deployment, "shop:1", "shop:2"))
			if got, _ := replicasOf(f.live(id)); got != int64(n) {
				t.Errorf("replicas %d; want %d", got, n)
			}
			if owners := scalingOf(f.live(id), false); owners != (scaling{foreign: "kubectl"}) {
				t.Errorf("owners of the number: %+v; want only kubectl", owners)
			}
			req := f.request(strings.ReplaceAll(deployment, "shop:1", "shop:2"))
			req.Inventory, req.Verify = second.Entries, true
			if got := f.plan(req).Changes[0]; got.Action != Unchanged {
				t.Errorf("afterwards: %+v; want unchanged", got)
			}
		})
	}
}

func TestReplicas_ScaledBetweenPlanAndApply(t *testing.T) {
	f := setUp(t)
	id := f.id("Deployment", "web")
	first := f.apply(f.request(deployment))
	req := f.request(strings.ReplaceAll(deployment, "replicas: 2", "replicas: 3"))
	req.Inventory = first.Entries
	plan := f.plan(req)
	f.edit(id, "kube-controller-manager", `{spec: {replicas: 6}}`, "scale")
	must(f.client.Apply(f.Context(), plan))(t)
	if got, _ := replicasOf(f.live(id)); got != 6 {
		t.Errorf("replicas %d; want 6", got)
	}
}

func TestReplicas_GitChangesItsOwnNumber(t *testing.T) {
	f := setUp(t)
	first := f.apply(f.request(deployment))
	f.again(first, strings.ReplaceAll(deployment, "replicas: 2", "replicas: 4"))
	if got, _ := replicasOf(f.live(f.id("Deployment", "web"))); got != 4 {
		t.Errorf("replicas %d; want 4", got)
	}
}

// TestReplicas_ScaledToZeroStays: a scale to 0 leaves the number with no owner at all, and so does one from 0, and yet it
// is somebody's.
func TestReplicas_ScaledToZeroStays(t *testing.T) {
	f := setUp(t)
	first := f.apply(f.request(deployment))
	id := first.Entries[0].ID
	f.edit(id, "kube-controller-manager", `{spec: {replicas: 0}}`, "scale")
	if owners := scalingOf(f.live(id), false); owners != (scaling{}) {
		t.Errorf("the API server notes an owner by now: %+v", owners)
	}
	second := f.again(first, strings.ReplaceAll(deployment, "shop:1", "shop:2"))
	if got := nested(f.live(id), "spec", "replicas"); got != int64(0) {
		t.Errorf("replicas are %v after a release; want 0", got)
	}
	f.edit(id, "kube-controller-manager", `{spec: {replicas: 5}}`, "scale")
	f.again(second, deployment)
	if got := nested(f.live(id), "spec", "replicas"); got != int64(5) {
		t.Errorf("replicas are %v after the next; want 5", got)
	}
}

package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestClaimTemplate: what others write into a template after it was seen goes with the next apply; what they wrote before
// stays, and so does the template until then.
func TestClaimTemplate(t *testing.T) {
	f := setUp(t)
	id := IDOf(f.manifests(deployment)[0])
	f.apply(f.request(deployment))
	f.edit(id, "injector", `{"spec":{"template":{"metadata":{"annotations":{"injected":"yes"}}}}}`)
	f.patchJSON(id, "injector", `[{"op":"add","path":"/spec/template/spec/containers/-","value":{"name":"proxy","image":"proxy:1"}}]`)
	template := func() map[string]any {
		found, _, err := unstructured.NestedMap(f.live(id).Object, "spec", "template")
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	earlier := template()
	f.edit(id, "kubectl-rollout", `{"spec":{"template":{"metadata":{"annotations":{"restartedAt":"now"}}}}}`)
	f.patchJSON(id, "kubectl-set", `[{"op":"add","path":"/spec/template/spec/containers/0/env","value":[{"name":"DEBUG","value":"1"}]}]`)
	edited := template()
	if cmp.Equal(earlier, edited) {
		t.Fatal("the edits changed nothing")
	}
	if err := f.client.ClaimTemplate(t.Context(), f.owner, f.manifests(deployment)[0], earlier); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(edited, template()); diff != "" {
		t.Errorf("the template was changed before the apply: -want +got\n%s", diff)
	}
	would, err := f.client.Prepare(t.Context(), f.owner, f.manifests(deployment)[0])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(earlier, nested(would.Would, "spec", "template")); diff != "" {
		t.Errorf("the apply does not bring the earlier template back: -want +got\n%s", diff)
	}
	f.wire.took()
	if err := f.client.ClaimTemplate(t.Context(), f.owner, f.manifests(deployment)[0], edited); err != nil {
		t.Fatal(err)
	}
	for _, request := range f.wire.took() {
		if request[:3] != "GET" {
			t.Errorf("with nothing to do it asked %s", request)
		}
	}
}

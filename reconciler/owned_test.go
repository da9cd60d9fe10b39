package reconciler

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// TestCollectLeavesCopiedLabels: what a controller labelled as we labelled something else is not ours.
func TestCollectLeavesCopiedLabels(t *testing.T) {
	cases := map[string]struct {
		managers []string
		want     int
	}{
		"Ours":         {[]string{"kubectl-edit", apply.Manager}, 1},
		"EndpointsOf":  {[]string{"kube-controller-manager"}, 0},
		"NobodyIsSaid": {nil, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			item := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
				Name: "web", Labels: map[string]string{rollout.LabelApplication: "shop", rollout.LabelEnvironment: "staging"},
			}}
			for _, manager := range c.managers {
				item.ManagedFields = append(item.ManagedFields, metav1.ManagedFieldsEntry{Manager: manager})
			}
			found := map[Key]possessions{}
			collect(found, schema.GroupVersionKind{Version: "v1", Kind: "Service"}, []metav1.PartialObjectMetadata{item})
			if got := len(found[Key{"shop", "staging"}].inventory); got != c.want {
				t.Errorf("%d objects are ours, want %d", got, c.want)
			}
		})
	}
}

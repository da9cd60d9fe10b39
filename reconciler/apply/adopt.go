package apply

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/fluxcd/pkg/ssa"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// wholeWriters are the field managers of tools that write whole objects. What they wrote becomes ours when an object
// is taken over, so that it goes away when Git has it not. Those that set single fields (kubectl edit, scale, rollout)
// and controllers are left alone: a take-over must not restart pods.
func wholeWriters() []string {
	return []string{
		"helm", "kustomize-controller", "helm-controller", "argocd-controller", "argocd-application-controller",
		"kubectl-client-side-apply", "kubectl", "kubectl-create", "kubectl-replace", "kubectl-last-applied",
		"before-first-apply",
	}
}

func takenOver(manager string) bool { return slices.Contains(wholeWriters(), manager) }

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// takeOver makes the fields of tools that wrote an object before ours, in one patch that counts only for the very
// state that was looked at.
func (c *Client) takeOver(ctx context.Context, s *step, owner Owner) error {
	return c.patched(ctx, s, "it changes too often to be taken over", func(live *unstructured.Unstructured) ([]operation, error) {
		if _, refused := owner.claim(live, c.cluster.agent, false, true); refused != "" {
			return nil, &ObjectError{ID: s.ID, Reason: refused, Code: http.StatusConflict}
		}
		return takeOverPatch(live)
	})
}

// patched patches a step's object as often as it takes until nobody else wrote in between. The patch is made of the very
// state that it counts for; nil: there is nothing to do.
func (c *Client) patched(ctx context.Context, s *step, tooOften string, of func(live *unstructured.Unstructured) ([]operation, error)) error {
	for range tries {
		live, err := c.get(ctx, s.kind, s.ID)
		if err != nil {
			return err
		}
		if live.GetUID() != s.live.GetUID() {
			return &ObjectError{ID: s.ID, Reason: "it was made anew by somebody else meanwhile", Transient: true, Code: http.StatusConflict}
		}
		patch, err := of(live)
		if err != nil || patch == nil {
			return err
		}
		// Replacing the resourceVersion by the one that was seen makes any other a conflict, as client-go's csaupgrade does it.
		patch = append(patch, operation{Op: "replace", Path: "/metadata/resourceVersion", Value: live.GetResourceVersion()})
		opts := metav1.PatchOptions{FieldManager: Manager}
		if _, err = c.patch(ctx, s.kind, s.ID, types.JSONPatchType, patch, opts); !apierrors.IsConflict(err) {
			return err
		}
	}
	return &ObjectError{ID: s.ID, Reason: tooOften, Transient: true, Code: http.StatusConflict}
}

// takeOverPatch returns nil where nothing is to be done.
func takeOverPatch(live *unstructured.Unstructured) ([]operation, error) {
	var managers []ssa.FieldManager
	for _, name := range wholeWriters() {
		for _, op := range []metav1.ManagedFieldsOperationType{metav1.ManagedFieldsOperationUpdate, metav1.ManagedFieldsOperationApply} {
			managers = append(managers, ssa.FieldManager{Name: name, ExactMatch: true, OperationType: op})
		}
	}
	fields, err := ssa.PatchReplaceFieldsManagers(live, managers, Manager)
	if err != nil {
		return nil, fmt.Errorf("take over managed fields: %w", err)
	}
	var patch []operation
	for _, p := range append(ssa.PatchRemoveAnnotations(live, []string{lastApplied}), fields...) {
		op := operation{Op: p.Operation, Path: p.Path}
		if p.Value != nil {
			op.Value = p.Value
		}
		patch = append(patch, op)
	}
	return patch, nil
}

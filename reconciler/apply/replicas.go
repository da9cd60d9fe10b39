package apply

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// tries is how often a write is begun anew that met somebody else's. Each time somebody else has made progress.
const tries = 5

// scaling says who owns a number of replicas.
type scaling struct {
	ours    bool   // we do, or will after a take-over
	handed  bool   // ScaleManager does
	foreign string // the first other manager that does
}

func scalingOf(live *unstructured.Unstructured, takeOver bool) scaling {
	var s scaling
	meta, _ := live.Object["metadata"].(map[string]any)
	entries, _ := meta["managedFields"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		fields, _ := entry["fieldsV1"].(map[string]any)
		spec, _ := fields["f:spec"].(map[string]any)
		if _, owns := spec["f:replicas"]; !owns {
			continue
		}
		manager, _ := entry["manager"].(string)
		sub, _ := entry["subresource"].(string)
		switch {
		case manager == Manager && entry["operation"] == "Apply" && sub == "":
			s.ours = true
		case manager == ScaleManager:
			s.handed = true
		case takeOver && sub == "" && takenOver(manager):
			s.ours = true
		case s.foreign == "":
			s.foreign = manager
		}
	}
	return s
}

// decideReplicas settles what is sent as spec.replicas to an object that is there: what Git says, unless somebody
// else owns the number; nothing where Git says nothing, after the number was handed over that only we own.
func (s *step) decideReplicas() {
	_, wanted := replicasOf(s.obj)
	n, there := replicasOf(s.live)
	owners := scalingOf(s.live, s.takeOver)
	switch {
	case wanted && owners.foreign != "":
		s.leaveReplicas(owners.foreign)
	case wanted && there && n != 1 && !owners.ours && !owners.handed:
		// The API server notes nobody for a scale to 0, and nobody for one from there. The number 1 that nobody owns is
		// its default, where Git had none.
		s.leaveReplicas("whoever scaled it to 0")
	case !wanted && there && owners.ours && !owners.handed && owners.foreign == "":
		s.handOver = true
		s.Reason = "spec.replicas stays as it is, and is left to whoever scales it"
	}
}

// leaveReplicas leaves the number out of what is sent, since another manager owns it.
func (s *step) leaveReplicas(to string) {
	s.obj = withReplicas(s.obj, nil)
	s.Reason = fmt.Sprintf("spec.replicas is left to %q", to)
}

// handOverReplicas makes ScaleManager own the live number, so that it stays when we leave it out. Where somebody
// else changed it meanwhile, they own it, and nothing is to be done.
func (c *Client) handOverReplicas(ctx context.Context, s *step) error {
	live := s.live
	for range tries {
		n, ok := replicasOf(live)
		if owners := scalingOf(live, s.takeOver); !ok || owners.handed || owners.foreign != "" {
			return nil
		}
		err := c.setReplicas(ctx, s, n)
		if !apierrors.IsConflict(err) {
			return err
		}
		if live, err = c.get(ctx, s.kind, s.ID); err != nil {
			return err
		}
	}
	return &ObjectError{ID: s.ID, Reason: "spec.replicas changes too often to be handed over", Transient: true, Code: http.StatusConflict}
}

// setReplicas applies the number as ScaleManager, through the subresource where there is one and it is allowed.
func (c *Client) setReplicas(ctx context.Context, s *step, n int64) error {
	opts := metav1.PatchOptions{FieldManager: ScaleManager, FieldValidation: metav1.FieldValidationStrict}
	meta := map[string]any{"name": s.ID.Name}
	if s.ID.Namespace != "" {
		meta["namespace"] = s.ID.Namespace
	}
	body := map[string]any{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": meta, "spec": map[string]any{"replicas": n}}
	if s.kind.scale {
		_, err := c.patch(ctx, s.kind, s.ID, types.ApplyPatchType, body, opts, "scale")
		if !apierrors.IsForbidden(err) {
			return err
		}
	}
	body["apiVersion"], body["kind"] = s.obj.GetAPIVersion(), s.obj.GetKind()
	_, err := c.patch(ctx, s.kind, s.ID, types.ApplyPatchType, body, opts)
	return err
}

// replicasConflict returns the manager that a refused apply would have taken the number from, if any.
func (s *step) replicasConflict(conflicts []conflict) (manager string, found bool) {
	i := slices.IndexFunc(conflicts, func(c conflict) bool {
		return c.field == "spec.replicas" && c.manager != Manager && c.manager != ScaleManager &&
			!(s.takeOver && !c.sub && takenOver(c.manager))
	})
	if i < 0 {
		return "", false
	}
	return conflicts[i].manager, true
}

package apply

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

func podKind() schema.GroupVersionKind { return schema.GroupVersionKind{Version: "v1", Kind: "Pod"} }

// DetachedNote is what is written onto a pod that is taken out.
type DetachedNote struct {
	Annotations map[string]string
	// Former is the annotation that the labels it had are written into, as JSON.
	Former string
}

// Detach takes a pod out of everything that selects it, its ReplicaSet, Services and disruption budgets: it gets these labels
// and no others. It returns false where the pod is gone, is going, or has no controller any more.
func (c *Client) Detach(ctx context.Context, pod ID, labels map[string]string, note DetachedNote) (bool, error) {
	kind, err := c.cluster.kinds.findAny(ctx, podKind())
	if err != nil {
		return false, err
	}
	for range tries {
		live, err := c.get(ctx, kind, pod)
		if apierrors.IsNotFound(err) || err == nil && (live.GetDeletionTimestamp() != nil || metav1.GetControllerOf(live) == nil) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("look at %s: %w", pod, err)
		}
		former, err := json.Marshal(live.GetLabels())
		if err != nil {
			return false, fmt.Errorf("encode labels of %s: %w", pod, err)
		}
		annotations := live.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		for key, value := range note.Annotations {
			annotations[key] = value
		}
		annotations[note.Former] = string(former)
		_, err = c.patch(ctx, kind, pod, types.JSONPatchType, []map[string]any{
			{"op": "test", "path": "/metadata/resourceVersion", "value": live.GetResourceVersion()},
			{"op": "add", "path": "/metadata/labels", "value": labels},
			{"op": "add", "path": "/metadata/annotations", "value": annotations},
		}, metav1.PatchOptions{FieldManager: Manager})
		switch {
		case err == nil:
			return true, nil
		case apierrors.IsNotFound(err):
			return false, nil
		case !apierrors.IsConflict(err) && !apierrors.IsInvalid(err): // a test that fails is invalid
			return false, fmt.Errorf("take %s out: %w", pod, err)
		}
	}
	return false, fmt.Errorf("take %s out: it changes too often", pod)
}

// Pods lists the pods of a namespace that a selector selects.
func (c *Client) Pods(ctx context.Context, namespace, selector string) (pods []*unstructured.Unstructured, err error) {
	kind, err := c.cluster.kinds.findAny(ctx, podKind())
	if err != nil {
		return nil, err
	}
	err = c.read(ctx, func(ctx context.Context) error {
		list, err := c.at(kind, ID{Namespace: namespace}).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return err
		}
		for i := range list.Items {
			pods = append(pods, &list.Items[i])
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list pods in namespace %q: %w", namespace, err)
	}
	return pods, nil
}

// Discard deletes a pod that was listed, as long as it is that pod and has the labels that it was listed by. One that is gone,
// or is another by now, is no error.
func (c *Client) Discard(ctx context.Context, pod *unstructured.Unstructured) error {
	id := IDOf(pod)
	kind, err := c.cluster.kinds.findAny(ctx, podKind())
	if err != nil {
		return err
	}
	for range tries {
		live, err := c.get(ctx, kind, id)
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return fmt.Errorf("look at %s: %w", id, err)
		case live.GetUID() != pod.GetUID(), live.GetDeletionTimestamp() != nil, !maps.Equal(live.GetLabels(), pod.GetLabels()):
			return nil
		}
		if err := c.remove(ctx, kind, id, live); err == nil || apierrors.IsNotFound(err) {
			return nil
		} else if !apierrors.IsConflict(err) {
			return fmt.Errorf("delete %s: %w", id, err)
		}
	}
	return fmt.Errorf("delete %s: it changes too often", id)
}

package apply

import (
	"context"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var podVersion = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}

// Evict deletes a pod as long as it is the one of this UID and the workload of that UID controls it; its controller makes
// another one. It is looked at first, and deleted in the very state that was seen. One that is gone, is being deleted, or
// is another by now is nothing to do. Dry only asks whether it may. The error is an [ObjectError], or ctx has ended.
//
// It is no request to the eviction API: a disruption budget would keep the pods that are not Ready, which are to go first.
func (c *Client) Evict(ctx context.Context, pod ID, uid, workload string, dry bool) (deleted bool, err error) {
	if c.broken != nil {
		return false, c.broken
	}
	if c.reserved(pod) {
		return false, &ObjectError{ID: pod, Reason: "the namespace is reserved"}
	}
	found, err := c.cluster.kinds.find(ctx, podVersion)
	if err != nil {
		return false, c.fault(ctx, pod, err)
	}
	for range tries {
		live, err := c.get(ctx, found, pod)
		switch {
		case apierrors.IsNotFound(err):
			return false, nil
		case err != nil:
			return false, c.fault(ctx, pod, err)
		case !mayGo(live, uid, workload):
			return false, nil
		}
		remove := c.remove
		if dry {
			remove = c.wouldRemove
		}
		switch err := remove(ctx, found, pod, live); {
		case err == nil:
			return !dry, nil
		case apierrors.IsNotFound(err):
			return false, nil
		case !apierrors.IsConflict(err):
			return false, c.fault(ctx, pod, err)
		}
	}
	return false, &ObjectError{ID: pod, Reason: "it changes too often to be deleted", Transient: true, Code: http.StatusConflict}
}

// mayGo reports whether a pod is still the one that was seen.
func mayGo(live *unstructured.Unstructured, uid, workload string) bool {
	controller := metav1.GetControllerOf(live)
	return string(live.GetUID()) == uid && live.GetDeletionTimestamp() == nil && controller != nil && string(controller.UID) == workload
}

// fault is why a request about an object was refused; the end of ctx as it is.
func (c *Client) fault(ctx context.Context, id ID, err error) error {
	if ctx.Err() != nil && ctxError(err) {
		return err
	}
	return c.refusal(ctx, id, err)
}

// wouldRemove is remove as a dry-run.
func (c *Client) wouldRemove(ctx context.Context, k kind, id ID, live *unstructured.Unstructured) error {
	uid, version := live.GetUID(), live.GetResourceVersion()
	return c.read(ctx, func(ctx context.Context) error {
		return c.at(k, id).Delete(ctx, id.Name, metav1.DeleteOptions{
			DryRun: []string{metav1.DryRunAll}, Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
		})
	})
}

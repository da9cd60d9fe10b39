package world

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
)

// scaler is the scale subresource of a kind.
type scaler interface {
	GetScale(context.Context, string, metav1.GetOptions) (*autoscalingv1.Scale, error)
	UpdateScale(context.Context, string, *autoscalingv1.Scale, metav1.UpdateOptions) (*autoscalingv1.Scale, error)
}

// Scale sets a Deployment's or StatefulSet's replicas through its scale subresource, under the name of the autoscaler.
func (c *Cluster) Scale(ctx context.Context, ref Ref, replicas int) error {
	var workloads scaler = c.Core.AppsV1().Deployments(ref.Namespace)
	if ref.Kind == "StatefulSet" {
		workloads = c.Core.AppsV1().StatefulSets(ref.Namespace)
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { // its controller writes it too
		scale, err := workloads.GetScale(ctx, ref.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		scale.Spec.Replicas = int32(replicas)
		_, err = workloads.UpdateScale(ctx, ref.Name, scale, metav1.UpdateOptions{FieldManager: "kube-controller-manager"})
		return err
	})
}

// Values begins to watch a field of an object, and returns what tells all values that it has had since, in order; empty
// is that there was no object. No state in between is missed, and all that was so before it is asked is told.
func (c *Cluster) Values(t testing.TB, ref Ref, path ...string) func() []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	var (
		lock   sync.Mutex
		values []string
		seen   string // the version that the watch has brought last; empty: there was none
		once   sync.Once
	)
	began, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := c.follow(ctx, ref, func(o *unstructured.Unstructured) bool {
			value, version := "", ""
			if o != nil {
				value, version = Field(o, path...), o.GetResourceVersion()
			}
			lock.Lock()
			seen = version
			if len(values) == 0 || values[len(values)-1] != value {
				values = append(values, value)
			}
			lock.Unlock()
			once.Do(func() { close(began) })
			return false
		})
		ended <- err
	}()
	select {
	case <-began:
	case err := <-ended:
		t.Fatalf("watch %s: %v", ref, err)
	}
	return func() []string {
		select {
		case err := <-ended:
			t.Fatalf("watch of %s ended: %v", ref, err)
		default:
		}
		Await(t, Patience, "the watch of "+ref.String()+" has brought what there is", func() error {
			o, err := c.Resource(ref.Kind, ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return err
			}
			version := ""
			if err == nil {
				version = o.GetResourceVersion()
			}
			lock.Lock()
			defer lock.Unlock()
			if version != seen {
				return fmt.Errorf("it is at version %q, and there is %q", seen, version)
			}
			return nil
		})
		lock.Lock()
		defer lock.Unlock()
		return slices.Clone(values)
	}
}

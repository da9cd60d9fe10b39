package rollout

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	appsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryv1 "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// client speaks to the API server as one identity, in each of the forms that are watched.
type client struct {
	dynamic   dynamic.Interface
	metadata  metadata.Interface
	core      corev1.CoreV1Interface
	apps      appsv1.AppsV1Interface
	discovery discoveryv1.DiscoveryV1Interface
}

// newClient shares the connections of all clients to the same server.
func newClient(config *rest.Config) (*client, error) {
	typed := rest.CopyConfig(config)
	typed.ContentType = runtime.ContentTypeProtobuf
	typed.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	var c client
	var err error
	if c.dynamic, err = dynamic.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if c.metadata, err = metadata.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if c.core, err = corev1.NewForConfig(typed); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if c.apps, err = appsv1.NewForConfig(typed); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	if c.discovery, err = discoveryv1.NewForConfig(typed); err != nil {
		return nil, fmt.Errorf("make client: %w", err)
	}
	return &c, nil
}

// source is what a reflector reads: one resource, in one namespace or all, as one identity.
type source struct {
	list  func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch func(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// resource is the source of full objects, or of their metadata. An empty namespace is all of them.
func (c *client) resource(gvr schema.GroupVersionResource, namespace string, metadataOnly bool) source {
	if metadataOnly {
		r := c.metadata.Resource(gvr).Namespace(namespace)
		return source{
			list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return r.List(ctx, o) },
			watch: r.Watch,
		}
	}
	r := c.dynamic.Resource(gvr).Namespace(namespace)
	return source{
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return r.List(ctx, o) },
		watch: r.Watch,
	}
}

func (c *client) pods(namespace string) source {
	r := c.core.Pods(namespace)
	return source{
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return r.List(ctx, o) },
		watch: r.Watch,
	}
}

func (c *client) replicaSets(namespace string) source {
	r := c.apps.ReplicaSets(namespace)
	return source{
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return r.List(ctx, o) },
		watch: r.Watch,
	}
}

func (c *client) events(namespace string) source {
	r := c.core.Events(namespace)
	return source{
		list:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return r.List(ctx, o) },
		watch: r.Watch,
	}
}

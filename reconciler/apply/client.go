package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/sluice-cd/sluice/reconciler/sops"
)

// Sentinels of calls that can never succeed as they are.
var (
	// ErrServiceAccount: a service account is not "namespace/name".
	ErrServiceAccount = errors.New("must be namespace/name")
	// ErrReserved: a namespace is reserved.
	ErrReserved = errors.New("the namespace is reserved")
)

// Client acts on a cluster as one service account. It is safe for concurrent use.
type Client struct {
	cluster *Cluster
	account string // "namespace/name"; empty: the agent itself
	broken  error
	http    *http.Client
	dynamic dynamic.Interface
	open    func(*unstructured.Unstructured) (*unstructured.Unstructured, error)
}

// Opening returns the client with a function that opens Secrets which SOPS encrypted, at the moment when they are sent. Without
// one such a Secret is an error.
func (c *Client) Opening(open func(*unstructured.Unstructured) (*unstructured.Unstructured, error)) *Client {
	made := *c
	made.open = open
	return &made
}

var errEncrypted = errors.New("it is encrypted, and there are no keys to decrypt it with")

func (c *Client) opened(obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	switch {
	case !sops.Encrypted(obj):
		return obj, nil
	case c.open == nil:
		return nil, errEncrypted
	}
	return c.open(obj)
}

// read makes a request that changes nothing, as soon as there is a slot for it. It ends with its context.
func (c *Client) read(ctx context.Context, request func(context.Context) error) error {
	if c.broken != nil {
		return c.broken
	}
	select {
	case c.cluster.slots <- struct{}{}:
		defer func() { <-c.cluster.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cluster.timeout)
	defer cancel()
	return request(ctx)
}

// write makes a request that changes something. It does not begin when its context has ended, and is not cut short
// by it, so that what happened is always known: a pass is cancelled between two requests.
func (c *Client) write(ctx context.Context, request func(context.Context) error) error {
	return c.read(ctx, func(context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cluster.timeout)
		defer cancel()
		return request(ctx)
	})
}

// do is write, or read for a dry-run.
func (c *Client) do(ctx context.Context, dry bool, request func(context.Context) error) error {
	if dry {
		return c.read(ctx, request)
	}
	return c.write(ctx, request)
}

func (c *Client) at(k kind, id ID) dynamic.ResourceInterface {
	if k.namespaced {
		return c.dynamic.Resource(k.resource).Namespace(id.Namespace)
	}
	return c.dynamic.Resource(k.resource)
}

func (c *Client) get(ctx context.Context, k kind, id ID) (live *unstructured.Unstructured, err error) {
	err = c.read(ctx, func(ctx context.Context) error {
		live, err = c.at(k, id).Get(ctx, id.Name, metav1.GetOptions{})
		return err
	})
	return live, err
}

func (c *Client) patch(ctx context.Context, k kind, id ID, pt types.PatchType, body any, opts metav1.PatchOptions,
	sub ...string) (answer *unstructured.Unstructured, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", id, err)
	}
	err = c.do(ctx, len(opts.DryRun) > 0, func(ctx context.Context) error {
		answer, err = c.at(k, id).Patch(ctx, id.Name, pt, raw, opts, sub...)
		return err
	})
	return answer, err
}

func (c *Client) create(ctx context.Context, k kind, id ID, obj *unstructured.Unstructured, manager string, dry bool) error {
	opts := metav1.CreateOptions{FieldManager: manager, FieldValidation: metav1.FieldValidationStrict}
	if dry {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	return c.do(ctx, dry, func(ctx context.Context) error {
		_, err := c.at(k, id).Create(ctx, obj, opts)
		return err
	})
}

// remove deletes an object as long as it is the very one, in the very state, that was looked at.
func (c *Client) remove(ctx context.Context, k kind, id ID, live *unstructured.Unstructured) error {
	uid, version, policy := live.GetUID(), live.GetResourceVersion(), metav1.DeletePropagationBackground
	return c.write(ctx, func(ctx context.Context) error {
		return c.at(k, id).Delete(ctx, id.Name, metav1.DeleteOptions{
			Preconditions:     &metav1.Preconditions{UID: &uid, ResourceVersion: &version},
			PropagationPolicy: &policy,
		})
	})
}

// each calls f for every number below n, as many at once as the cluster allows requests, and waits for all.
func (c *Client) each(n int, f func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(n, cap(c.cluster.slots)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	workers.Wait()
}

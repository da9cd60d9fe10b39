package rollout

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

// stream keeps one list of T complete and current: a reflector, without its cache.
type stream[T any] struct {
	source source
	// labels and fields select on the server.
	labels, fields string
	// reduce makes the small thing that is kept of a full object, as early as possible.
	reduce func(runtime.Object) T
	// replace gets the complete list at a resource version, after each (re)start; put and remove what follows.
	replace     func(list []T, rv string)
	put, remove func(T)
	// at gets the resource version up to which everything was delivered.
	at func(rv string)
	// failed gets each error that is met on the way. It must not block.
	failed func(error)
}

// lasting is how often in a row an answer that ends a stream must come: an API server that starts says of
// some kinds that it has none, and of some identities that they have no rights.
const lasting = 2

// run returns when ctx ended, or with an error that waiting does not mend: Forbidden, NotFound, or a kind
// that cannot be watched.
func (s *stream[T]) run(ctx context.Context) error {
	quiet := klog.NewContext(ctx, logr.Discard()) // what is wrong reaches failed
	reflector := cache.NewReflectorWithOptions(s.listWatch(), nil, sink[T]{s}, cache.ReflectorOptions{
		Name: "sluice", Backoff: pauses(),
	})
	pause, final := pauses(), 0
	for {
		began := time.Now()
		err := reflector.ListAndWatchWithContext(quiet)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(began) > time.Minute {
			pause, final = pauses(), 0
		}
		if err != nil {
			s.failed(err)
			if !unmended(err) {
				final = 0
			} else if final++; final >= lasting {
				return err
			}
		}
		if err := sleep(ctx, pause.Step()); err != nil {
			return err
		}
	}
}

// unmended reports whether waiting does not help.
func unmended(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err)
}

// pauses grow from a quarter of a second to half a minute, with as much by chance again: a thousand streams
// that broke together do not come back together, and one of them costs at most three requests a minute.
func pauses() *wait.Backoff {
	return &wait.Backoff{Duration: 250 * time.Millisecond, Factor: 2, Jitter: 1, Steps: 8, Cap: 30 * time.Second}
}

// seldom are the pauses before something is tried again that is not expected to change soon: up to five minutes.
func seldom() *wait.Backoff {
	return &wait.Backoff{Duration: time.Second, Factor: 3, Jitter: 1, Steps: 6, Cap: 5 * time.Minute}
}

// sleep returns early, with its error, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (s *stream[T]) listWatch() *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector, o.FieldSelector = s.labels, s.fields
			return s.source.list(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector, o.FieldSelector = s.labels, s.fields
			w, err := s.source.watch(ctx, o)
			if o.SendInitialEvents != nil && (utilnet.IsConnectionRefused(err) || apierrors.IsTooManyRequests(err)) {
				// The reflector would wait for these by itself, and not see that ctx ends.
				return nil, fmt.Errorf("%v", err) //nolint:errorlint // hidden on purpose
			}
			return w, err
		},
	}
}

// sink is what the reflector fills.
type sink[T any] struct{ s *stream[T] }

// reduced carries a T through the reflector, which wants no more of it than that it is an object.
type reduced[T any] struct{ value T }

// Transformer reduces the objects of an initial list one by one, before there is a list of them.
func (k sink[T]) Transformer() cache.TransformFunc {
	return func(obj any) (any, error) { return k.of(obj) }
}

func (k sink[T]) of(obj any) (reduced[T], error) {
	switch o := obj.(type) {
	case reduced[T]:
		return o, nil
	case runtime.Object:
		return reduced[T]{k.s.reduce(o)}, nil
	}
	return reduced[T]{}, fmt.Errorf("watch: unexpected %T", obj)
}

func (k sink[T]) each(obj any, do func(T)) error {
	r, err := k.of(obj)
	if err == nil {
		do(r.value)
	}
	return err
}

func (k sink[T]) Add(obj any) error    { return k.each(obj, k.s.put) }
func (k sink[T]) Update(obj any) error { return k.each(obj, k.s.put) }
func (k sink[T]) Delete(obj any) error { return k.each(obj, k.s.remove) }
func (k sink[T]) Resync() error        { return nil }

func (k sink[T]) Replace(list []any, rv string) error {
	values := make([]T, 0, len(list))
	for _, obj := range list {
		r, err := k.of(obj)
		if err != nil {
			return err
		}
		values = append(values, r.value)
	}
	k.s.replace(values, rv)
	return nil
}

// UpdateResourceVersion is called after the event with this version was handled.
func (k sink[T]) UpdateResourceVersion(rv string) { k.s.at(rv) }

package world

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// glance is the time between two looks at something that cannot be watched: files, notes, logs.
const glance = 50 * time.Millisecond

// Ref names an object.
type Ref struct{ Kind, Namespace, Name string }

func (r Ref) String() string { return r.Kind + " " + r.Namespace + "/" + r.Name }

// Await looks until cond returns nil, and fails with its last error when the time is over.
func Await(t testing.TB, within time.Duration, what string, cond func() error) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %v: %v", what, within, err)
		case <-t.Context().Done():
			t.Fatalf("%s: %v", what, t.Context().Err())
		case <-tick.C:
		}
	}
}

// AwaitObject watches an object until cond returns nil, and returns the object at that moment. cond gets nil while
// there is no such object.
func (c *Cluster) AwaitObject(t testing.TB, within time.Duration, what string, ref Ref,
	cond func(*unstructured.Unstructured) error) *unstructured.Unstructured {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	last := errors.New("nothing seen")
	for {
		o, err := c.follow(ctx, ref, func(o *unstructured.Unstructured) bool {
			last = cond(o)
			return last == nil
		})
		if err == nil {
			return o
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: %s: not within %v: %v", what, ref, within, last)
		}
		if !passing(err) {
			t.Fatalf("%s: watch %s: %v", what, ref, err)
		}
		select { // the kind may not be defined yet
		case <-time.After(glance):
		case <-ctx.Done():
		}
	}
}

var errWatchEnded = errors.New("watch ended")

func passing(err error) bool {
	return errors.Is(err, errWatchEnded) || meta.IsNoMatchError(err) || apierrors.IsNotFound(err) ||
		apierrors.IsGone(err) || apierrors.IsResourceExpired(err)
}

// follow shows every state of an object, the present one first, until done says so.
func (c *Cluster) follow(ctx context.Context, ref Ref, done func(*unstructured.Unstructured) bool) (*unstructured.Unstructured, error) {
	r := c.Resource(ref.Kind, ref.Namespace)
	only := metav1.ListOptions{FieldSelector: "metadata.name=" + ref.Name}
	list, err := r.List(ctx, only)
	if err != nil {
		return nil, err
	}
	var now *unstructured.Unstructured
	if len(list.Items) > 0 {
		now = &list.Items[0]
	}
	if done(now) {
		return now, nil
	}
	only.ResourceVersion = list.GetResourceVersion()
	watch, err := r.Watch(ctx, only)
	if err != nil {
		return nil, err
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		o, ok := event.Object.(*unstructured.Unstructured)
		if !ok || event.Type == "ERROR" {
			return nil, errWatchEnded
		}
		if event.Type == "DELETED" {
			o = nil
		}
		if done(o) {
			return o, nil
		}
	}
	return nil, errWatchEnded
}

// Get returns an object, or nil when there is none.
func (c *Cluster) Get(t testing.TB, ref Ref) *unstructured.Unstructured {
	t.Helper()
	o, err := c.Resource(ref.Kind, ref.Namespace).Get(t.Context(), ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		t.Fatalf("get %s: %v", ref, err)
	}
	return o
}

// Exists is a condition for AwaitObject.
func Exists(o *unstructured.Unstructured) error {
	if o == nil {
		return errors.New("it is not there")
	}
	return nil
}

// Gone is a condition for AwaitObject.
func Gone(o *unstructured.Unstructured) error {
	if o != nil && o.GetDeletionTimestamp() == nil {
		return errors.New("it is still there")
	}
	return nil
}

// Has is a condition for AwaitObject: the field at path has the value, in the text that fmt makes of it.
func Has(value any, path ...string) func(*unstructured.Unstructured) error {
	return func(o *unstructured.Unstructured) error {
		if o == nil {
			return errors.New("it is not there")
		}
		if got := Field(o, path...); got != fmt.Sprint(value) {
			return fmt.Errorf("%v is %q, not %q", path, got, fmt.Sprint(value))
		}
		return nil
	}
}

// Field is the text of the field at path; a number in the path counts the entries of a list. Empty is absent.
func Field(o *unstructured.Unstructured, path ...string) string {
	var v any = o.Object
	for _, key := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(x) {
				return ""
			}
			v = x[i]
		default:
			return ""
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// Must is Get where absence is a failure.
func (c *Cluster) Must(t testing.TB, ref Ref) *unstructured.Unstructured {
	t.Helper()
	o := c.Get(t, ref)
	if o == nil {
		t.Fatalf("%s is not there", ref)
	}
	return o
}

// AwaitServed looks until the API server says that it serves a group, or that it does not: it says so a moment after the
// definition is there, or is gone.
func (c *Cluster) AwaitServed(t testing.TB, group string, served bool) {
	t.Helper()
	Await(t, Patience, fmt.Sprintf("%s is served: %t", group, served), func() error {
		groups, err := c.Core.Discovery().ServerGroups()
		if err != nil {
			return err
		}
		if is := slices.ContainsFunc(groups.Groups, func(g metav1.APIGroup) bool { return g.Name == group }); is != served {
			return fmt.Errorf("it says %t", is)
		}
		return nil
	})
}

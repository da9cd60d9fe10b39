package reconciler

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

// stillRead are old versions that pods read, and when it is looked again: most of those pods are on their way out, and some
// stay for weeks.
type stillRead struct {
	ids   map[apply.ID]bool
	until time.Time
	tries int
}

// Between two looks, each of which is one list of a namespace's pods.
const (
	firstLook = 5 * time.Second
	lastLook  = time.Hour
)

// waits reports whether it is known that an object is read, and not time to look again.
func (r stillRead) waits(id apply.ID, now time.Time) bool { return r.ids[id] && now.Before(r.until) }

// unread leaves out of what is to be pruned the versions that pods read, see [policies.StillRead]. They stay in the
// inventory, and go when nobody reads them any more.
func (p *Pass) unread(ctx context.Context, stale apply.Inventory) (apply.Inventory, error) {
	t, namespaces := p.target, map[string]bool{}
	for _, e := range stale {
		if isVersion(e) {
			namespaces[e.Namespace] = true
		}
	}
	var pods []*unstructured.Unstructured
	for namespace := range namespaces {
		found, err := p.podsOf(ctx, namespace)
		if err != nil {
			return nil, err
		}
		pods = append(pods, found...)
	}
	read, kept := policies.StillRead(pods), map[apply.ID]bool{}
	unread := slices.DeleteFunc(slices.Clone(stale), func(e apply.Entry) bool {
		if isVersion(e) && read(e.Kind, e.Namespace, e.Name) {
			kept[e.ID] = true
		}
		return kept[e.ID]
	})
	if len(unread) == len(stale) {
		t.read = stillRead{}
		return unread, nil
	}
	wait := min(firstLook<<min(t.read.tries, 12), lastLook)
	t.read = stillRead{ids: kept, until: p.Seen.Now.Add(wait), tries: t.read.tries + 1}
	return unread, nil
}

func isVersion(e apply.Entry) bool { return e.Group == "" && policies.IsVersion(e.Kind, e.Name) }

// podsOf lists the pods of a namespace, as the agent or where it may not as the application's service account, as the
// watches do.
func (p *Pass) podsOf(ctx context.Context, namespace string) ([]*unstructured.Unstructured, error) {
	pods, err := p.site.apply.Self().Pods(ctx, namespace, "")
	if apierrors.IsForbidden(err) {
		return p.client().Pods(ctx, namespace, "")
	}
	return pods, err
}

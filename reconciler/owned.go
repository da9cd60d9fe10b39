package reconciler

import (
	"context"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// searchers is how many kinds are listed at once when a lost inventory is searched.
const searchers = 8

// owned returns what carries the owner labels of a key: the inventory of a key whose state was lost. All kinds are
// searched once for all keys, in one request each, and again when one asks for the second time.
func (s *site) owned(ctx context.Context, k Key) (apply.Inventory, []hookRun, error) {
	s.searching.Lock()
	defer s.searching.Unlock()
	if s.found == nil || s.asked[k] {
		found, err := s.search(ctx)
		if err != nil {
			return nil, nil, err
		}
		s.found, s.asked = found, map[Key]bool{}
	}
	mine := s.found[k]
	delete(s.found, k)
	s.asked[k] = true
	return apply.Union(mine.inventory, nil), mine.hooks, nil
}

// possessions are what carries the owner labels of a key.
type possessions struct {
	inventory apply.Inventory
	hooks     []hookRun
}

// search lists the metadata of everything that this agent's label selects. Kinds that it may not list are left out: no
// application of it can have used them without a watch.
func (s *site) search(ctx context.Context) (map[Key]possessions, error) {
	kinds, err := s.listable()
	if err != nil {
		return nil, err
	}
	quiet := rest.CopyConfig(s.rest)
	quiet.WarningHandler = rest.NoWarnings{} // nobody chose the old kinds that are listed
	client, err := metadata.NewForConfig(quiet)
	if err != nil {
		return nil, err
	}
	found, failed := map[Key]possessions{}, error(nil)
	var mu sync.Mutex
	var running sync.WaitGroup
	slots := make(chan struct{}, searchers)
	for _, kind := range kinds {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			list, err := client.Resource(kind.resource).List(ctx, metav1.ListOptions{LabelSelector: rollout.LabelAgent + "=" + s.agent.name})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case apierrors.IsForbidden(err), apierrors.IsNotFound(err), apierrors.IsMethodNotSupported(err):
			case err != nil:
				failed = fmt.Errorf("list %s: %w", kind.resource.Resource, err)
			default:
				collect(found, kind.GroupVersionKind, list.Items)
			}
		})
	}
	running.Wait()
	return found, failed
}

func collect(found map[Key]possessions, kind schema.GroupVersionKind, items []metav1.PartialObjectMetadata) {
	for _, item := range items {
		if !madeHere(item.ManagedFields) {
			continue
		}
		key := Key{item.Labels[rollout.LabelApplication], item.Labels[rollout.LabelEnvironment]}
		entry := apply.Entry{
			ID:      apply.ID{Group: kind.Group, Kind: kind.Kind, Namespace: item.Namespace, Name: item.Name},
			Version: kind.Version, UID: string(item.UID),
		}
		mine := found[key]
		if _, hook := item.Annotations[hookAnnotation]; hook {
			mine.hooks = append(mine.hooks, hookRun{Entry: entry, Run: item.Annotations[runAnnotation]})
		} else {
			mine.inventory = append(mine.inventory, entry)
		}
		found[key] = mine
	}
}

// madeHere reports whether an object was applied by us. Controllers copy labels: the EndpointSlices and Endpoints of a Service
// have its own, and are not ours to prune, nor may the application's service account look at them.
func madeHere(fields []metav1.ManagedFieldsEntry) bool {
	return len(fields) == 0 || slices.ContainsFunc(fields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager == apply.Manager })
}

// listed is a kind and how it is asked for.
type listed struct {
	schema.GroupVersionKind
	resource schema.GroupVersionResource
}

// listable returns the kinds that can be listed and deleted, each in its preferred version.
func (s *site) listable() ([]listed, error) {
	client, err := discovery.NewDiscoveryClientForConfig(s.rest)
	if err != nil {
		return nil, err
	}
	lists, err := client.ServerPreferredResources()
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("ask what the cluster serves: %w", err)
	}
	var kinds []listed
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, r := range list.APIResources {
			if gv.Group == "events.k8s.io" || r.Name == "events" || !slices.Contains(r.Verbs, "list") || !slices.Contains(r.Verbs, "delete") {
				continue
			}
			kinds = append(kinds, listed{gv.WithKind(r.Kind), gv.WithResource(r.Name)})
		}
	}
	return kinds, nil
}

package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// kind is how a kind is asked for.
type kind struct {
	resource   schema.GroupVersionResource
	namespaced bool
	scale      bool // has a subresource scale
}

var namespaceKind = kind{resource: schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}}

// served is what the cluster served when it was asked.
type served struct {
	asked     time.Time // just before
	version   string
	kinds     map[schema.GroupVersionKind]kind
	preferred map[schema.GroupKind]string // version
	names     []string                    // as a chart's Capabilities want them
	failed    map[string]error            // groups that could not say what they serve
}

func ask(ctx context.Context, dc *discovery.DiscoveryClient) (*served, error) {
	s := &served{
		asked: time.Now(), kinds: map[schema.GroupVersionKind]kind{}, preferred: map[schema.GroupKind]string{},
		failed: map[string]error{},
	}
	info, err := dc.ServerVersionWithContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the version: %w", err)
	}
	s.version = info.GitVersion
	groups, lists, err := dc.ServerGroupsAndResourcesWithContext(ctx)
	var partly *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &partly) {
		return nil, fmt.Errorf("ask for kinds: %w", err)
	}
	if partly != nil {
		for gv, err := range partly.Groups {
			s.failed[gv.Group] = err
		}
	}
	byVersion := make(map[string]*metav1.APIResourceList, len(lists))
	for _, list := range lists {
		byVersion[list.GroupVersion] = list
	}
	for _, group := range groups {
		for _, v := range slices.Backward(group.Versions) {
			s.add(byVersion[v.GroupVersion])
		}
		s.add(byVersion[group.PreferredVersion.GroupVersion])
	}
	s.names = slices.Sorted(maps.Keys(namesOf(s.kinds)))
	return s, nil
}

// add takes over a list; of several versions the one added last is preferred.
func (s *served) add(list *metav1.APIResourceList) {
	if list == nil {
		return
	}
	gv, err := schema.ParseGroupVersion(list.GroupVersion)
	if err != nil {
		return
	}
	scalable := map[string]bool{}
	for _, r := range list.APIResources {
		if parent, sub, _ := strings.Cut(r.Name, "/"); sub == "scale" {
			scalable[parent] = true
		}
	}
	for _, r := range list.APIResources {
		if strings.Contains(r.Name, "/") {
			continue
		}
		gvk := gv.WithKind(r.Kind)
		s.kinds[gvk] = kind{resource: gv.WithResource(r.Name), namespaced: r.Namespaced, scale: scalable[r.Name]}
		s.preferred[gvk.GroupKind()] = gv.Version
	}
}

func namesOf(kinds map[schema.GroupVersionKind]kind) map[string]bool {
	names := make(map[string]bool, 2*len(kinds))
	for gvk := range kinds {
		gv := gvk.GroupVersion().String()
		names[gv], names[gv+"/"+gvk.Kind] = true, true
	}
	return names
}

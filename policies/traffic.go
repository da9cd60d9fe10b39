package policies

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Traffic says which route shares traffic out between proven and new pods. The zero value: none does, and the number of
// pods is the weight.
type Traffic struct {
	Route     RouteKind `json:"route,omitempty"`
	Name      string    `json:"name,omitempty"` // of the route
	Service   string    `json:"service,omitempty"`
	Namespace string    `json:"namespace,omitempty"` // of both
	// Preview is the name of the Service for new pods; empty: that of the Service with -canary.
	Preview string `json:"preview,omitempty"`
	// Drain is how long pods are kept that the route sends nothing to any more, WarmUp how long the weight of a stage rises.
	Drain  time.Duration `json:"drain,omitempty"`
	WarmUp time.Duration `json:"warmUp,omitempty"`
	// Header and Value mark the requests of testers; no Header: there are none.
	Header string `json:"header,omitempty"`
	Value  string `json:"value,omitempty"`
}

// RouteKind is the kind of a route.
type RouteKind string

// The kinds of routes.
const (
	HTTPRoute      RouteKind = "HTTPRoute"      // of the Gateway API
	VirtualService RouteKind = "VirtualService" // of Istio
	// ServiceSwitch is the Service itself, which selects the proven pods or the new ones and never both.
	ServiceSwitch RouteKind = "Service"
)

// Group is the API group of the kind.
func (k RouteKind) Group() string {
	switch k {
	case VirtualService:
		return "networking.istio.io"
	case ServiceSwitch:
		return ""
	case HTTPRoute:
	}
	return "gateway.networking.k8s.io"
}

// Stable is the name of the Service that selects proven pods.
func (t Traffic) Stable() string { return t.Service + "-stable" }

// Canary is the name of the Service that selects new pods.
func (t Traffic) Canary() string {
	if t.Preview != "" {
		return t.Preview
	}
	return t.Service + "-canary"
}

// IsRoute and IsService report whether an object of this group, kind, namespace and name is the route or the Service.
func (t Traffic) IsRoute(group, kind, namespace, name string) bool {
	return t != Traffic{} && group == t.Route.Group() && kind == string(t.Route) && namespace == t.Namespace && name == t.Name
}

// IsService reports whether this is the Service that the route sends to.
func (t Traffic) IsService(group, kind, namespace, name string) bool {
	return t != Traffic{} && group == "" && kind == "Service" && namespace == t.Namespace && name == t.Service
}

// IsOwn reports whether this is one of the two Services beside that one.
func (t Traffic) IsOwn(group, kind, namespace, name string) bool {
	return t != Traffic{} && group == "" && kind == "Service" && namespace == t.Namespace && (name == t.Stable() || name == t.Canary())
}

// Find returns the route and the Service among manifests; nil where one is not there.
func (t Traffic) Find(objects []*unstructured.Unstructured) (route, service *unstructured.Unstructured) {
	for _, o := range objects {
		group, kind := o.GroupVersionKind().Group, o.GetKind()
		if t.IsRoute(group, kind, o.GetNamespace(), o.GetName()) {
			route = o
		}
		if t.IsService(group, kind, o.GetNamespace(), o.GetName()) {
			service = o
		}
	}
	return route, service
}

// Splittable says why manifests do not allow traffic to be split; empty: they do.
func (t Traffic) Splittable(objects []*unstructured.Unstructured) string {
	route, service := t.Find(objects)
	switch {
	case route == nil:
		return fmt.Sprintf("rollout: there is no %s %s in the manifests", t.Route, t.Name)
	case service == nil:
		return fmt.Sprintf("rollout: there is no Service %s in the manifests", t.Service)
	}
	for _, o := range objects {
		if t.IsOwn(o.GroupVersionKind().Group, o.GetKind(), o.GetNamespace(), o.GetName()) {
			return fmt.Sprintf("rollout: the manifests have a Service %s, which is a name of ours", o.GetName())
		}
	}
	if selector, _, _ := unstructured.NestedMap(service.Object, "spec", "selector"); len(selector) == 0 {
		return fmt.Sprintf("rollout: Service %s selects no pods", t.Service)
	}
	if _, err := t.Share(route, Shares{Split: true}); err != nil {
		return "rollout: " + err.Error()
	}
	return ""
}

// Selects reports whether a Service selects the pods of a workload.
func Selects(service, workload *unstructured.Unstructured) bool {
	selector, _, _ := unstructured.NestedStringMap(service.Object, "spec", "selector")
	labels, _, _ := unstructured.NestedStringMap(workload.Object, "spec", "template", "metadata", "labels")
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return len(selector) > 0 && service.GetNamespace() == workload.GetNamespace()
}

// narrowedFields are the fields of a Service's spec that its narrowed copies have too. Not among them: whatever gives it an
// address or a port outside the cluster, or sends to pods that are not Ready.
func narrowedFields() []string {
	return []string{"internalTrafficPolicy", "ipFamilies", "ipFamilyPolicy", "ports", "sessionAffinity",
		"sessionAffinityConfig", "trafficDistribution"}
}

// Narrowed returns a copy of a Service under another name, for the pods of one template. It has no labels: what selects
// Services by those, such as a monitor, sees each pod once. Nor has it annotations of ours, or ones that publish a name.
func Narrowed(service *unstructured.Unstructured, name, hash string) *unstructured.Unstructured {
	from, _ := runtime.DeepCopyJSON(service.Object)["spec"].(map[string]any)
	spec := map[string]any{"type": "ClusterIP"}
	for _, field := range narrowedFields() {
		if value, ok := from[field]; ok {
			spec[field] = value
		}
	}
	if from["clusterIP"] == "None" {
		spec["clusterIP"] = "None"
	}
	ports, _ := spec["ports"].([]any)
	for _, port := range ports {
		if port, ok := port.(map[string]any); ok {
			delete(port, "nodePort")
		}
	}
	selector, _ := from["selector"].(map[string]any)
	if selector == nil {
		selector = map[string]any{}
	}
	selector["pod-template-hash"] = hash
	spec["selector"] = selector
	made := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Service", "spec": spec}}
	made.SetName(name)
	made.SetNamespace(service.GetNamespace())
	notes := maps.Clone(service.GetAnnotations())
	maps.DeleteFunc(notes, func(key, _ string) bool {
		return strings.HasPrefix(key, "sluice.dev/") || strings.HasPrefix(key, "external-dns.")
	})
	if len(notes) > 0 {
		made.SetAnnotations(notes)
	}
	return made
}

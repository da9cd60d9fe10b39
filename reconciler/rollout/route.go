package rollout

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// routeRefusal says why a route is not in force as it is written now; empty: it is, or is no route.
//
// Each parent of an HTTPRoute must say that it accepted this generation and found what it sends to. A VirtualService has no
// status unless Istio was told to write one (PILOT_ENABLE_STATUS), and is believed without.
func routeRefusal(live *unstructured.Unstructured) string {
	switch live.GroupVersionKind().GroupKind() {
	case schema.GroupKind{Group: "gateway.networking.k8s.io", Kind: "HTTPRoute"}:
		return refusedByParents(live)
	case schema.GroupKind{Group: "networking.istio.io", Kind: "VirtualService"}:
		for _, c := range conditions(live) {
			if c.Type == "Reconciled" && c.Status != "True" {
				return fmt.Sprintf("VirtualService %s is not Reconciled%s: %s", live.GetName(), inBrackets(c.Reason), c.Message)
			}
		}
		observed, ok := observedIn(live.Object["status"])
		if ok && observed < live.GetGeneration() {
			return fmt.Sprintf("Istio has not seen VirtualService %s as it is now", live.GetName())
		}
	}
	return ""
}

// refusedByParents finds the first parent that has not accepted a route.
func refusedByParents(live *unstructured.Unstructured) string {
	parents, _, _ := unstructured.NestedFieldNoCopy(live.Object, "spec", "parentRefs")
	list, _ := parents.([]any)
	if len(list) == 0 {
		return fmt.Sprintf("HTTPRoute %s has no parents", live.GetName())
	}
	statuses, _, _ := unstructured.NestedFieldNoCopy(live.Object, "status", "parents")
	said, _ := statuses.([]any)
	for _, item := range list {
		ref, _ := item.(map[string]any)
		parent, heard := parentOf(ref, live.GetNamespace()), false
		for _, item := range said {
			status, _ := item.(map[string]any)
			of, _ := status["parentRef"].(map[string]any)
			if parentOf(of, live.GetNamespace()) != parent {
				continue
			}
			heard = true
			for _, kind := range []string{"Accepted", "ResolvedRefs"} {
				if why := lacks(status, kind, live.GetGeneration()); why != "" {
					return fmt.Sprintf("parent %s of HTTPRoute %s: %s", parent.name, live.GetName(), why)
				}
			}
		}
		if !heard {
			return fmt.Sprintf("parent %s of HTTPRoute %s has not accepted it", parent.name, live.GetName())
		}
	}
	return ""
}

// lacks says why a condition is not true of a generation; empty: it is.
func lacks(status map[string]any, kind string, generation int64) string {
	list, _ := status["conditions"].([]any)
	for _, item := range list {
		c, _ := item.(map[string]any)
		text := func(field string) string { s, _ := c[field].(string); return s }
		if text("type") != kind {
			continue
		}
		if observed, ok := observedIn(c); !ok || observed != generation {
			return "it has not seen the route as it is now"
		}
		if text("status") != "True" {
			return fmt.Sprintf("not %s%s: %s", kind, inBrackets(text("reason")), text("message"))
		}
		return ""
	}
	return "it has not said " + kind
}

func observedIn(of any) (int64, bool) {
	m, _ := of.(map[string]any)
	switch n := m["observedGeneration"].(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), true
	}
	return 0, false
}

// parent names what a route is attached to.
type parent struct {
	group, kind, namespace, name, section string
	port                                  int64
}

// parentOf reads a reference with its defaults: https://gateway-api.sigs.k8s.io/reference/spec/#parentreference
func parentOf(ref map[string]any, namespace string) parent {
	text := func(field, otherwise string) string {
		if s, ok := ref[field].(string); ok {
			return s
		}
		return otherwise
	}
	p := parent{
		group: text("group", "gateway.networking.k8s.io"), kind: text("kind", "Gateway"),
		namespace: text("namespace", namespace), name: text("name", ""), section: text("sectionName", ""),
	}
	switch n := ref["port"].(type) {
	case int64:
		p.port = n
	case float64:
		p.port = int64(n)
	}
	return p
}

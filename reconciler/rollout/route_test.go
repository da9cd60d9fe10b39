package rollout

import (
	"fmt"
	"testing"
)

// accepted is a parent's status, of a generation for each condition.
func accepted(parent string, accepted, resolved int, ok bool) string {
	status := map[bool]string{true: `"True"`, false: `"False"`}[ok]
	return fmt.Sprintf(`{parentRef: %s, controllerName: example.com/c, conditions: [
		{type: Accepted, status: "True", reason: Accepted, message: "", observedGeneration: %d},
		{type: ResolvedRefs, status: %s, reason: BackendNotFound, message: no such Service, observedGeneration: %d}]}`,
		parent, accepted, status, resolved)
}

func TestDescribe_RouteIsInForceWhenAllParentsSaySo(t *testing.T) {
	const (
		behind = "parent public of HTTPRoute shop: it has not seen the route as it is now"
		spelt  = "{group: gateway.networking.k8s.io, kind: Gateway, namespace: gateways, name: public}"
	)
	const one, other = "{name: public, namespace: gateways}", "{name: inner, sectionName: https, port: 443}"
	for name, c := range map[string]struct{ refs, parents, want string }{
		"Both":             {one + ", " + other, accepted(one, 3, 3, true) + ", " + accepted(other, 3, 3, true), ""},
		"DefaultsSpeltOut": {one, accepted(spelt, 3, 3, true), ""},
		"AFormerParent":    {one, accepted(one, 3, 3, true) + ", " + accepted(other, 1, 1, false), ""},
		"None":             {one, "", "parent public of HTTPRoute shop has not accepted it"},
		"NoParents":        {"", "", "HTTPRoute shop has no parents"},
		"OneIsSilent":      {one + ", " + other, accepted(one, 3, 3, true), "parent inner of HTTPRoute shop has not accepted it"},
		"AnOldGeneration":  {one, accepted(one, 2, 3, true), behind},
		"OldReferences":    {one, accepted(one, 3, 2, true), behind},
		"Unresolved":       {one, accepted(one, 3, 3, false), "parent public of HTTPRoute shop: not ResolvedRefs (BackendNotFound): no such Service"},
		"SecondController": {one, accepted(one, 3, 3, true) + ", " + accepted(one, 2, 2, true), behind},
		"NoConditions":     {one, "{parentRef: " + one + "}", "parent public of HTTPRoute shop: it has not said Accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			live := parse(t, fmt.Sprintf("{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, "+
				"metadata: {name: shop, namespace: shop, generation: 3}, "+
				"spec: {parentRefs: [%s]}, status: {parents: [%s]}}", c.refs, c.parents))
			if got := Describe(live, "h").Refused; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestDescribe_VirtualServiceIsBelievedWithoutAStatus(t *testing.T) {
	for name, c := range map[string]struct{ status, want string }{
		"Silent":     {"", ""},
		"Reconciled": {", status: {observedGeneration: 3, conditions: [{type: Reconciled, status: \"True\"}]}", ""},
		"Behind":     {", status: {observedGeneration: 2}", "Istio has not seen VirtualService shop as it is now"},
		"Refused": {", status: {conditions: [{type: Reconciled, status: \"False\", reason: Half, message: 1/2 proxies}]}",
			"VirtualService shop is not Reconciled (Half): 1/2 proxies"},
	} {
		t.Run(name, func(t *testing.T) {
			live := parse(t, "{apiVersion: networking.istio.io/v1, kind: VirtualService, "+
				"metadata: {name: shop, namespace: shop, generation: 3}"+c.status+"}")
			if got := Describe(live, "h").Refused; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestEndpoints: only Ready pods of the very template count, each once, and none while a slice is of another selector.
func TestEndpoints(t *testing.T) {
	service := ID{Kind: "Service", Namespace: "shop", Name: "shop-canary"}
	o := New(Config{})
	if o.Endpoints(service, "new") != 0 {
		t.Error("endpoints of a namespace that nobody follows")
	}
	o.Follow("shop", true)
	f := o.follower("shop")
	f.keepSet(replicaSet{ID: ID{Name: "shop-new"}, hash: "new"})
	f.keepSet(replicaSet{ID: ID{Name: "shop-old"}, hash: "old"})
	for name, set := range map[string]string{"n1": "shop-new", "n2": "shop-new", "o1": "shop-old"} {
		f.keepPod(pod{ID: ID{Name: name}, owner: owner{ID: ID{Name: set}}})
	}
	expect := func(what string, want int) {
		t.Helper()
		if got := o.Endpoints(service, "new"); got != want {
			t.Errorf("%s: %d endpoints, want %d", what, got, want)
		}
	}
	expect("before the first list", 0)
	f.replaceEndpoints([]endpoints{{"a", "shop-canary", []string{"n1", "n2"}}, {"b", "other", []string{"o1"}}}, "")
	expect("two pods", 2)
	f.keepEndpoints(endpoints{"v6", "shop-canary", []string{"n2", "n1"}})
	expect("both families", 2)
	f.keepEndpoints(endpoints{"v6", "shop-canary", []string{"o1"}})
	expect("a slice of the former selector", 0)
	f.removeEndpoints(endpoints{"v6", "shop-canary", nil})
	f.keepEndpoints(endpoints{"a", "shop-canary", []string{"n1", "gone"}})
	expect("a pod that is not known", 0)
	f.keepEndpoints(endpoints{"a", "shop-canary", []string{"n1"}})
	expect("one pod", 1)
}

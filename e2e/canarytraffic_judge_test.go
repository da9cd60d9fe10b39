package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

// judgement is what a record says of a release whose new pods have this image.
type judgement struct {
	moments     []world.Moment
	kind, image string
	routes      []routeAt
	// The versions of the store at which the first of each was deleted; 0: none was.
	provenGoes, canaryGoes, serviceGoes uint64
	canaryWent                          time.Time
}

type routeAt struct {
	version uint64
	weights string
}

func judge(moments []world.Moment, kind, image string) *judgement {
	j := &judgement{moments: moments, kind: kind, image: image}
	for _, m := range moments {
		switch {
		case m.GetKind() == kind:
			weights := weightsOf(m.Unstructured)
			if n := len(j.routes); n == 0 || j.routes[n-1].weights != weights {
				j.routes = append(j.routes, routeAt{m.Version, weights})
			}
		case m.GetKind() == "Service" && m.Gone && j.serviceGoes == 0:
			j.serviceGoes = m.Version
		case m.GetKind() == "Pod" && m.GetDeletionTimestamp() != nil:
			if world.Field(m.Unstructured, "spec", "containers", "0", "image") != image {
				if j.provenGoes == 0 {
					j.provenGoes = m.Version
				}
			} else if j.canaryGoes == 0 {
				j.canaryGoes, j.canaryWent = m.Version, m.Seen
			}
		}
	}
	return j
}

// inOrder asks for the very values that the route had.
func (j *judgement) inOrder(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, r := range j.routes {
		got = append(got, r.weights)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the route sent to\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// last is when the route last became one that ends so.
func (j *judgement) last(weights string) (version uint64) {
	for _, r := range j.routes {
		if strings.HasSuffix(r.weights, weights) {
			version = r.version
		}
	}
	return version
}

// neverWithoutEndpoints: as long as the canary Service has weight, it has Ready endpoints.
func (j *judgement) neverWithoutEndpoints(t *testing.T) { j.endpoints(t, false) }

// neverWithoutEndpointsAtFirst: when it gets weight, it has them. They may get lost.
func (j *judgement) neverWithoutEndpointsAtFirst(t *testing.T) { j.endpoints(t, true) }

func (j *judgement) endpoints(t *testing.T, atFirst bool) {
	t.Helper()
	ready, weights := map[string]int{}, ""
	for _, m := range j.moments {
		changed := false
		switch m.GetKind() {
		case "EndpointSlice":
			ready[m.GetLabels()["kubernetes.io/service-name"]] = readyIn(m)
		case j.kind:
			changed = weights != weightsOf(m.Unstructured)
			weights = weightsOf(m.Unstructured)
		}
		for _, service := range []string{"shop-stable", "shop-canary"} {
			if sends(weights, service) && ready[service] == 0 && (changed || !atFirst) {
				t.Errorf("at %d, with the change of %s %s, the route sends to %q and %s has no Ready endpoint",
					m.Version, m.GetKind(), m.GetName(), weights, service)
				return
			}
		}
	}
}

// neverTakesPodsWithWeight: no pod goes while the route sends to a Service that selects it.
func (j *judgement) neverTakesPodsWithWeight(t *testing.T) {
	t.Helper()
	selects, weights, gone := map[string]string{}, "", map[string]bool{}
	for _, m := range j.moments {
		switch m.GetKind() {
		case "Service":
			selects[m.GetName()] = world.Field(m.Unstructured, "spec", "selector", "pod-template-hash")
		case j.kind:
			weights = weightsOf(m.Unstructured)
		case "Pod":
			if m.GetDeletionTimestamp() == nil || gone[m.GetName()] {
				continue
			}
			gone[m.GetName()] = true
			for _, service := range []string{"shop-stable", "shop-canary"} {
				if sends(weights, service) && selects[service] == m.GetLabels()["pod-template-hash"] {
					t.Errorf("at %d pod %s goes, and the route sends to %q", m.Version, m.GetName(), weights)
				}
			}
		}
	}
}

// sends reports whether a route with these weights sends anything to a Service.
func sends(weights, service string) bool {
	return strings.Contains(weights, service+":") && !strings.HasSuffix(weights, service+":0") && !strings.Contains(weights, service+":0 ")
}

func readyIn(m world.Moment) int {
	if m.Gone {
		return 0
	}
	ready := 0
	endpoints, _, _ := unstructured.NestedSlice(m.Object, "endpoints")
	for _, e := range endpoints {
		if is, _, _ := unstructured.NestedBool(e.(map[string]any), "conditions", "ready"); is {
			ready++
		}
	}
	return ready
}

// weightsOf is such as "shop-canary:100 | shop-canary:10 shop-stable:90": the rules of a route, and where each sends to. One
// without a weight is "shop:", but for the testers' rule, whose Service has all.
func weightsOf(route *unstructured.Unstructured) string {
	field, backends := "rules", "backendRefs"
	if route.GetKind() == "VirtualService" {
		field, backends = "http", "route"
	}
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", field)
	var all []string
	for _, rule := range rules {
		var to []string
		list, _, _ := unstructured.NestedSlice(rule.(map[string]any), backends)
		for _, b := range list {
			b := &unstructured.Unstructured{Object: b.(map[string]any)}
			name, weight := world.Field(b, "name")+world.Field(b, "destination", "host"), world.Field(b, "weight")
			if name == "shop-canary" && weight == "" {
				weight = "100"
			}
			to = append(to, name+":"+weight)
		}
		slices.Sort(to)
		all = append(all, strings.Join(to, " "))
	}
	return strings.Join(all, " | ")
}

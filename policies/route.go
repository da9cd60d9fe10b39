package policies

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Shares is how a route shares out what it sends to the Service.
type Shares struct {
	// Split: it goes to the stable and canary Services instead.
	Split bool
	// Canary is the share of new pods in per cent. At 0 their Service is not named, since it may not be there; above it,
	// testers go to it too.
	Canary int
	// StableHash and CanaryHash name the templates of the pods, for a Service that is switched.
	StableHash, CanaryHash string
}

// Share returns the route with every backend that is the Service split; a copy, or the route itself where nothing is split.
// Other backends, filters and matches stay as they are, and so do their shares. The error is of a route that cannot be
// split.
func (t Traffic) Share(route *unstructured.Unstructured, s Shares) (*unstructured.Unstructured, error) {
	if !s.Split {
		return route, nil
	}
	if t.Route == ServiceSwitch {
		return switched(route, s), nil
	}
	form := t.form()
	made := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(route.Object)}
	rules, _, _ := unstructured.NestedFieldNoCopy(made.Object, "spec", form.rules)
	list, _ := rules.([]any)
	var testers, all []any
	found := false
	for _, rule := range list {
		if rule, ok := rule.(map[string]any); ok {
			backends, _ := rule[form.backends].([]any)
			own := slices.DeleteFunc(slices.Clone(backends), func(b any) bool { return !form.ours(b) })
			if err := form.check(own); err != nil {
				return nil, fmt.Errorf("%s %s: %w", t.Route, t.Name, err)
			}
			if len(own) > 0 {
				found = true
				if s.Canary > 0 && t.Header != "" {
					testers = append(testers, t.testers(form, rule, own[0]))
				}
				rule[form.backends] = form.split(backends, s)
			}
		}
		all = append(all, rule)
	}
	if !found {
		return nil, fmt.Errorf("%s %s sends nothing to Service %s", t.Route, t.Name, t.Service)
	}
	return made, unstructured.SetNestedSlice(made.Object, append(testers, all...), "spec", form.rules)
}

// switched returns a Service that selects the pods of one template alone: the new ones once they have any share.
func switched(service *unstructured.Unstructured, s Shares) *unstructured.Unstructured {
	made := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(service.Object)}
	hash := s.StableHash
	if s.Canary > 0 {
		hash = s.CanaryHash
	}
	spec, _ := made.Object["spec"].(map[string]any)
	if selector, ok := spec["selector"].(map[string]any); ok {
		selector["pod-template-hash"] = hash
	}
	return made
}

// routeForm is how a kind of route says where it sends.
type routeForm struct {
	rules, backends string
	// ours reports whether a backend is the Service; check says why those cannot be split.
	ours  func(backend any) bool
	check func(own []any) error
	// to returns a copy of a backend that is another Service.
	to func(backend map[string]any, suffix string) map[string]any
	// weight of a backend among several.
	weight func(backend map[string]any, several bool) int64
}

func (t Traffic) form() routeForm {
	if t.Route == VirtualService {
		return t.istio()
	}
	return t.gateway()
}

func (t Traffic) gateway() routeForm {
	return routeForm{
		rules: "rules", backends: "backendRefs",
		ours: func(b any) bool {
			ref, _ := b.(map[string]any)
			text := func(field, otherwise string) string {
				if s, ok := ref[field].(string); ok && s != "" {
					return s
				}
				return otherwise
			}
			return text("name", "") == t.Service && text("kind", "Service") == "Service" && text("group", "") == "" &&
				text("namespace", t.Namespace) == t.Namespace
		},
		check: func([]any) error { return nil },
		to: func(ref map[string]any, suffix string) map[string]any {
			made := runtime.DeepCopyJSON(ref)
			made["name"] = t.Service + suffix
			return made
		},
		weight: func(ref map[string]any, _ bool) int64 { // https://gateway-api.sigs.k8s.io/reference/spec/#backendref
			if n, ok := integer(ref["weight"]); ok {
				return n
			}
			return 1
		},
	}
}

func (t Traffic) istio() routeForm {
	host := func(b any) string {
		route, _ := b.(map[string]any)
		s, _, _ := unstructured.NestedString(route, "destination", "host")
		return s
	}
	names := []string{t.Service, t.Service + "." + t.Namespace, t.Service + "." + t.Namespace + ".svc"}
	return routeForm{
		rules: "http", backends: "route",
		ours: func(b any) bool {
			name := host(b)
			return slices.Contains(names, name) || strings.HasPrefix(name, names[2]+".")
		},
		check: func(own []any) error {
			for _, b := range own {
				if subset, ok, _ := unstructured.NestedString(b.(map[string]any), "destination", "subset"); ok {
					return fmt.Errorf("subset %q of Service %s cannot be split: a subset selects pods itself", subset, t.Service)
				}
			}
			return nil
		},
		to: func(route map[string]any, suffix string) map[string]any {
			made := runtime.DeepCopyJSON(route)
			name := t.Service + suffix + strings.TrimPrefix(host(route), t.Service)
			_ = unstructured.SetNestedField(made, name, "destination", "host") // its host was read before
			return made
		},
		weight: func(route map[string]any, several bool) int64 { // the only destination gets everything, whatever its weight
			n, ok := integer(route["weight"])
			if !several && (!ok || n == 0) {
				return 1
			}
			return n
		},
	}
}

// most is the greatest weight that the Gateway API allows, as what a hundredfold of a weight must stay below.
const most = 1_000_000 / 100

// split replaces backends that are the Service by two, so that all keep their shares.
func (f routeForm) split(backends []any, s Shares) []any {
	greatest := int64(0)
	weight := func(b map[string]any) int64 { return f.weight(b, len(backends) > 1) }
	for _, b := range backends {
		if b, ok := b.(map[string]any); ok {
			greatest = max(greatest, weight(b))
		}
	}
	scaled := func(n int64) int64 {
		if greatest > most && n > 0 {
			return max(1, n*most/greatest)
		}
		return n
	}
	var made []any
	for _, b := range backends {
		backend, ok := b.(map[string]any)
		if !ok {
			made = append(made, b)
			continue
		}
		n := scaled(weight(backend))
		if !f.ours(backend) {
			backend["weight"] = n * 100
			made = append(made, backend)
			continue
		}
		stable, canary := f.to(backend, "-stable"), f.to(backend, "-canary")
		stable["weight"], canary["weight"] = n*int64(100-s.Canary), n*int64(s.Canary)
		if made = append(made, stable); s.Canary > 0 {
			made = append(made, canary)
		}
	}
	return made
}

// testers is a rule as another, for requests with the header, all of which go to new pods.
func (t Traffic) testers(f routeForm, rule map[string]any, backend any) map[string]any {
	made := runtime.DeepCopyJSON(rule)
	to := f.to(backend.(map[string]any), "-canary")
	delete(to, "weight")
	made[f.backends] = []any{to}
	field := "matches"
	if t.Route == VirtualService {
		field = "match"
	}
	matches, _ := made[field].([]any)
	if len(matches) == 0 {
		matches = []any{map[string]any{}}
	}
	for _, m := range matches {
		if match, ok := m.(map[string]any); ok {
			t.mark(match)
		}
	}
	made[field] = matches
	if name, ok := made["name"].(string); ok {
		made["name"] = name + "-testers"
	}
	return made
}

// mark lets a match ask for the header too.
func (t Traffic) mark(match map[string]any) {
	if t.Route == VirtualService {
		headers, _ := match["headers"].(map[string]any)
		if headers == nil {
			headers = map[string]any{}
		}
		headers[strings.ToLower(t.Header)] = map[string]any{"exact": t.Value}
		match["headers"] = headers
		return
	}
	headers, _ := match["headers"].([]any)
	headers = slices.DeleteFunc(headers, func(h any) bool { // a header may be asked for once
		of, _ := h.(map[string]any)
		name, _ := of["name"].(string)
		return strings.EqualFold(name, t.Header)
	})
	match["headers"] = append(headers, map[string]any{"type": "Exact", "name": t.Header, "value": t.Value})
}

func integer(value any) (int64, bool) {
	switch n := value.(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), true
	}
	return 0, false
}

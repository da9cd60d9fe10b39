package world

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ownable are the kinds of which a story looks for objects that should not be there.
func ownable() []string {
	return []string{"ConfigMap", "Secret", "Service", "ServiceAccount", "PersistentVolumeClaim", "Deployment",
		"StatefulSet", "HorizontalPodAutoscaler", "PodDisruptionBudget", "Ingress"}
}

// Rendered is what `sluice render` makes of the environment in the clone as it lies there.
func (s *Story) Rendered(t testing.TB, dir, environment string) []*unstructured.Unstructured {
	t.Helper()
	stdout, stderr, code := s.CLI(t, dir, "render", environment)
	if code != 0 {
		t.Fatalf("sluice render %s: exit status %d\n%s", environment, code, stderr)
	}
	return ParseObjects(t, []byte(stdout))
}

// Owned lists what carries the labels of an application's environment, in one namespace.
func (c *Cluster) Owned(t testing.TB, namespace, application, environment string) []unstructured.Unstructured {
	t.Helper()
	var out []unstructured.Unstructured
	for _, kind := range ownable() {
		list, err := c.Resource(kind, namespace).List(t.Context(), metav1.ListOptions{
			LabelSelector: "sluice.dev/application=" + application + ",sluice.dev/environment=" + environment})
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			t.Fatalf("list %s: %v", kind, err)
		}
		out = append(out, list.Items...)
	}
	return out
}

// Exactly says what differs between rendered objects of an environment and the cluster: one that is missing, a field
// that has another value, an owned object that was not rendered. Nil is: nothing.
func (s *Story) Exactly(t testing.TB, want []*unstructured.Unstructured, namespace, application, environment string) error {
	t.Helper()
	var faults []error
	var names []string
	for _, o := range want {
		names = append(names, o.GetKind()+"/"+o.GetName())
		ref := Ref{o.GetKind(), namespace, o.GetName()}
		live := s.Cluster.Get(t, ref)
		if live == nil {
			faults = append(faults, fmt.Errorf("%s is missing", ref))
			continue
		}
		for key, value := range map[string]string{"application": application, "environment": environment} {
			if got := live.GetLabels()["sluice.dev/"+key]; got != value {
				faults = append(faults, fmt.Errorf("%s: label sluice.dev/%s is %q, not %q", ref, key, got, value))
			}
		}
		if path := differs(o.Object, live.Object, ""); path != "" {
			faults = append(faults, fmt.Errorf("%s: %s", ref, path))
		}
	}
	for _, o := range s.Cluster.Owned(t, namespace, application, environment) {
		if !slices.Contains(names, o.GetKind()+"/"+o.GetName()) {
			faults = append(faults, fmt.Errorf("%s %s/%s is left over", o.GetKind(), namespace, o.GetName()))
		}
	}
	return errors.Join(faults...)
}

// differs returns the first path at which live does not have what want has; live may have more.
func differs(want, live any, path string) string {
	switch w := want.(type) {
	case nil:
		return ""
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok && len(w) > 0 {
			return fmt.Sprintf("%s is missing", path)
		}
		for _, key := range sortedKeys(w) {
			if d := differs(w[key], l[key], path+"."+key); d != "" {
				return d
			}
		}
		return ""
	case []any:
		l, _ := live.([]any)
		if len(l) != len(w) {
			return fmt.Sprintf("%s has %d entries, not %d", path, len(l), len(w))
		}
		for i := range w {
			if d := differs(w[i], l[i], fmt.Sprintf("%s[%d]", path, i)); d != "" {
				return d
			}
		}
		return ""
	}
	if fmt.Sprint(want) != fmt.Sprint(live) {
		return fmt.Sprintf("%s is %v, not %v", strings.TrimPrefix(path, "."), live, want)
	}
	return ""
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

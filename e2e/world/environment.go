package world

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// NewEnvironment makes the namespace of another environment, in which the shop's account may do what it may in staging's. The
// agent serves it from its next start on.
func (s *Story) NewEnvironment(t testing.TB, name string) {
	t.Helper()
	namespace := s.Namespace(name)
	s.Apply(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{
			"name": namespace, "labels": map[string]any{"pod-security.kubernetes.io/enforce": "restricted"},
		},
	}})
	binding := s.Cluster.Must(t, Ref{Kind: "RoleBinding", Namespace: s.Staging, Name: "sluice-application-" + s.Name})
	s.Apply(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": binding.GetAPIVersion(), "kind": "RoleBinding",
		"metadata": map[string]any{"name": binding.GetName(), "namespace": namespace},
		"roleRef":  binding.Object["roleRef"], "subjects": binding.Object["subjects"],
	}})
	s.Agent.Config.Environments = append(s.Agent.Config.Environments, map[string]any{"name": name})
	permission := s.Agent.Config.Permissions[0]
	permission["namespaces"] = append(permission["namespaces"].([]string), namespace)
}

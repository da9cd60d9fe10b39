package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// resource is where the API has a kind.
func resource(kind string) (schema.GroupVersionResource, bool) {
	v := func(group, version, resource string) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
	}
	r, ok := map[string]schema.GroupVersionResource{
		"Namespace":                v("", "v1", "namespaces"),
		"Node":                     v("", "v1", "nodes"),
		"ConfigMap":                v("", "v1", "configmaps"),
		"Secret":                   v("", "v1", "secrets"),
		"Service":                  v("", "v1", "services"),
		"ServiceAccount":           v("", "v1", "serviceaccounts"),
		"PersistentVolumeClaim":    v("", "v1", "persistentvolumeclaims"),
		"Pod":                      v("", "v1", "pods"),
		"Event":                    v("", "v1", "events"),
		"Deployment":               v("apps", "v1", "deployments"),
		"Job":                      v("batch", "v1", "jobs"),
		"StatefulSet":              v("apps", "v1", "statefulsets"),
		"DaemonSet":                v("apps", "v1", "daemonsets"),
		"ReplicaSet":               v("apps", "v1", "replicasets"),
		"HorizontalPodAutoscaler":  v("autoscaling", "v2", "horizontalpodautoscalers"),
		"PodDisruptionBudget":      v("policy", "v1", "poddisruptionbudgets"),
		"Ingress":                  v("networking.k8s.io", "v1", "ingresses"),
		"EndpointSlice":            v("discovery.k8s.io", "v1", "endpointslices"),
		"HTTPRoute":                v("gateway.networking.k8s.io", "v1", "httproutes"),
		"VirtualService":           v("networking.istio.io", "v1", "virtualservices"),
		"Role":                     v("rbac.authorization.k8s.io", "v1", "roles"),
		"RoleBinding":              v("rbac.authorization.k8s.io", "v1", "rolebindings"),
		"ClusterRole":              v("rbac.authorization.k8s.io", "v1", "clusterroles"),
		"ClusterRoleBinding":       v("rbac.authorization.k8s.io", "v1", "clusterrolebindings"),
		"Lease":                    v("coordination.k8s.io", "v1", "leases"),
		"CustomResourceDefinition": v("apiextensions.k8s.io", "v1", "customresourcedefinitions"),
		"BackupSchedule":           v("orders.example.com", "v1", "backupschedules"),

		"ValidatingAdmissionPolicy":        v("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies"),
		"ValidatingAdmissionPolicyBinding": v("admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings"),
	}[kind]
	return r, ok
}

// Resource is the client for a kind, in a namespace unless that is empty. A kind that the stories do not know panics.
func (c *Cluster) Resource(kind, namespace string) dynamic.ResourceInterface {
	r, ok := c.kinds[kind]
	if !ok {
		r, ok = resource(kind)
	}
	if !ok {
		panic(fmt.Sprintf("no resource for kind %q: add it to the table", kind))
	}
	if slices.Contains([]string{"Namespace", "Node", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition",
		"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}, kind) {
		return c.Dynamic.Resource(r)
	}
	return c.Dynamic.Resource(r).Namespace(namespace)
}

// ParseObjects reads a stream of YAML documents.
func ParseObjects(t testing.TB, text []byte) []*unstructured.Unstructured {
	t.Helper()
	var out []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		var m map[string]any
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("parse objects: %v", err)
		}
		if len(m) > 0 {
			out = append(out, copyObject(t, m))
		}
	}
}

// ReadObjects reads a file of YAML documents.
func ReadObjects(t testing.TB, path string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return ParseObjects(t, text)
}

// Text is a value as JSON.
func Text(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package world

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Install applies examples/install, but for the agent's own Deployment, and the account of the shop, with other
// names for the namespaces; what is cluster-wide gets the story's name as a suffix.
func (s *Story) Install(t testing.TB, names map[string]string) {
	t.Helper()
	objects := s.Kustomize(t, "examples/install", "examples/install/create-namespaces", "examples/install/apps")
	for _, pass := range []bool{true, false} { // namespaces first
		for _, o := range objects {
			if (o.GetKind() == "Namespace") == pass && s.ours(o, names) {
				s.rename(o, names)
				s.Apply(t, o)
			}
		}
	}
}

// ours leaves out what runs the agent in the cluster, and other applications' parts.
func (s *Story) ours(o *unstructured.Unstructured, names map[string]string) bool {
	switch o.GetKind() {
	case "Deployment", "Service", "ConfigMap":
		return false
	case "Namespace":
		return names[o.GetName()] != ""
	case "ClusterRole", "ClusterRoleBinding":
		return o.GetName() != "sluice-orders-definitions" || names["orders"] != ""
	case "ServiceAccount":
		return o.GetNamespace() == "sluice-system" || names[o.GetName()] != ""
	}
	return names[o.GetNamespace()] != ""
}

// rename puts an object of examples/install into the story's namespaces. Roles and bindings get the agent's name as a
// suffix, so that another agent's stand beside them.
func (s *Story) rename(o *unstructured.Unstructured, names map[string]string) {
	if o.GetKind() == "Namespace" {
		o.SetName(names[o.GetName()])
	} else if o.GetNamespace() != "" {
		o.SetNamespace(names[o.GetNamespace()])
	}
	if strings.Contains(o.GetKind(), "Role") {
		o.SetName(o.GetName() + "-" + s.Name)
	}
	if name, ok, _ := unstructured.NestedString(o.Object, "roleRef", "name"); ok {
		_ = unstructured.SetNestedField(o.Object, name+"-"+s.Name, "roleRef", "name")
	}
	subjects, _, _ := unstructured.NestedSlice(o.Object, "subjects")
	for _, subject := range subjects {
		m := subject.(map[string]any)
		m["namespace"] = names[m["namespace"].(string)]
	}
	if len(subjects) > 0 {
		_ = unstructured.SetNestedSlice(o.Object, subjects, "subjects")
	}
}

// Kustomize builds folders of the repository. A component cannot be built alone, so that all are built as one.
func (w *World) Kustomize(t testing.TB, dirs ...string) []*unstructured.Unstructured {
	t.Helper()
	fs := filesys.MakeFsOnDisk()
	var out []*unstructured.Unstructured
	for _, dir := range dirs {
		path := filepath.Join(w.Root, dir)
		if filepath.Base(dir) == "create-namespaces" {
			out = append(out, ReadObjects(t, filepath.Join(path, "rbac.yaml"))...)
			continue
		}
		built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, path)
		if err != nil {
			t.Fatalf("build %s: %v", dir, err)
		}
		text, err := built.AsYaml()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ParseObjects(t, text)...)
	}
	return out
}

// Apply applies an object as the administrator, under a field manager that is not Sluice's.
func (w *World) Apply(t testing.TB, o *unstructured.Unstructured) {
	t.Helper()
	w.ApplyAs(t, "administrator", o)
}

// ApplyAs applies an object as the administrator under a field manager's name.
func (w *World) ApplyAs(t testing.TB, manager string, o *unstructured.Unstructured) {
	t.Helper()
	r := w.Cluster.Resource(o.GetKind(), o.GetNamespace())
	_, err := r.Apply(t.Context(), o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, Force: true})
	if err != nil {
		t.Fatalf("apply %s %s/%s: %v", o.GetKind(), o.GetNamespace(), o.GetName(), err)
	}
}

// Kubeconfig is a kubeconfig for a service account, with everything in it.
func (w *World) Kubeconfig(t testing.TB, namespace, account string) []byte {
	t.Helper()
	seconds := int64((6 * time.Hour).Seconds())
	token, err := w.Cluster.Core.CoreV1().ServiceAccounts(namespace).CreateToken(t.Context(), account,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("make token of %s/%s: %v", namespace, account, err)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["e2e"] = &clientcmdapi.Cluster{
		Server: w.Cluster.Admin.Host, CertificateAuthorityData: w.Cluster.Admin.CAData}
	config.AuthInfos["agent"] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	config.Contexts["e2e"] = &clientcmdapi.Context{Cluster: "e2e", AuthInfo: "agent"}
	config.CurrentContext = "e2e"
	text, err := clientcmd.Write(*config)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// forget deletes what the story made in the cluster, without waiting for more of it than for its definitions.
func (s *Story) forget(t testing.TB) {
	ctx := context.WithoutCancel(t.Context())
	s.forgetDefinitions(ctx, t)
	for _, kind := range []string{"Namespace", "ClusterRoleBinding", "ClusterRole"} {
		list, err := s.Cluster.Resource(kind, "").List(ctx, metav1.ListOptions{})
		if err != nil {
			t.Logf("clean up: %v", err)
			continue
		}
		for _, o := range list.Items {
			if strings.Contains(o.GetName(), s.Name) {
				_ = s.Cluster.Resource(kind, "").Delete(ctx, o.GetName(), metav1.DeleteOptions{})
			}
		}
	}
}

// forgetDefinitions deletes the definitions that the story's agents own, and waits until they are gone: the next story of
// the same name would meet them.
func (s *Story) forgetDefinitions(ctx context.Context, t testing.TB) {
	definitions := s.Cluster.Resource("CustomResourceDefinition", "")
	ours := func() ([]unstructured.Unstructured, error) {
		list, err := definitions.List(ctx, metav1.ListOptions{LabelSelector: "sluice.dev/agent"})
		if err != nil {
			return nil, err
		}
		return slices.DeleteFunc(list.Items, func(o unstructured.Unstructured) bool {
			return !strings.Contains(o.GetLabels()["sluice.dev/agent"], s.Name)
		}), nil
	}
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); time.Sleep(glance) {
		found, err := ours()
		if err == nil && len(found) == 0 {
			return
		}
		for _, o := range found {
			_ = definitions.Delete(ctx, o.GetName(), metav1.DeleteOptions{})
		}
	}
	t.Log("clean up: definitions are still there")
}

// copyObject is a deep copy by way of JSON, so that YAML's numbers are those of the API.
func copyObject(t testing.TB, from any) *unstructured.Unstructured {
	t.Helper()
	text, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(text); err != nil {
		t.Fatal(err)
	}
	return o
}

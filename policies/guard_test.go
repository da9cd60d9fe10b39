package policies

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func thing(apiVersion, kind, namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{}
	o.SetAPIVersion(apiVersion)
	o.SetKind(kind)
	o.SetNamespace(namespace)
	o.SetName(name)
	return o
}

func TestGuardCheck(t *testing.T) {
	shop := Guard{Namespaces: []string{"shop", "shop-*"}, Reserved: []string{"kube-system", "sluice-system"}}
	cases := map[string]struct {
		reason string
		guard  Guard
		object *unstructured.Unstructured
		want   []string
	}{
		"AllowedNamespace": {"a glob allows it", shop, thing("apps/v1", "Deployment", "shop-staging", "web"), nil},
		"ForeignNamespace": {
			"nothing outside of the permission", shop, thing("apps/v1", "Deployment", "bank", "web"),
			[]string{`Deployment bank/web: namespace "bank" is not among the namespaces of the application's permission in agent.yaml`},
		},
		"Lesson05_ReservedNamespace": {
			"reserved ones never, whatever the globs say",
			Guard{Namespaces: []string{"*"}, Reserved: []string{"kube-system"}}, thing("v1", "ConfigMap", "kube-system", "dns"),
			[]string{`ConfigMap kube-system/dns: namespace "kube-system" is reserved`},
		},
		"Lesson05_RenamedNamespaceObject": {
			"a Namespace object counts as in the namespace of its name",
			Guard{Namespaces: []string{"shop"}, ClusterWide: []string{"Namespace"}}, thing("v1", "Namespace", "", "shop-x"),
			[]string{`Namespace shop-x: namespace "shop-x" is not among the namespaces of the application's permission in agent.yaml`},
		},
		"ClusterWideUnlessNamed": {
			"by default no cluster-wide kind", shop, thing("rbac.authorization.k8s.io/v1", "ClusterRole", "", "admin"),
			[]string{"ClusterRole admin: kind ClusterRole.rbac.authorization.k8s.io is cluster-wide and not among kinds.clusterWide of the application's permission in agent.yaml"},
		},
		"DenyWins": {
			"deny wins over allow", Guard{Namespaces: []string{"*"}, Allow: []string{"*"}, Deny: []string{"Role*.rbac.authorization.k8s.io"}},
			thing("rbac.authorization.k8s.io/v1", "RoleBinding", "shop", "x"),
			[]string{"RoleBinding shop/x: kind RoleBinding.rbac.authorization.k8s.io is denied by agent.yaml"},
		},
		"NotAmongAllowed": {
			"a list of kinds is all there is", Guard{Namespaces: []string{"*"}, Allow: []string{"Deployment.apps"}},
			thing("v1", "Secret", "shop", "x"),
			[]string{"Secret shop/x: kind Secret is not among kinds.allow of the application's permission in agent.yaml"},
		},
		"ZeroGuardAllowsNothing": {
			"no permission, no object", Guard{}, thing("v1", "ConfigMap", "shop", "x"),
			[]string{`ConfigMap shop/x: namespace "shop" is not among the namespaces of the application's permission in agent.yaml`},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.guard.Check([]*unstructured.Unstructured{c.object})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.reason, diff)
			}
		})
	}
}

package world

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefineRoutes makes the kinds of routes known to a cluster that does not have them, with no more of a schema than that
// they have a status. All stories share them, so that they stay.
func (s *Story) DefineRoutes(t testing.TB) {
	t.Helper()
	for _, o := range ParseObjects(t, []byte(routeDefinitions)) {
		if s.Cluster.Get(t, Ref{Kind: o.GetKind(), Name: o.GetName()}) == nil {
			s.Apply(t, o)
		}
	}
	for _, kind := range []string{"HTTPRoute", "VirtualService"} {
		Await(t, Patience, kind+" is served", func() error {
			_, err := s.Cluster.Resource(kind, s.Staging).List(t.Context(), metav1.ListOptions{})
			return err
		})
	}
}

const routeDefinitions = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: httproutes.gateway.networking.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, it is a stand-in for tests"}
spec:
  group: gateway.networking.k8s.io
  scope: Namespaced
  names: {kind: HTTPRoute, plural: httproutes}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: virtualservices.networking.istio.io}
spec:
  group: networking.istio.io
  scope: Namespaced
  names: {kind: VirtualService, plural: virtualservices}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

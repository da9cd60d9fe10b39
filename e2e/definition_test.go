package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentAppliesADefinitionAndItsResource: a definition and an object of it come in one commit.
func TestAgentAppliesADefinitionAndItsResource(t *testing.T) {
	s := begin(t, "definition")
	group := strings.ReplaceAll(s.Name, "definition-", "d") + ".example.com"
	for _, o := range world.ParseObjects(t, fmt.Appendf(nil, definitionRights, s.Name, group, s.Apps)) {
		s.Apply(t, o)
	}
	s.Agent.Config.Permissions[0]["kinds"] = map[string]any{"clusterWide": []string{"CustomResourceDefinition.apiextensions.k8s.io"}}
	s.Deploy(t, "staging")
	lantern := world.Ref{Kind: "Lantern", Namespace: s.Staging, Name: "porch"}
	kinds := s.Cluster.With(lantern.Kind, group, "v1", "lanterns")
	t.Run("PushBothInOneCommit", func(t *testing.T) {
		s.Repo.Write(t, "deploy/staging/lantern.yaml", fmt.Sprintf(lanternDefinition, group))
		s.Repo.Write(t, "deploy/staging/porch.yaml", fmt.Sprintf(lanternObject, group, 3))
		revision := s.Repo.Commit(t, "A lantern on the porch")
		s.AwaitPhase(t, "staging", revision, "Healthy")
		if err := world.Has(3, "spec", "brightness")(kinds.Get(t, lantern)); err != nil {
			t.Error(err)
		}
	})
	t.Run("AChangeOfTheResourceIsApplied", func(t *testing.T) {
		s.Repo.Write(t, "deploy/staging/porch.yaml", fmt.Sprintf(lanternObject, group, 5))
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Brighter"), "Healthy")
		if err := world.Has(5, "spec", "brightness")(kinds.Get(t, lantern)); err != nil {
			t.Error(err)
		}
	})
	t.Run("TheResourceIsPrunedAndTheDefinitionStays", func(t *testing.T) {
		s.Repo.Remove(t, "deploy/staging/porch.yaml")
		s.Repo.Remove(t, "deploy/staging/lantern.yaml")
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "Dark again"), "Healthy")
		kinds.AwaitObject(t, world.Patience, "pruned", lantern, world.Gone)
		crd := world.Ref{Kind: "CustomResourceDefinition", Name: "lanterns." + group}
		if err := world.Exists(s.Cluster.Get(t, crd)); err != nil {
			t.Error("a definition was deleted, and the environment did not say so")
		}
	})
}

const definitionRights = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: lanterns-%[1]s}
rules:
  - apiGroups: [apiextensions.k8s.io]
    resources: [customresourcedefinitions]
    resourceNames: [lanterns.%[2]s]
    verbs: [get, create, patch, update, delete]
  - apiGroups: [%[2]s]
    resources: [lanterns]
    verbs: [get, list, watch, create, patch, update, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: lanterns-%[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: lanterns-%[1]s}
subjects: [{kind: ServiceAccount, name: shop, namespace: %[3]s}]
`

const lanternDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: lanterns.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {kind: Lantern, plural: lanterns, singular: lantern}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: {brightness: {type: integer}}
`

const lanternObject = `apiVersion: %s/v1
kind: Lantern
metadata: {name: porch}
spec: {brightness: %d}
`

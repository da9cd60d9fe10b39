package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentDeploysTheExamples: three repositories that a user can copy, an agent with the rights of examples/install,
// and each application with its own account.
func TestAgentDeploysTheExamples(t *testing.T) {
	s := begin(t, "examples", "shop", "orders", "catalog")
	examples := []example{
		{"shop", "01-plain", s.Repo},
		{"orders", "02-kustomize", s.Git.NewRepo(t, "orders", filepath.Join(s.Dir, "orders"))},
		{"catalog", "03-helm", s.Git.NewRepo(t, "catalog", filepath.Join(s.Dir, "catalog"))},
	}
	s.Agent = s.NewAgent(t, s.Name, s.System, examples[0].repo, examples[1].repo, examples[2].repo)
	s.Agent.Config.Permissions = nil
	for i := range examples {
		examples[i].prepare(t, s)
	}
	revisions := map[string]string{}
	t.Run("PushAllThree", func(t *testing.T) {
		for _, e := range examples {
			revisions[e.application] = e.repo.Commit(t, "The example as it is copied")
		}
		s.Agent.Start(t)
	})
	for _, e := range examples {
		for _, env := range []string{"staging", "production"} {
			t.Run(e.application+"IsHealthyIn_"+env, func(t *testing.T) {
				note := e.repo.AwaitNote(t, world.Patience, "Healthy", env, healthy(revisions[e.application]))
				e.checkNote(t, s, note, env, revisions[e.application])
				want := s.Rendered(t, e.repo.Dir, env)
				if err := s.Exactly(t, want, e.namespace(s, env), e.application, env); err != nil {
					t.Error(err)
				}
			})
		}
		t.Run(e.application+"SaysSoInItsStatus", func(t *testing.T) { e.checkStatus(t, s) })
		t.Run(e.application+"HasValidFiles", func(t *testing.T) {
			if _, stderr, code := s.CLI(t, e.repo.Dir, "validate", "sluice.yaml"); code != 0 {
				t.Errorf("sluice validate: exit status %d: %s", code, stderr)
			}
		})
	}
	t.Run("PodTemplatesCarryNoLabelOfSluice", func(t *testing.T) {
		for _, e := range examples {
			deployment := s.Cluster.Must(t, world.Ref{Kind: "Deployment", Namespace: e.namespace(s, "production"), Name: e.application})
			template, _, _ := unstructured.NestedMap(deployment.Object, "spec", "template", "metadata")
			if strings.Contains(world.Text(t, template), "sluice.dev") {
				t.Errorf("%s: pod template has %v", e.application, template)
			}
		}
	})
	t.Run("TheStateIsInOneSecretForEach", func(t *testing.T) {
		list, err := s.Cluster.Core.CoreV1().Secrets(s.System).List(t.Context(), metav1.ListOptions{LabelSelector: "state.sluice.dev/kind=state,state.sluice.dev/agent=" + s.Name})
		if err != nil {
			t.Fatal(err)
		}
		if states := len(list.Items); states != 6 {
			t.Errorf("%d state Secrets, want 6", states)
		}
	})
	t.Run("GitLogIsTheAuditLog", func(t *testing.T) {
		s.Repo.Run(t, "fetch", "-q", "origin", "+refs/notes/sluice/*:refs/notes/sluice/*")
		if log := s.Repo.Run(t, "log", "--notes=sluice/*"); !strings.Contains(log, `"phase":"Healthy"`) {
			t.Errorf("git log says\n%s", log)
		}
	})
	t.Run("TheAgentSaysThatItIsReadyAndCounts", func(t *testing.T) {
		if _, err := s.Agent.Get("/readyz"); err != nil {
			t.Error(err)
		}
		metrics, err := s.Agent.Get("/metrics")
		if err != nil || !strings.Contains(metrics, "sluice_") {
			t.Errorf("metrics: %v\n%s", err, world.Tail(metrics, 20))
		}
	})
}

// TestAgentInstallation: what examples/install applies is accepted as it is written, by namespaces that enforce the
// restricted pod security standard.
func TestAgentInstallation(t *testing.T) {
	s := begin(t, "install")
	for _, o := range s.Kustomize(t, "examples/install") {
		if kind := o.GetKind(); kind == "Deployment" || kind == "Service" || kind == "ConfigMap" {
			o.SetNamespace(s.System)
			s.Apply(t, o)
		}
	}
	t.Run("TheDeploymentOfTheAgentBecomesAvailable", func(t *testing.T) {
		s.Cluster.AwaitObject(t, world.Patience, "available", world.Ref{Kind: "Deployment", Namespace: s.System, Name: "sluice"},
			world.Has(1, "status", "availableReplicas"))
	})
	t.Run("ItsConfigurationIsValid", func(t *testing.T) {
		if _, stderr, code := s.CLI(t, s.Root, "validate", "examples/install/agent.yaml"); code != 0 {
			t.Errorf("sluice validate: exit status %d: %s", code, stderr)
		}
	})
}

// TestAgentCreatesANamespace: only where the environment says so, and the component of examples/install gave the right.
func TestAgentCreatesANamespace(t *testing.T) {
	s := begin(t, "namespace")
	fresh := s.Name + "-fresh"
	binding := "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: everywhere-" + s.Name + "}\n" +
		"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: sluice-application-" + s.Name + "}\n" +
		"subjects: [{kind: ServiceAccount, name: shop, namespace: " + s.Apps + "}]\n"
	s.Apply(t, world.ParseObjects(t, []byte(binding))[0])
	s.Agent.Config.Permissions[0]["namespaces"] = []string{fresh}
	s.Shop(t, "staging")
	s.Repo.Edit(t, "sluice.yaml", "namespace: "+s.Staging, "namespace: "+fresh)
	ref := world.Ref{Kind: "Namespace", Name: fresh}
	t.Run("WithoutAWordItIsNotCreated", func(t *testing.T) {
		revision := s.Repo.Commit(t, "A namespace that is not there")
		s.Agent.Start(t)
		s.Repo.AwaitNote(t, world.Patience, "a refusal", "staging", func(n world.Note) bool {
			return n.On == revision && n.Says(fresh, "not found")
		})
		if s.Cluster.Get(t, ref) != nil {
			t.Error("it was created")
		}
	})
	t.Run("WithCreateNamespaceItIs", func(t *testing.T) {
		s.Repo.Edit(t, "sluice.yaml", "    namespace:", "    createNamespace: true\n    namespace:")
		s.Repo.Commit(t, "Create it")
		s.Cluster.AwaitObject(t, world.Patience, "deployed", world.Ref{Kind: "Deployment", Namespace: fresh, Name: "shop"},
			world.Has(2, "status", "availableReplicas"))
	})
}

type example struct {
	application, dir string
	repo             *world.Repo
}

func (e example) namespace(s *world.Story, env string) string {
	names := s.Names("shop", "orders", "catalog")
	if env == "staging" {
		return names[e.application+"-staging"]
	}
	return names[e.application]
}

// prepare copies the example, changes its namespaces into the story's, and gives it its permission.
func (e example) prepare(t *testing.T, s *world.Story) {
	t.Helper()
	e.repo.Copy(t, filepath.Join(s.Root, "examples", e.dir), ".")
	for _, env := range []string{"-staging", ""} {
		e.repo.Edit(t, "sluice.yaml", "namespace: "+e.application+env+"\n",
			"namespace: "+s.Names("shop", "orders", "catalog")[e.application+env]+"\n")
	}
	permission := map[string]any{
		"applications": []string{e.application}, "serviceAccount": s.Apps + "/" + e.application,
		"namespaces": []string{e.namespace(s, "staging"), e.namespace(s, "production")},
	}
	if e.application == "orders" {
		permission["kinds"] = map[string]any{"clusterWide": []string{"CustomResourceDefinition.apiextensions.k8s.io"}}
	}
	s.Agent.Config.Permissions = append(s.Agent.Config.Permissions, permission)
}

func (e example) checkNote(t *testing.T, s *world.Story, n world.Note, env, revision string) {
	t.Helper()
	if n.V != 1 || n.ID == "" || n.Seq < 1 || n.Application != e.application || n.Environment != env ||
		n.Agent != s.Name || n.Revision != revision || n.Trigger != revision || n.Inputs == "" || n.Digest == "" ||
		n.At.IsZero() || n.Key == "" || n.Sig == "" {
		t.Errorf("the note lacks something: %s", n.Text)
	}
}

func (e example) checkStatus(t *testing.T, s *world.Story) {
	t.Helper()
	stdout, stderr, code := s.CLI(t, e.repo.Dir, "status", "--repo", e.repo.Dir)
	if code != 0 || strings.Count(stdout, "Healthy") < 2 {
		t.Errorf("sluice status: exit status %d\n%s%s", code, stdout, stderr)
	}
	stdout, stderr, code = s.CLI(t, e.repo.Dir, "status", "--repo", e.repo.Dir, "-o", "json")
	if code != 0 || !strings.Contains(stdout, revisionOf(t, e)) {
		t.Errorf("sluice status -o json: exit status %d\n%s%s", code, stdout, stderr)
	}
}

func revisionOf(t *testing.T, e example) string {
	t.Helper()
	return e.repo.Head(t)
}

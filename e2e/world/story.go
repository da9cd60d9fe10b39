package world

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
)

// Story is one story's part of the world.
type Story struct {
	*World
	// Name is unique in the cluster: the agent's name, and the beginning of each namespace.
	Name string
	// Dir is the story's own folder.
	Dir string
	// System holds the agent's state, Apps the service accounts of applications.
	System, Apps string
	// Staging and Production are the namespaces of the application's environments.
	Staging, Production string
	Git                 *Git
	Repo                *Repo
	Agent               *Agent
	// Project is nil where the repository does not lie at the forge.
	Project *Project
}

// NewStory makes namespaces, rights, a Git server with one empty repository, and an agent that is not started. The
// applications are those of examples/install that get an account and namespaces; none is the shop alone.
func NewStory(t *testing.T, w *World, name string, applications ...string) *Story {
	t.Helper()
	id := make([]byte, 3)
	_, _ = rand.Read(id)
	name += "-" + hex.EncodeToString(id)
	s := &Story{
		World: w, Name: name, Dir: filepath.Join(w.Dir, name),
		System: name + "-system", Apps: name + "-apps", Staging: name + "-staging", Production: name,
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s.Install(t, s.Names(applications...))
	s.Git = StartGit(t, w.DevGit, filepath.Join(s.Dir, "git"))
	s.Repo = s.Git.NewRepo(t, "shop", filepath.Join(s.Dir, "shop"))
	s.Agent = s.NewAgent(t, s.Name, s.System, s.Repo)
	t.Cleanup(func() {
		if t.Failed() {
			s.Report(t)
		}
		s.forget(t)
	})
	return s
}

// AtForge gives the story a repository without files at the forge that stories share, instead of the one at the story's own
// server, and an agent for it that is not started.
func (s *Story) AtForge(t testing.TB) *Project {
	t.Helper()
	s.Project = s.Forge(t).NewProject(t, s.Name, "shop", filepath.Join(s.Dir, "shop-at-forge"))
	s.Repo = s.Project.Repo
	s.Agent = s.NewAgent(t, s.Name, s.System, s.Repo)
	s.KnowsForge(t, s.Agent)
	return s.Project
}

// KnowsForge gives an agent of the story's repository a token for its forge.
func (s *Story) KnowsForge(t testing.TB, a *Agent) {
	t.Helper()
	s.Secret(t, a.Config.StateNamespace, "forge", map[string]string{"token": s.Project.Agent.Token})
	a.Config.Repositories[0].Forge = map[string]any{"kind": "gitea", "token": map[string]any{"secret": "forge"}}
}

// HearsWebhooks gives an agent of the story's repository a listener for the forge's webhooks, and the secret that they are signed
// with. It returns where the forge has to post them.
func (s *Story) HearsWebhooks(t testing.TB, a *Agent, secret string) string {
	t.Helper()
	s.Secret(t, a.Config.StateNamespace, "webhook", map[string]string{"token": secret})
	listen := freeAddress(t)
	a.Config.Webhooks = map[string]any{"listen": listen}
	a.Config.Repositories[0].Webhook = map[string]any{"secret": map[string]any{"secret": "webhook"}}
	return "http://" + listen + "/webhooks/" + s.Repo.Name
}

// Names says what the namespaces of examples/install are called in this story.
func (s *Story) Names(applications ...string) map[string]string {
	names := map[string]string{
		"sluice-system": s.System, "sluice-apps": s.Apps, "shop-staging": s.Staging, "shop": s.Production,
	}
	for _, app := range applications {
		if app != "shop" {
			names[app], names[app+"-staging"] = s.Name+"-"+app, s.Name+"-"+app+"-staging"
		}
	}
	return names
}

// Shop puts examples/01-plain into the repository, not yet committed, with the story's namespaces and only the
// environments named; none is all.
func (s *Story) Shop(t testing.TB, environments ...string) {
	t.Helper()
	if len(environments) == 0 {
		environments = []string{"staging", "production"}
	}
	file := "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n"
	for _, env := range environments {
		s.Repo.Copy(t, filepath.Join(s.Root, "examples/01-plain/deploy", env), filepath.Join("deploy", env))
		file += s.Block(env, "directory: {path: deploy/"+env+"}")
	}
	s.Repo.Write(t, "sluice.yaml", file)
}

// Block is the text of one environment in sluice.yaml, ready for more lines of four spaces.
func (s *Story) Block(env, source string) string {
	return "  - name: " + env + "\n    namespace: " + s.Namespace(env) + "\n    source: {" + source + "}\n"
}

// Namespace is the one of an environment.
func (s *Story) Namespace(env string) string {
	if env == "production" {
		return s.Production
	}
	return s.Name + "-" + env
}

// Deploy is the beginning of most stories: the shop is in Git, the agent runs, the environments are healthy. It
// returns the revision.
func (s *Story) Deploy(t testing.TB, environments ...string) string {
	t.Helper()
	s.Shop(t, environments...)
	revision := s.Repo.Commit(t, "The shop")
	s.Agent.Start(t)
	if len(environments) == 0 {
		environments = []string{"staging", "production"}
	}
	for _, env := range environments {
		s.AwaitPhase(t, env, revision, "Healthy")
	}
	return revision
}

// Object names an object of the shop in an environment.
func (s *Story) Object(kind, env string) Ref {
	return Ref{Kind: kind, Namespace: s.Namespace(env), Name: "shop"}
}

// AwaitGit waits until the cluster is exactly what Git has for an environment of the shop.
func (s *Story) AwaitGit(t testing.TB, environment string) {
	t.Helper()
	want := s.Rendered(t, s.Repo.Dir, environment)
	Await(t, Patience, environment+" is what Git has", func() error {
		return s.Exactly(t, want, s.Namespace(environment), "shop", environment)
	})
}

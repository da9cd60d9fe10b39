package world

import (
	"os"
	"path/filepath"
	"testing"
)

// InAnotherCluster is the story in a control plane of its own, where everything is installed once more, with another account
// at the forge and an agent that is not started. The two clusters have nothing in common: not a key, not a certificate. Only
// for stories at a forge.
func (s *Story) InAnotherCluster(t testing.TB) *Story {
	t.Helper()
	if os.Getenv("E2E_KUBECONFIG") != "" {
		t.Skip("E2E_KUBECONFIG names one cluster, and this takes two")
	}
	dir := filepath.Join(s.Dir, "elsewhere")
	cluster, err := StartCluster(t.Context(), s.Root, filepath.Join(dir, "cluster"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	there := *s
	there.World = &World{Root: s.Root, Dir: dir, Sluice: s.Sluice, DevGit: s.DevGit, Cluster: cluster, forge: s.forge}
	there.Dir = dir
	there.Install(t, there.Names())
	project, repo := *s.Project, *s.Repo
	project.Agent = s.Project.NewMember(t, "elsewhere", "write:repository", "read:issue")
	repo.User, repo.Password = project.Agent.Name, project.Agent.Token
	project.Repo, there.Project, there.Repo = &repo, &project, &repo
	there.Agent = there.NewAgent(t, s.Name+"-elsewhere", there.System, there.Repo)
	there.KnowsForge(t, there.Agent)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the last words of the agent in the other cluster:\n%s", Tail(there.Agent.Log(t), 60))
		}
	})
	return &there
}

package e2e

import (
	"path/filepath"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentOutlivesItsGitServer: without Git what runs goes on running, and drift is repaired, by an agent that was
// started without Git too.
func TestAgentOutlivesItsGitServer(t *testing.T) {
	s := begin(t, "outage")
	first := s.Deploy(t, "staging")
	deployment := s.Object("Deployment", "staging")
	t.Run("Lesson27_DriftIsRepairedWithoutGit", func(t *testing.T) {
		s.Git.Stop(t)
		s.Agent.AwaitLog(t, "was not polled", s.Git.Address)
		edit(t, s, deployment, otherImage)
		s.Cluster.AwaitObject(t, world.Patience, "repaired", deployment, world.Has(firstImage, imagePath()...))
	})
	t.Run("Lesson27_ByAnAgentThatWasRestartedMeanwhile", func(t *testing.T) {
		s.Agent.Kill9(t)
		edit(t, s, deployment, otherImage)
		s.Agent.Start(t)
		s.Cluster.AwaitObject(t, world.Patience, "an edit from before the start", deployment, world.Has(firstImage, imagePath()...))
		edit(t, s, deployment, otherImage)
		s.Cluster.AwaitObject(t, world.Patience, "an edit from after the start", deployment, world.Has(firstImage, imagePath()...))
	})
	t.Run("ThenGitIsBack", func(t *testing.T) {
		s.Git.Start(t)
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "After the outage"), "Healthy")
		s.AwaitGit(t, "staging")
	})
	t.Run("NothingWasSaidTwice", func(t *testing.T) {
		count := 0
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.On == first && n.Phase == "Healthy" {
				count++
			}
		}
		if count != 1 {
			t.Errorf("%d lines say Healthy on the first revision, want 1", count)
		}
	})
}

// TestAgentHasOneDeadRepository: a host that does not answer, and a repository that makes no sense, are their own fault.
func TestAgentHasOneDeadRepository(t *testing.T) {
	s := begin(t, "deadhost")
	other := world.StartGit(t, s.DevGit, filepath.Join(s.Dir, "othergit"))
	dead := other.NewRepo(t, "dead", filepath.Join(s.Dir, "dead"))
	broken := s.Git.NewRepo(t, "broken", filepath.Join(s.Dir, "broken"))
	broken.Write(t, "sluice.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: broken}\nenvironments: 7\n")
	broken.Commit(t, "Nonsense")
	other.Stop(t)
	s.Agent = s.NewAgent(t, s.Name, s.System, dead, broken, s.Repo)
	t.Run("Lesson12_TheOthersDoNotNotice", func(t *testing.T) {
		s.Deploy(t, "staging")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "The next image"), "Healthy")
	})
	t.Run("TheFaultsAreNamed", func(t *testing.T) {
		s.Agent.AwaitLog(t, "was not polled", other.Address)
		s.Agent.AwaitLog(t, "was not", "broken", "environments")
	})
	t.Run("TheDeadOneComesToLife", func(t *testing.T) {
		other.Start(t)
		dead.Write(t, "sluice.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: late}\nenvironments:\n"+
			s.Block("staging", "directory: {path: .}"))
		dead.Write(t, "late.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: late}\n")
		dead.Commit(t, "Here at last")
		s.Cluster.AwaitObject(t, world.Patience, "deployed", world.Ref{Kind: "ConfigMap", Namespace: s.Staging, Name: "late"}, world.Exists)
	})
}

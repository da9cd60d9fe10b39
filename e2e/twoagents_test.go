package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentMeetsAnother: two agents on one environment, by mistake: the first keeps it, and the second says so.
func TestAgentMeetsAnother(t *testing.T) {
	s := begin(t, "twoagents")
	s.Deploy(t, "staging")
	deployment := s.Object("Deployment", "staging")
	other := s.NewRival(t, "other")
	generation := s.Cluster.Must(t, deployment).GetGeneration()
	writes := s.Cluster.Values(t, deployment, "metadata", "resourceVersion")
	before := len(writes())
	other.Start(t)
	t.Run("TheFaultIsSaidAndNamesBoth", func(t *testing.T) {
		other.AwaitLog(t, s.Name, other.Config.Metadata["name"])
	})
	t.Run("TheyDoNotFight", func(t *testing.T) {
		s.Agent.AwaitPolls(t)
		other.AwaitPolls(t)
		live := s.Cluster.Must(t, deployment)
		if live.GetGeneration() != generation || live.GetLabels()["sluice.dev/agent"] != s.Name {
			t.Errorf("the Deployment was written: generation %d, before %d; labels %v", live.GetGeneration(), generation, live.GetLabels())
		}
		if n := len(writes()) - before; n != 0 {
			t.Errorf("the Deployment was written %d times", n)
		}
	})
	t.Run("ACommitIsStillDeployedByTheFirst", func(t *testing.T) {
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		revision := s.Repo.Commit(t, "The next image")
		s.Repo.AwaitNote(t, world.Patience, "Healthy by the first", "staging", func(n world.Note) bool {
			return n.On == revision && n.Phase == "Healthy" && n.Agent == s.Name
		})
		s.Agent.AwaitPolls(t)
		other.AwaitPolls(t)
		s.AwaitGit(t, "staging")
		if live := s.Cluster.Must(t, deployment); live.GetLabels()["sluice.dev/agent"] != s.Name {
			t.Errorf("the Deployment has labels %v", live.GetLabels())
		}
	})
	t.Run("TheSecondWritesNoSuccess", func(t *testing.T) {
		for _, n := range s.Repo.MustNotes(t, "staging") {
			if n.Agent == other.Config.Metadata["name"] && (n.Phase == "Healthy" || n.Phase == "Progressing") {
				t.Errorf("the second agent says %s", n.Text)
			}
		}
	})
}

// TestAgentSharesARepository: two agents serve two environments of one repository and write notes at the same time.
func TestAgentSharesARepository(t *testing.T) {
	s := begin(t, "share")
	other := s.NewRival(t, "other")
	s.Agent.Config.Environments = []map[string]any{{"name": "staging"}}
	other.Config.Environments = []map[string]any{{"name": "production"}}
	other.Start(t)
	s.Deploy(t)
	t.Run("Lesson24_NothingIsLost", func(t *testing.T) {
		var revisions []string
		for _, tag := range []string{"1.30.1", "1.30.2", "1.30.3", "1.30.4"} {
			for _, file := range []string{stagingDeployment, productionDeployment} {
				s.Repo.Write(t, file, replaceImage(s.Repo.Read(t, file), tag))
			}
			revision := s.Repo.Commit(t, "Image "+tag)
			revisions = append(revisions, revision)
			s.Cluster.AwaitObject(t, world.Patience, "applied", s.Object("Deployment", "staging"), world.Has(imageName+tag, imagePath()...))
			s.Cluster.AwaitObject(t, world.Patience, "applied", s.Object("Deployment", "production"), world.Has(imageName+tag, imagePath()...))
		}
		for _, revision := range revisions {
			for _, env := range []string{"staging", "production"} {
				s.Repo.AwaitNote(t, world.Patience, "an end", env, func(n world.Note) bool { return n.On == revision && n.Closing() })
			}
		}
	})
	t.Run("EachWritesOnlyItsOwn", func(t *testing.T) {
		for env, agent := range map[string]string{"staging": s.Name, "production": other.Config.Metadata["name"]} {
			for _, n := range s.Repo.MustNotes(t, env) {
				if n.Agent != agent {
					t.Errorf("%s wrote about %s: %s", n.Agent, env, n.Text)
				}
			}
		}
	})
}

// TestAgentHasAReplica: two processes of the same agent; one works, and when it is gone the other does.
func TestAgentHasAReplica(t *testing.T) {
	s := begin(t, "replica")
	s.Deploy(t, "staging")
	second := s.NewReplica(t, s.Agent)
	second.Start(t)
	t.Run("TheSecondWaits", func(t *testing.T) { second.AwaitLog(t, "lease") })
	t.Run("TheFirstEndsAndTheSecondGoesOn", func(t *testing.T) {
		s.Agent.Stop(t)
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.AwaitPhase(t, "staging", s.Repo.Commit(t, "The next image"), "Healthy")
		s.AwaitGit(t, "staging")
	})
}

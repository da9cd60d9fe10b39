package e2e

import (
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

const migration = `apiVersion: batch/v1
kind: Job
metadata: {name: migration}
spec:
  backoffLimit: 0
  template:
    metadata: {annotations: {dev.sluice/fail: never-ready}}
    spec:
      restartPolicy: Never
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: migration
          image: registry.example/shop:1
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// TestAgentMeetsAHangingJob: a Job among the manifests that never ends is said, stops nobody else, and gives way.
func TestAgentMeetsAHangingJob(t *testing.T) {
	s := begin(t, "job")
	s.Deploy(t)
	var hanging string
	t.Run("Lesson10_ItIsSaidAndTheOthersGoOn", func(t *testing.T) {
		s.Repo.Write(t, "deploy/staging/migration.yaml", migration)
		s.Repo.Edit(t, "deploy/production/deployment.yaml", firstImage, nextImage)
		hanging = s.Repo.Commit(t, "A Job that hangs in staging, and a release of production")
		s.AwaitPhase(t, "production", hanging, "Healthy")
		if note := s.AwaitPhase(t, "staging", hanging, "Progressing"); !note.Says("Job", "migration") {
			t.Errorf("the note does not name the Job: %s", note.Text)
		}
	})
	t.Run("Lesson10_ItIsBoundedWhereItsManifestSaysSo", func(t *testing.T) {
		s.Repo.Edit(t, "deploy/staging/migration.yaml", "name: migration}", "name: migration-2}")
		s.Repo.Edit(t, "deploy/staging/migration.yaml", "backoffLimit: 0", "backoffLimit: 0\n  activeDeadlineSeconds: 1")
		note := s.AwaitPhase(t, "staging", s.Repo.Commit(t, "With a deadline"), "Failed")
		if !note.Says("Job", "migration-2") {
			t.Errorf("the note does not name the Job: %s", note.Text)
		}
	})
	t.Run("Lesson10_TheFixWins", func(t *testing.T) {
		s.Repo.Remove(t, "deploy/staging/migration.yaml")
		fix := s.Repo.Commit(t, "Without the Job")
		s.AwaitPhase(t, "staging", fix, "Healthy")
		s.Repo.AwaitNote(t, world.Patience, "an end for the one that hung", "staging", func(n world.Note) bool {
			return n.On == hanging && n.Closing()
		})
		s.AwaitGit(t, "staging")
	})
}

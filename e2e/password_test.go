package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestAgentHasAWrongPassword: it is said once, tried again ever more seldom, and never shown.
func TestAgentHasAWrongPassword(t *testing.T) {
	s := begin(t, "password")
	s.Shop(t, "staging")
	revision := s.Repo.Commit(t, "The shop")
	const wrong = "wr0ng-horse-battery"
	s.Credentials(t, s.System, "git-shop", s.Git.User, wrong)
	s.Agent.Start(t)
	var tries []time.Time
	t.Run("ItIsSaidOnce", func(t *testing.T) {
		tries = s.Git.AwaitRefusals(t, 3)
		s.Agent.AwaitLog(t, `"level":"ERROR"`, "was not polled", "shop")
		said := 0
		for line := range strings.Lines(s.Agent.Log(t)) {
			if strings.Contains(line, "was not polled") {
				said++
			}
		}
		if said != 1 {
			t.Errorf("said %d times, want once:\n%s", said, world.Tail(s.Agent.Log(t), 30))
		}
	})
	t.Run("ItIsTriedAgainEverMoreSeldom", func(t *testing.T) {
		first, second := tries[1].Sub(tries[0]), tries[2].Sub(tries[1])
		t.Logf("tried again after %v, then after %v", first.Round(time.Millisecond), second.Round(time.Millisecond))
		if second <= first {
			t.Error("the time between two tries does not grow")
		}
	})
	t.Run("TheRightPasswordIsTakenWithoutARestart", func(t *testing.T) {
		s.Credentials(t, s.System, "git-shop", s.Git.User, s.Git.Password)
		s.AwaitPhase(t, "staging", revision, "Healthy")
	})
	t.Run("Lesson36_NoPasswordInAnyOutput", func(t *testing.T) {
		metrics, err := s.Agent.Get("/metrics")
		if err != nil {
			t.Fatal(err)
		}
		stdout, stderr, _ := s.CLI(t, s.Repo.Dir, "status", "--repo", s.Repo.Dir, "-o", "json")
		var notes strings.Builder
		for _, n := range s.Repo.MustNotes(t, "staging") {
			notes.WriteString(n.Text)
		}
		outputs := map[string]string{
			"the log": s.Agent.Log(t), "the metrics": metrics, "the status": stdout + stderr, "the notes": notes.String(),
			"the events": strings.Join(append(s.Events(t, s.Staging), s.Events(t, s.System)...), "\n"),
		}
		for what, text := range outputs {
			for _, secret := range []string{wrong, s.Git.Password} {
				if strings.Contains(text, secret) {
					t.Errorf("%s shows the password", what)
				}
			}
		}
	})
}

// TestAgentHasReadOnlyCredentials: who may not write to the repository deploys all the same; what would have been a note
// stays in the cluster, and that is said once.
func TestAgentHasReadOnlyCredentials(t *testing.T) {
	s := begin(t, "readonly")
	s.Shop(t, "staging")
	s.Repo.Commit(t, "The shop")
	s.Credentials(t, s.System, "git-shop", "guest", s.Git.Password)
	s.Agent.Start(t)
	t.Run("ItDeploys", func(t *testing.T) {
		s.AwaitGit(t, "staging")
		s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
		s.Repo.Commit(t, "The next image")
		s.AwaitGit(t, "staging")
	})
	t.Run("ItSaysOnceThatNothingIsWritten", func(t *testing.T) {
		s.Agent.AwaitLog(t, "credentials may only read")
		s.Agent.AwaitPolls(t)
		said := 0
		for line := range strings.Lines(s.Agent.Log(t)) {
			if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, `"level":"WARN"`) {
				said++
			}
		}
		if said != 1 {
			t.Errorf("said %d times, want once:\n%s", said, world.Tail(s.Agent.Log(t), 30))
		}
	})
	t.Run("TheEventsTellWhatHappened", func(t *testing.T) {
		world.Await(t, world.Patience, "an Event says Healthy", func() error {
			if len(s.Events(t, s.System, "Healthy")) == 0 && len(s.Events(t, s.Staging, "Healthy")) == 0 {
				return errors.New("none does")
			}
			return nil
		})
	})
}

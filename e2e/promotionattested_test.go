package e2e

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionIsAttestedBySignedNotes: whoever may push can write notes. Only what the agent of staging signed has a release go
// on, and its silence is not taken for health.
func TestPromotionIsAttestedBySignedNotes(t *testing.T) {
	s := begin(t, "attested")
	s.Shop(t)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/production}}\n", `directory: {path: deploy/production}}
    follow: pin
    promotion: {from: staging, by: commit, when: {healthyFor: 5s}}
`)
	first := s.Repo.Commit(t, "The shop")
	staging := s.NewRival(t, "other")
	staging.Config.Environments = []map[string]any{{"name": "staging"}}
	staging.Start(t)
	healthy := s.AwaitPhase(t, "staging", first, "Healthy")
	staging.Kill9(t)
	s.Agent.Config.Environments = []map[string]any{{"name": "production"}}
	s.Agent.Config.Keys = []map[string]any{{"environments": []string{"staging"}, "key": s.PublicKey(t, staging)}}
	s.Agent.Config.Repositories[0].WriteBack["commit"] = true
	s.Agent.Start(t)
	pinned := func() string {
		s.Repo.Run(t, "pull", "-q", "origin", "main")
		pin, _ := s.Repo.Try("show", "HEAD:releases/production.yaml")
		return pin
	}
	s.Agent.AwaitLog(t, "it must be healthy in staging for 5s, and the agent there has not said so yet")
	t.Run("Lesson42_ForgedLinesPromoteNothing", func(t *testing.T) {
		for what, change := range map[string]func(map[string]any){
			"edited":      func(map[string]any) {},
			"unknown key": func(line map[string]any) { line["key"] = "0123456789abcdef" },
			"unsigned":    func(line map[string]any) { delete(line, "sig") },
		} {
			var line map[string]any
			if err := json.Unmarshal([]byte(healthy.Text), &line); err != nil {
				t.Fatal(err)
			}
			line["seq"], line["evidence"] = 2, map[string]any{"soaked": 3600}
			change(line)
			text, err := json.Marshal(line)
			if err != nil {
				t.Fatal(err)
			}
			s.Repo.OnServer(t, "-c", "user.name=Thief", "-c", "user.email=thief@example.com", "notes", "--ref=sluice/staging", "append", "-m",
				string(text), first)
			s.Agent.AwaitPolls(t)
			s.Agent.AwaitPolls(t)
			if pin := pinned(); pin != "" {
				t.Fatalf("a line that is %s had production pinned: %s", what, pin)
			}
		}
	})
	t.Run("Lesson47_SilenceIsNoSoak", func(t *testing.T) {
		for range 20 { // more than its time, at three polls a second
			s.Agent.AwaitPolls(t)
		}
		if pin := pinned(); pin != "" {
			t.Fatalf("nobody watched, and production is pinned: %s", pin)
		}
	})
	t.Run("WatchedItGoesOn", func(t *testing.T) {
		staging.Start(t)
		world.Await(t, world.Patience, "production is pinned", func() error {
			if !strings.Contains(pinned(), first) {
				return errors.New("it is not")
			}
			return nil
		})
		s.AwaitPhase(t, "production", first, "Healthy")
	})
}

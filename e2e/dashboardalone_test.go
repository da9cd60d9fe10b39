package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestDashboardFromGitAlone: what a real agent signed is shown without a cluster and without the agent, as what was reported; what
// is forged is shown as that, and while Git is away too there is the last that was known.
func TestDashboardFromGitAlone(t *testing.T) {
	s := begin(t, "dashboard-git")
	first := s.Deploy(t, "staging")
	folder, keys := t.TempDir(), filepath.Join(t.TempDir(), "keys")
	for name, text := range map[string]string{
		keys: s.PublicKey(t, s.Agent) + "\n", filepath.Join(folder, "username"): s.Repo.User, filepath.Join(folder, "password"): s.Repo.Password,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := s.NewLookout(t, "--git", s.Repo.URL, "--credentials", folder, "--keys", keys, "--poll", "1s")
	t.Run("ItSaysWhatWasReported", func(t *testing.T) {
		seen := l.AwaitSeen(t, "the first release", "staging", func(c world.Seen) bool { return c.Phase == "Healthy" && c.Release.Revision == first })
		if seen.Standing != "verified" || seen.Health != "" || seen.Release.Subject != "The shop" || seen.Stale != "" {
			t.Errorf("it says %+v", seen)
		}
		world.AwaitPage(t, l.Address, "/", "Last reported healthy", "This is what Git notes say")
	})
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "The next image")
	t.Run("ANewReleaseIsSeen", func(t *testing.T) {
		l.AwaitSeen(t, "the next release", "staging", func(c world.Seen) bool { return c.Phase == "Healthy" && c.Release.Revision == second })
		world.AwaitPage(t, l.Address, "/api/v1/diff?from=shop/staging@"+first+"&to=shop/staging", firstImage+" → "+nextImage)
		world.AwaitPage(t, l.Address, "/a/shop", first[:7], second[:7], "The next image")
		world.AwaitPage(t, l.Address, "/a/shop/feed.atom", "shop/staging: Healthy "+first[:7], "shop/staging: Healthy "+second[:7])
		world.AwaitPage(t, l.Address, "/badge/shop/staging.svg", "Healthy "+second[:7])
	})
	t.Run("WhatIsBlockedIsSaid", func(t *testing.T) {
		s.Repo.Write(t, "deploy/staging/service.yaml", "apiVersion: v1\nkind: Service\nmetadata:\n  name: shop\n  labels: {a: b\nspec: {}\n")
		s.Repo.Commit(t, "A bracket is missing")
		seen := l.AwaitSeen(t, "that it is blocked", "staging", func(c world.Seen) bool { return c.Phase == "Blocked" })
		if !strings.Contains(seen.Reason, "deploy/staging/service.yaml") || seen.Release.Revision != second {
			t.Errorf("it says %+v", seen)
		}
	})
	s.Agent.Kill9(t)
	t.Run("Lesson42_AForgedLineIsShownAsWhatItIs", func(t *testing.T) {
		s.Repo.OnServer(t, "-c", "user.name=Thief", "-c", "user.email=thief@example.com", "notes", "--ref=sluice/staging", "append", "-m",
			`{"v":1,"id":"0","seq":99,"application":"shop","environment":"staging","phase":"Failed","revision":"`+second+
				`","at":"2026-11-21T14:00:00Z","key":"0123456789abcdef","sig":"x"}`, second)
		world.AwaitPage(t, l.Address, "/api/v1/applications/shop", `"standing":"unknown key"`)
		l.AwaitSeen(t, "that nothing is another for it", "staging", func(c world.Seen) bool { return c.Phase == "Blocked" && c.Standing == "verified" })
	})
	s.Git.Stop(t)
	t.Run("WithGitAwayTheLastIsTold", func(t *testing.T) {
		seen := l.AwaitSeen(t, "since when", "staging", func(c world.Seen) bool { return c.Stale != "" })
		if seen.Phase != "Blocked" || !strings.HasPrefix(seen.Stale, "the repository shop does not answer since ") || strings.Contains(seen.Stale, s.Repo.Password) {
			t.Errorf("it says %+v", seen)
		}
		world.AwaitPage(t, l.Address, "/a/shop", second[:7], "The next image")
	})
	s.Git.Start(t)
	t.Run("AndItIsBack", func(t *testing.T) {
		l.AwaitSeen(t, "that it answers", "staging", func(c world.Seen) bool { return c.Stale == "" && c.Phase == "Blocked" })
	})
}

// TestDashboardInItsOwnProcess: it shows what the agent's own dashboard does, hears of what changes, and outlives the agent.
func TestDashboardInItsOwnProcess(t *testing.T) {
	s := begin(t, "dashboard-process")
	first := s.Deploy(t, "staging")
	agent := s.Agent.Config.Dashboard["listen"].(string)
	l := s.NewLookout(t, "--agent", "http://"+agent)
	healthy := func(revision string) func(world.Seen) bool {
		return func(c world.Seen) bool {
			return c.Phase == "Healthy" && c.Release.Revision == revision && c.Health == "Current" && c.Stale == ""
		}
	}
	t.Run("ItShowsWhatTheAgentShows", func(t *testing.T) {
		l.AwaitSeen(t, "the first release", "staging", healthy(first))
		for _, path := range []string{"/api/v1/applications/shop", "/api/v1/applications/shop/staging/objects",
			"/api/v1/applications/shop/staging/manifest?object=Deployment/" + s.Staging + "/shop"} {
			world.Await(t, world.Patience, path+" is the same", func() error {
				return same(agent, l.Address, path)
			})
		}
		world.AwaitPage(t, l.Address, "/api/v1/applications/shop/staging/objects", `"kind":"Pod"`)
	})
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "The next image")
	t.Run("ItHearsOfANewRelease", func(t *testing.T) { l.AwaitSeen(t, "the next release", "staging", healthy(second)) })
	s.Agent.Kill9(t)
	t.Run("WithTheAgentAwayTheLastIsTold", func(t *testing.T) {
		seen := l.AwaitSeen(t, "since when", "staging", func(c world.Seen) bool { return c.Stale != "" })
		if seen.Phase != "Healthy" || seen.Release.Revision != second || !strings.HasPrefix(seen.Stale, "the agent at "+agent+" does not answer since ") {
			t.Errorf("it says %+v", seen)
		}
		world.AwaitPage(t, l.Address, "/", "This is the last that is known: the agent at "+agent)
	})
	s.Agent.Start(t)
	t.Run("AndItIsBack", func(t *testing.T) { l.AwaitSeen(t, "that it answers", "staging", healthy(second)) })
}

// same says how what two dashboards answer differs. When they looked is another for each.
func same(a, b, path string) error {
	var said [2]string
	for i, address := range []string{a, b} {
		status, body, err := world.Fetch(address, path)
		var value any
		if err == nil {
			err = json.Unmarshal([]byte(body), &value)
		}
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("%s%s: status %d, %w: %s", address, path, status, err, body)
		}
		text, err := json.Marshal(withoutTimes(value))
		if err != nil {
			return err
		}
		said[i] = string(text)
	}
	if said[0] != said[1] {
		return fmt.Errorf("%s\nis not\n%s", said[0], said[1])
	}
	return nil
}

// withoutTimes leaves out when something was looked at.
func withoutTimes(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range []string{"at", "steps", "events", "to"} {
			delete(v, name)
		}
		for name := range v {
			v[name] = withoutTimes(v[name])
		}
	case []any:
		for i := range v {
			v[i] = withoutTimes(v[i])
		}
	}
	return value
}

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionIsAskedForByAPerson: where nobody keeps a request, the command line opens one, forward and back, and leaves the
// clone as it was.
func TestPromotionIsAskedForByAPerson(t *testing.T) {
	s := begin(t, "asked")
	p := s.AtForge(t)
	s.Shop(t)
	s.Repo.Edit(t, "sluice.yaml", "directory: {path: deploy/production}}\n", strings.Replace(promoted, "from: staging", "from: staging, by: manual", 1))
	first := s.Repo.CommitOnly(t, "The shop")
	s.Repo.Write(t, "releases/production.yaml", "revision: "+first+"\n")
	s.Repo.Commit(t, "Production is pinned")
	s.Agent.Start(t)
	s.AwaitPhase(t, "production", first, "Healthy")
	s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
	second := s.Repo.Commit(t, "Another image")
	s.Repo.AwaitNote(t, world.Patience, "well for its time", "staging", func(n world.Note) bool { return n.Phase == "Healthy" && n.Says(`"soaked"`) })
	credentials := t.TempDir()
	for name, value := range map[string]string{"username": p.Ada.Name, "token": p.Ada.Token} {
		if err := os.WriteFile(filepath.Join(credentials, name), []byte(value), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	asks := func(t *testing.T, revision string, args ...string) {
		t.Helper()
		before := s.Repo.Head(t)
		stdout, stderr, code := s.CLI(t, s.Repo.Dir, append(args, "shop", "production", "--request", "gitea", "--credentials", credentials)...)
		if code != 0 || !strings.Contains(stderr, "Opened "+s.Project.Forge.URL) || !strings.Contains(stdout, "+revision: "+revision) {
			t.Fatalf("exit status %d: %s%s", code, stdout, stderr)
		}
		if now := s.Repo.Head(t); now != before || s.Repo.Run(t, "status", "--porcelain") != "" {
			t.Errorf("the clone is not as it was: at %s, was at %s", now, before)
		}
		open := p.MergeRequests(t, "open")
		if len(open) != 1 || !strings.Contains(open[0].Title, revision[:7]) {
			t.Fatalf("open are %v", open)
		}
		p.Merge(t, open[0].Number, world.Merge)
		s.Repo.Run(t, "pull", "-q", "origin", "main")
		pinned(t, s, revision)
	}
	t.Run("Forward", func(t *testing.T) {
		asks(t, second, "promote")
		s.AwaitPhase(t, "production", second, "Healthy")
	})
	t.Run("Back", func(t *testing.T) {
		asks(t, first, "rollback")
		s.Repo.AwaitNote(t, world.Patience, "rolled back", "production", func(n world.Note) bool {
			return n.On == first && n.Phase == "Healthy" && n.Says("rolled back from "+second[:7]+" to "+first[:7])
		})
	})
}

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionRights: `sluice validate --forge` names what an agent's token may not do at a real forge. What the README calls
// the least rights are enough, and trying leaves nothing behind.
func TestPromotionRights(t *testing.T) {
	s := begin(t, "rights")
	p := s.AtForge(t)
	s.Agent.Start(t) // which writes agent.yaml
	validate := func(t *testing.T, token string, want int) string {
		t.Helper()
		s.Secret(t, s.System, "forge", map[string]string{"token": token})
		stdout, stderr, code := s.CLI(t, s.Agent.Dir, "validate", "--forge", "--kubeconfig", filepath.Join(s.Agent.Dir, "kubeconfig"))
		if code != want {
			t.Errorf("exit status %d, want %d: %s%s", code, want, stdout, stderr)
		}
		return stdout
	}
	t.Run("TheLeastRightsAreEnough", func(t *testing.T) {
		if out := validate(t, p.Agent.Token, 0); !strings.Contains(out, "shop: has all rights at gitea") {
			t.Errorf("it says %q", out)
		}
	})
	for name, tc := range map[string]struct {
		scopes []string
		lacks  []string
	}{
		"ScopesOfReadersAreNamed": {[]string{"read:repository", "read:issue"}, []string{"scope write:repository"}},
		"EachScopeIsNamed":        {[]string{"write:repository"}, []string{"scope read:issue"}},
		"NoScopeAtAll":            {[]string{"read:user"}, []string{"scope"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := validate(t, p.Forge.NewToken(t, p.Agent.Name, tc.scopes...), 1)
			for _, right := range tc.lacks {
				if !strings.Contains(out, "shop: lacks "+right) || !strings.Contains(out, "make another token") {
					t.Errorf("it does not name %q: %q", right, out)
				}
			}
			if lines := strings.Count(out, "\n"); lines != len(tc.lacks) {
				t.Errorf("it says %d things, want %d: %q", lines, len(tc.lacks), out)
			}
		})
	}
	t.Run("AStrangerIsSentToTheOwner", func(t *testing.T) {
		stranger := p.Forge.NewAccount(t, s.Name+"-stranger", "write:repository", "read:issue")
		if out := validate(t, stranger.Token, 1); !strings.Contains(out, "shop: lacks access to the repository") || !strings.Contains(out, "collaborator") {
			t.Errorf("it says %q", out)
		}
	})
	t.Run("WhoMayOnlyReadMayNotWrite", func(t *testing.T) {
		reader := p.Forge.NewAccount(t, s.Name+"-reader", "write:repository", "read:issue")
		p.Let(t, reader, "read")
		if out := validate(t, reader.Token, 1); !strings.Contains(out, "shop: lacks write access to the repository") {
			t.Errorf("it says %q", out)
		}
	})
	t.Run("NothingIsLeftBehind", func(t *testing.T) {
		if all := p.MergeRequests(t, "all"); len(all) != 0 {
			t.Errorf("there are requests: %v", all)
		}
		head, err := p.Repo.Ref("refs/heads/main")
		if err != nil {
			t.Fatal(err)
		}
		if said := p.StatusLog(t, head); len(said) != 0 {
			t.Errorf("there are statuses: %v", said)
		}
		var comments []world.Comment
		if err := p.Try("GET", "/issues/comments", nil, &comments); err != nil || len(comments) != 0 {
			t.Errorf("there are comments: %v, %v", comments, err)
		}
	})
}

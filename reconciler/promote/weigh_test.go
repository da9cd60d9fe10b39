package promote

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource/gittest"
)

// TestWeigh: what is told to a person is what is decided for the request, and what the agent would refuse is known.
func TestWeigh(t *testing.T) {
	b := newBench(t)
	pinned := b.commit(map[string]string{"production/a.yaml": manifest("2")})
	b.commit(map[string]string{"releases/production.yaml": "revision: " + pinned + "\n"})
	next := b.commit(map[string]string{"production/a.yaml": manifest("3"), "staging/a.yaml": manifest("2")})
	never := b.commit(map[string]string{"production/a.yaml": manifest("4"), "staging/a.yaml": manifest("3")})
	broken := b.commit(map[string]string{"production/a.yaml": "{"})
	elsewhere := b.srv.Commit(t, "shop", gittest.Change{Branch: "elsewhere", Files: map[string]string{"README": "else"}})
	if _, err := b.k.Git.Fetch(t.Context(), "refs/heads/main", "refs/heads/elsewhere"); err != nil {
		t.Fatal(err)
	}
	ran := b.healthy(pinned, time.Hour)
	ran.Environment = "production"
	early, soaked := b.healthy(next, 0), b.healthy(next, time.Hour)
	early.Seq, soaked.Seq = 1, 2
	for name, test := range map[string]struct {
		reason, to     string
		soaked, hotfix bool
		revision       string
		due            bool
		says, blocked  string
	}{
		"NotDue":   {"the newest is told with what it waits for", "", false, false, next, false, "healthy in staging for 30m", ""},
		"Due":      {"as the agent decides it", "", true, false, next, true, "may be promoted", ""},
		"Named":    {"who names one is told the same of it", next, true, false, next, true, "may be promoted", ""},
		"Pinned":   {"what is pinned is no news, and not refused", pinned, true, false, pinned, false, "none of the commits after what is pinned", ""},
		"Never":    {"what was never in staging is refused", never, true, false, never, false, "not proven in staging", "never proven in staging"},
		"Hotfix":   {"unless a person lets it through", never, true, true, never, false, "not proven in staging", ""},
		"Broken":   {"what does not render is refused whatever a person says", broken, true, true, broken, false, "that render here", "production/a.yaml"},
		"OffLimit": {"and so is what is not on the branch", elsewhere, true, true, elsewhere, false, "none of the commits", `no commit of branch "main"`},
	} {
		t.Run(name, func(t *testing.T) {
			lines := append(b.subject().Lines["staging"], early)
			if test.soaked {
				lines = append(lines, soaked)
			}
			s := b.subject(lines...)
			s.Lines["production"] = append(s.Lines["production"], ran)
			got, err := b.k.Weigh(t.Context(), s, test.to, test.hotfix)
			if err != nil {
				t.Fatal(err)
			}
			if got.Revision != test.revision || got.Due != test.due || !strings.Contains(got.Reason, test.says) {
				t.Errorf("%s: got %.7s, due %v: %q", test.reason, got.Revision, got.Due, got.Reason)
			}
			if (got.Blocked == "") != (test.blocked == "") || !strings.Contains(got.Blocked, test.blocked) {
				t.Errorf("%s: blocked %q, want %q", test.reason, got.Blocked, test.blocked)
			}
			if !strings.HasPrefix(got.Message, "Promote shop to production: "+test.revision[:7]) {
				t.Errorf("the message is %q", got.Message)
			}
		})
	}
	if b.asks() != "" {
		t.Error("to be told has pushed a branch")
	}
}

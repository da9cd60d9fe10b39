package reconciler

import (
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/gitsource/gittest"
)

// TestRollbackPassesANewerGuard: a rule that was tightened since refuses what is new, and only warns of a release that passed
// it when it was proven here.
func TestRollbackPassesANewerGuard(t *testing.T) {
	l := newLand(t)
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: " + password + "}\n"
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{
		"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1"), "shop/deploy/s.yaml": secret,
	}})
	p := l.start("one")
	l.awaitLine("staging", "shop", first, "Healthy")
	second := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "2")}, Delete: []string{"shop/deploy/s.yaml"}})
	l.awaitLine("staging", "shop", second, "Healthy")
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	for i := range l.rules.Permissions {
		l.rules.Permissions[i].Kinds.Deny = []string{"Secret"}
	}
	l.start("one")
	third := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "3"), "shop/deploy/s.yaml": secret}})
	l.awaitLine("staging", "shop", third, "Blocked")
	back := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "1")}})
	line := l.awaitLine("staging", "shop", back, "Healthy")
	if !strings.HasPrefix(line.Reason, "rolled back from "+second[:7]) || !strings.Contains(strings.Join(line.Evidence.Warnings, " "), "Secret") {
		t.Errorf("the line says %s", line.Text())
	}
	l.awaitLine("staging", "shop", second, "RolledBack")
	l.awaitValue("staging", "a", "1")
}

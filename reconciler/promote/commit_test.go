package promote

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
)

// pushes commits what comes of looks that nobody is asked about, and returns the errors.
func (b *bed) pushes(all ...Outcome) []error {
	b.Helper()
	var pins []Pin
	for _, out := range all {
		if out.Pin != nil {
			pins = append(pins, *out.Pin)
		}
	}
	if len(pins) == 0 {
		return nil
	}
	to := Commits{Git: b.keeper.Git, Log: b.keeper.Log, Now: time.Now(), Branch: "main", Tip: b.subject().Tip}
	return to.Push(b.Context(), pins)
}

// TestPinsThatAreDueTogether: they go into one commit, and where the server refuses that, none keeps another.
func TestPinsThatAreDueTogether(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.keeper.MayCommit = true
	b.writes()
	file := strings.ReplaceAll(shopFile, "from: staging", "from: staging, by: commit")
	file += strings.ReplaceAll(file[strings.Index(file, "- {name: production"):], "production", "live")
	b.commit(gittest.Change{Files: map[string]string{"sluice.yaml": file}})
	b.tell(policies.Healthy, 0)
	looks := func() (all []Outcome) {
		t.Helper()
		for _, name := range []string{"live", "production"} {
			s := b.subject()
			s.Environment = name
			out, err := (&Keeper{Git: b.keeper.Git, Log: b.keeper.Log, MayCommit: true}).Look(t.Context(), s)
			if err != nil || out.Pin == nil {
				t.Fatalf("%s is not due: %+v, %v", name, out, err)
			}
			all = append(all, out)
		}
		return all
	}
	before := b.subject().Tip
	if err := errors.Join(b.pushes(looks()...)...); err != nil {
		t.Fatal(err)
	}
	if n := b.git.Git(t, "shop", "rev-list", "--count", before+"..main"); n != "1" {
		t.Errorf("there are %s commits", n)
	}
	message := b.git.Git(t, "shop", "log", "-1", "--format=%B", "main")
	for _, words := range []string{"Move the pins of 2 environments\n\n- Promote shop to live: ", "\n- Promote shop to production: "} {
		if !strings.Contains(message, words) {
			t.Errorf("it does not say %q: %s", words, message)
		}
	}
	if trailers := b.git.Git(t, "shop", "log", "-1", "--format=%(trailers:key=Sluice-Environment,valueonly)", "main"); strings.TrimSpace(trailers) != "live\nproduction" {
		t.Errorf("its trailers name %q", trailers)
	}
	pinned := func(name string) string { return b.git.Git(t, "shop", "show", "main:releases/"+name+".yaml") }
	live, production := pinned("live"), pinned("production")
	if live != "revision: "+before || !strings.HasPrefix(production, "revision: ") {
		t.Errorf("the pins are %q and %q", live, production)
	}
	b.commit(gittest.Change{Files: map[string]string{"deploy/a.yaml": value("2")}})
	b.tell(policies.Healthy, 0)
	hook := "#!/bin/sh\nwhile read old new ref; do if git diff --name-only $old $new | grep -q live; then echo not live >&2; exit 1; fi; done\n"
	if err := os.WriteFile(filepath.Join(b.git.Path("shop"), "hooks", "pre-receive"), []byte(hook), 0o755); err != nil { //nolint:gosec // Git runs it
		t.Fatal(err)
	}
	errs := b.pushes(looks()...)
	if len(errs) != 2 || !errors.Is(errs[0], gitsource.ErrRefused) || errs[1] != nil {
		t.Errorf("where live is refused the errors are %v", errs)
	}
	if pinned("live") != live || pinned("production") == production {
		t.Errorf("the pins are %q and %q: production waits for live", pinned("live"), pinned("production"))
	}
}

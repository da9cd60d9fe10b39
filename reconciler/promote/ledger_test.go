package promote

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// ledgerBench is a bench whose pins are moved in a ledger; its keeper may not write to the code.
type ledgerBench struct {
	bench
	git *gitsource.Repository // the ledger
}

func newLedgerBench(t *testing.T) ledgerBench {
	t.Helper()
	b := ledgerBench{bench: newBench(t)}
	open := func(name string, writes []string) *gitsource.Repository {
		git, err := gitsource.Open(gitsource.Config{
			URL: b.srv.URL(name), Dir: t.TempDir(), Writes: writes, Credentials: func() (gitsource.Credentials, error) {
				return gitsource.Credentials{Username: "agent", Password: gitsource.NewSecret(gittest.Password)}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = git.Close() })
		return git
	}
	b.k.Git, b.git = open("shop", []string{}), open("ledger", []string{gitsource.BranchPrefix + "*", "refs/heads/trunk"})
	b.writes(map[string]string{"README.md": "The ledger\n"})
	return b
}

func (b ledgerBench) writes(files map[string]string) string {
	b.t.Helper()
	return b.srv.Commit(b.t, "ledger", gittest.Change{Branch: "trunk", Files: files})
}

func (b ledgerBench) pin(revision string) {
	b.t.Helper()
	b.writes(map[string]string{"shop/releases/production.yaml": "revision: " + revision + "\n"})
}

// subject is what both repositories say now.
func (b ledgerBench) subject(lines ...record.Line) Subject {
	b.t.Helper()
	s := b.bench.subject(lines...)
	refs, err := b.git.Fetch(b.t.Context(), "refs/heads/trunk")
	if err != nil {
		b.t.Fatal(err)
	}
	s.Ledger = &Ledger{Git: b.git, Branch: "trunk", Tip: refs["refs/heads/trunk"], Dir: "shop"}
	tree, err := b.git.Tree(s.Ledger.Tip)
	if err != nil {
		b.t.Fatal(err)
	}
	if s.Release, _, err = config.LoadRelease(tree, "shop", "production", nil); err != nil {
		b.t.Fatal(err)
	}
	return s
}

// asks is the pin on the promotion's branch in the ledger; empty: there is no branch.
func (b ledgerBench) asks() string {
	b.t.Helper()
	if refs := b.srv.Git(b.t, "shop", "for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
		b.t.Errorf("the code has %s", refs)
	}
	if !strings.Contains(b.srv.Git(b.t, "ledger", "for-each-ref"), promoteBranch) {
		return ""
	}
	if changed := b.srv.Git(b.t, "ledger", "diff", "--name-only", "trunk..."+promoteBranch); changed != "shop/releases/production.yaml" {
		b.t.Errorf("the branch changes %q", changed)
	}
	_, pin, _ := strings.Cut(b.srv.Git(b.t, "ledger", "show", promoteBranch+":shop/releases/production.yaml"), "revision: ")
	return strings.TrimSpace(pin)
}

// TestLedgerIsAsked: a promotion is a branch of the ledger, and what becomes of it there is heeded as ever.
func TestLedgerIsAsked(t *testing.T) {
	b := newLedgerBench(t)
	first := b.commit(map[string]string{"production/a.yaml": manifest("2")})
	soaked := b.healthy(first, time.Hour)
	if out := b.look(b.subject(soaked)); !out.Due || b.asks() != out.Candidate || out.Candidate == "" {
		t.Fatalf("due %v, it asks for %q, want %q: %s", out.Due, b.asks(), out.Candidate, out.Reason)
	}
	before := b.srv.Git(t, "ledger", "rev-parse", promoteBranch)
	b.writes(map[string]string{"web/releases/production.yaml": "revision: " + first + "\n"})
	b.commit(map[string]string{"README": "ours"})
	b.look(b.subject(soaked))
	if after := b.srv.Git(t, "ledger", "rev-parse", promoteBranch); after != before {
		t.Error("what is none of its business moved the branch")
	}
	second := b.commit(map[string]string{"production/a.yaml": manifest("3")})
	if b.look(b.subject(soaked)); b.asks() != second {
		t.Errorf("it asks for %s, want the newer one %s", b.asks(), second)
	}
	b.srv.Git(t, "ledger", "update-ref", "refs/heads/trunk", promoteBranch) // somebody merges it
	if out := b.look(b.subject(soaked)); out.Candidate != "" || b.asks() != "" {
		t.Errorf("what is pinned is asked for again: %q", out.Reason)
	}
	b.pin(first)
	if out := b.look(b.subject(soaked)); out.Candidate != "" || b.asks() != "" {
		t.Errorf("a pin that moved back in the ledger does not decline: %q", out.Reason)
	}
	third := b.commit(map[string]string{"production/a.yaml": manifest("4")})
	b.look(b.subject(soaked))
	b.srv.Commit(t, "ledger", gittest.Change{Branch: strings.TrimPrefix(promoteBranch, "refs/heads/"), Files: map[string]string{"note": "mine"}, Message: "Mine"})
	foreign := b.srv.Git(t, "ledger", "rev-parse", promoteBranch)
	b.commit(map[string]string{"production/a.yaml": manifest("5")})
	b.look(b.subject(soaked))
	if at := b.srv.Git(t, "ledger", "rev-parse", promoteBranch); at != foreign {
		t.Errorf("the branch for %.7s was moved to %s from somebody's %s", third, at, foreign)
	}
}

// TestLedgerIsCommittedTo: where no person is asked the pin is a commit on the ledger's branch.
func TestLedgerIsCommittedTo(t *testing.T) {
	b := newLedgerBench(t)
	b.k.MayCommit = true
	rules := strings.Replace(sluiceYAML, "promotion: {from: staging, ", "promotion: {from: staging, by: commit, ", 1)
	first := b.commit(map[string]string{"sluice.yaml": rules, "production/a.yaml": manifest("2")})
	s := b.subject(b.healthy(first, time.Hour))
	out := b.look(s)
	if out.Pin == nil {
		t.Fatalf("nothing is due: %s", out.Reason)
	}
	to := Commits{Git: s.Ledger.Git, Log: b.k.Log, Now: s.Now, Branch: s.Ledger.Branch, Tip: s.Ledger.Tip}
	if err := errors.Join(to.Push(t.Context(), []Pin{*out.Pin})...); err != nil {
		t.Fatal(err)
	}
	if pinned := b.srv.Git(t, "ledger", "show", "trunk:shop/releases/production.yaml"); pinned != "revision: "+first {
		t.Errorf("it pins %q", pinned)
	}
	if tip := b.srv.Git(t, "shop", "rev-parse", "main"); tip != first {
		t.Errorf("the code moved to %s", tip)
	}
}

// TestLedgerTakesTheRevert: the pin goes back where it was moved.
func TestLedgerTakesTheRevert(t *testing.T) {
	b := newLedgerBench(t)
	first := b.commit(map[string]string{"production/a.yaml": manifest("2")})
	bad := b.commit(map[string]string{"production/a.yaml": manifest("3")})
	pinned := b.writes(map[string]string{"shop/releases/production.yaml": "revision: " + bad + "\n"})
	b.writes(map[string]string{"README.md": "Of others\n"})
	if _, err := b.k.Revert(t.Context(), b.subject(), Fallen{Revision: bad, Trigger: pinned, Proven: first, Reason: "it crashes"}); err != nil {
		t.Fatal(err)
	}
	const branch = "sluice/revert/shop/production"
	if pin := b.srv.Git(t, "ledger", "show", branch+":shop/releases/production.yaml"); pin != "revision: "+first {
		t.Errorf("it asks for %q", pin)
	}
	if _, err := b.k.Revert(t.Context(), b.subject(), Fallen{}); err != nil || strings.Contains(b.srv.Git(t, "ledger", "for-each-ref"), branch) {
		t.Errorf("it is not withdrawn: %v", err)
	}
}

// TestLedgerKeepsTheCodeFromReverts: where the tip is followed the way back is a change of the code, which is for people then.
func TestLedgerKeepsTheCodeFromReverts(t *testing.T) {
	b := newLedgerBench(t)
	first := b.commit(map[string]string{"staging/a.yaml": manifest("2")})
	bad := b.commit(map[string]string{"staging/a.yaml": manifest("3")})
	s := b.subject()
	s.Environment = "staging"
	out, err := b.k.Revert(t.Context(), s, Fallen{Revision: bad, Trigger: bad, Proven: first})
	if err != nil || out.Candidate != "" || !strings.HasPrefix(out.Reason, bad[:7]+" is to be reverted by hand: ") {
		t.Errorf("it asks for %q, and says %q: %v", out.Candidate, out.Reason, err)
	}
	for _, repository := range []string{"shop", "ledger"} {
		if refs := b.srv.Git(t, repository, "for-each-ref", "refs/heads/sluice"); refs != "" {
			t.Errorf("%s has %s", repository, refs)
		}
	}
}

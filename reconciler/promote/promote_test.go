package promote

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
)

const sluiceYAML = `apiVersion: sluice.dev/v1alpha1
kind: Application
metadata: {name: shop}
environments:
  - {name: staging, namespace: shop-staging, source: {directory: {path: staging}}}
  - {name: production, namespace: shop, follow: pin, source: {directory: {path: production}}, promotion: {from: staging, when: {healthyFor: 30m}}}
`

// bench is a repository, and the keeper of its production.
type bench struct {
	t   *testing.T
	srv *gittest.Server
	k   *Keeper
}

func newBench(t *testing.T) bench {
	t.Helper()
	srv := gittest.New(t)
	git, err := gitsource.Open(gitsource.Config{
		URL: srv.URL("shop"), Dir: t.TempDir(), Credentials: func() (gitsource.Credentials, error) {
			return gitsource.Credentials{Username: "agent", Password: gitsource.NewSecret(gittest.Password)}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = git.Close() })
	show := func(Subject, string, string, []*unstructured.Unstructured, []*unstructured.Unstructured) string {
		return ""
	}
	b := bench{t, srv, &Keeper{Git: git, Show: show, Log: slog.New(slog.DiscardHandler)}}
	b.commit(map[string]string{"sluice.yaml": sluiceYAML, "staging/a.yaml": manifest("1"), "production/a.yaml": manifest("1")})
	return b
}

func manifest(value string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {value: %q}\n", value)
}

func (b bench) commit(files map[string]string) string {
	b.t.Helper()
	return b.srv.Commit(b.t, "shop", gittest.Change{Files: files})
}

// subject is what Git says now, with these notes of staging.
func (b bench) subject(lines ...record.Line) Subject {
	b.t.Helper()
	refs, err := b.k.Git.Fetch(b.t.Context(), "refs/heads/main")
	if err != nil {
		b.t.Fatal(err)
	}
	tree, err := b.k.Git.Tree(refs["refs/heads/main"])
	if err != nil {
		b.t.Fatal(err)
	}
	rules, faults := config.Load(tree, "")
	if err := faults.Err(); err != nil {
		b.t.Fatal(err)
	}
	words, _, err := config.LoadRelease(tree, "", "production", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return Subject{
		Renderer:    render.Here{},
		Application: "shop", Environment: "production", Repository: config.Repository{Branch: "main"}, Tip: tree.Revision(), Rules: rules,
		Release: words, Lines: map[string][]record.Line{"staging": lines}, Now: time.Now(), Window: policies.Openness{Open: true},
	}
}

// healthy is what staging's agent says of a revision, and for how long it was well.
func (b bench) healthy(revision string, soaked time.Duration) record.Line {
	b.t.Helper()
	s := b.subject()
	tree, err := b.k.Git.Tree(revision)
	if err != nil {
		b.t.Fatal(err)
	}
	req, ok := s.at(tree, "staging")
	if !ok {
		b.t.Fatalf("staging is not at %s", revision)
	}
	rendered, err := (&memo{}).of(b.t.Context(), render.Here{}, tree, nil, req)
	if err != nil {
		b.t.Fatal(err)
	}
	return record.Line{
		Application: "shop", Environment: "staging", Phase: policies.Healthy, Revision: revision, Trigger: revision, Inputs: rendered.inputs,
		Digest: rendered.digest, At: time.Now(), Evidence: record.Evidence{Soaked: soaked.Seconds()},
	}
}

func (b bench) look(s Subject) Outcome {
	b.t.Helper()
	out, err := b.k.Look(b.t.Context(), s)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// asks is the pin on the promotion's branch; empty: there is no branch.
func (b bench) asks() string {
	b.t.Helper()
	if !strings.Contains(b.srv.Git(b.t, "shop", "for-each-ref"), "refs/heads/sluice/promote/shop/production") {
		return ""
	}
	_, pin, _ := strings.Cut(b.srv.Git(b.t, "shop", "show", "sluice/promote/shop/production:releases/production.yaml"), "revision: ")
	return strings.TrimSpace(pin)
}

// TestLook: without a forge the branch is what is asked.
func TestLook(t *testing.T) {
	b := newBench(t)
	first := b.commit(map[string]string{"README": "ours"})
	if out := b.look(b.subject()); out.Candidate != "" || b.asks() != "" {
		t.Fatalf("without a word of staging it asks for %q: %s", b.asks(), out.Reason)
	}
	proven := b.healthy(first, 0)
	if out := b.look(b.subject(proven)); out.Due || !strings.Contains(out.Reason, "healthy in staging for 30m") {
		t.Errorf("before its time it is due: %v, %q", out.Due, out.Reason)
	}
	short := b.healthy(first, 10*time.Minute)
	if out := b.look(b.subject(proven, short)); out.Due {
		t.Errorf("after a shorter time it is due: %q", out.Reason)
	}
	soaked := b.healthy(first, 30*time.Minute)
	out := b.look(b.subject(proven, soaked))
	if !out.Due || b.asks() != out.Candidate || out.Candidate == "" {
		t.Fatalf("due %v, it asks for %q, want %q: %s", out.Due, b.asks(), out.Candidate, out.Reason)
	}
	before := b.srv.Git(t, "shop", "rev-parse", "sluice/promote/shop/production")
	b.commit(map[string]string{"README": "still ours"})
	b.look(b.subject(proven, soaked))
	if after := b.srv.Git(t, "shop", "rev-parse", "sluice/promote/shop/production"); after != before {
		t.Error("an unrelated commit moved the branch")
	}
	b.srv.Git(t, "shop", "update-ref", "refs/heads/main", before) // somebody merges it
	if out := b.look(b.subject(proven, soaked)); out.Candidate != "" || b.asks() != "" {
		t.Errorf("what is pinned is asked for again: %q", out.Reason)
	}
}

// TestCommitThatDoesNotRender: it is no candidate, and what is older is.
func TestCommitThatDoesNotRender(t *testing.T) {
	b := newBench(t)
	first := b.commit(map[string]string{"production/a.yaml": manifest("2")})
	soaked := b.healthy(first, time.Hour)
	b.commit(map[string]string{"production/a.yaml": "a: [typo"})
	if out := b.look(b.subject(soaked)); out.Candidate != first || b.asks() != first {
		t.Errorf("it asks for %q, want %s: %s", b.asks(), first, out.Reason)
	}
	b.commit(map[string]string{"staging/a.yaml": "a: [typo"})
	if out := b.look(b.subject(soaked)); out.Candidate != first {
		t.Errorf("where staging does not render it asks for %q, want %s: %s", out.Candidate, first, out.Reason)
	}
}

// TestLesson40_APinThatMovedBackDeclines: what a person left by moving the pin back is not asked for again, a newer one is.
func TestLesson40_APinThatMovedBackDeclines(t *testing.T) {
	b := newBench(t)
	pin := func(revision string) string {
		return b.commit(map[string]string{"releases/production.yaml": "revision: " + revision + "\n"})
	}
	first := b.commit(map[string]string{"production/a.yaml": manifest("2")})
	second := b.commit(map[string]string{"production/a.yaml": manifest("3")})
	pin(first)
	pin(second)
	pin(first)
	soaked := b.healthy(first, time.Hour)
	if out := b.look(b.subject(soaked)); out.Candidate != "" || b.asks() != "" {
		t.Errorf("the declined one is asked for: %q", out.Reason)
	}
	third := b.commit(map[string]string{"production/a.yaml": manifest("4")})
	if out := b.look(b.subject(soaked)); out.Candidate != third || b.asks() != third {
		t.Errorf("it asks for %q, want the newer one %s: %s", b.asks(), third, out.Reason)
	}
}

// TestBranchOfSomebodyElse: what a person committed to the branch stays.
func TestBranchOfSomebodyElse(t *testing.T) {
	b := newBench(t)
	first := b.commit(map[string]string{"production/a.yaml": manifest("2")})
	soaked := b.healthy(first, time.Hour)
	b.look(b.subject(soaked))
	foreign := b.srv.Commit(t, "shop", gittest.Change{Branch: "sluice/promote/shop/production", Files: map[string]string{"note": "mine"}, Message: "Mine"})
	b.commit(map[string]string{"production/a.yaml": manifest("3")})
	b.look(b.subject(soaked))
	if at := b.srv.Git(t, "shop", "rev-parse", "sluice/promote/shop/production"); strings.TrimSpace(at) != foreign {
		t.Errorf("the branch was moved to %s from somebody's %s", at, foreign)
	}
}

func TestPlain(t *testing.T) {
	const hostile = "<script>@everyone [x](http://x) `a`\n*b*"
	if got := plain(hostile); strings.ContainsAny(got, "<>`\n") || strings.Contains(got, "@e") || strings.Contains(got, "[x](") {
		t.Errorf("got %q", got)
	}
}

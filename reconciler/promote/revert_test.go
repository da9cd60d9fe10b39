package promote

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/reconciler/config"
)

const revertBranch = "refs/heads/sluice/revert/shop/staging"

// tipFile is a shop whose environments follow the tip, and share what test is rendered from.
const tipFile = `apiVersion: sluice.dev/v1alpha1
kind: Application
metadata: {name: shop}
environments:
- name: staging # ours
  namespace: staging
  source:
    directory: {path: deploy}
- {name: test, namespace: test, source: {kustomize: {path: test}}}
- {name: production, namespace: production, source: {directory: {path: production}}}
- {name: pinned, namespace: pinned, follow: pin, source: {directory: {path: deploy}}}
`

// fall is a bed whose staging follows the tip.
type fall struct {
	*bed
	first string
}

func newFall(t *testing.T) *fall {
	t.Helper()
	b := newBed(t)
	b.dir = "shop"
	return &fall{b, b.commit(gittest.Change{Files: map[string]string{
		"shop/sluice.yaml": tipFile, "shop/deploy/a.yaml": value("1"), "shop/production/a.yaml": value("1"),
		"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": value("1"), "shop/test/kustomization.yaml": "resources: [../../base]\n",
	}})}
}

// staging is the subject, as Git has it now.
func (f *fall) staging() Subject {
	f.Helper()
	s := f.subject()
	s.Environment = "staging"
	tree, err := f.keeper.Git.Tree(s.Tip)
	if err != nil {
		f.Fatal(err)
	}
	if s.Release, _, err = config.LoadRelease(tree, s.Dir, "staging", nil); err != nil {
		f.Fatal(err)
	}
	return s
}

// revert looks once after a failure, and returns where the branch is; empty: it is not there.
func (f *fall) revert(failed Fallen) (string, Outcome) {
	f.Helper()
	out, err := f.keeper.Revert(f.Context(), f.staging(), failed)
	if err != nil {
		f.Fatal(err)
	}
	return f.git.Git(f.T, "shop", "for-each-ref", "--format=%(objectname)", revertBranch), out
}

// differs are the paths that a revision changes against the branch.
func (f *fall) differs(from, to string) []string {
	f.Helper()
	return strings.Fields(f.git.Git(f.T, "shop", "diff", "--name-only", "--no-renames", from, to))
}

// text is what the request says.
func (f *fall) text(failed Fallen) string {
	f.Helper()
	s := f.staging()
	text, err := f.keeper.wayBack(f.Context(), f.keeper.revertLane(s), failed)
	if err != nil {
		f.Fatal(err)
	}
	return text
}

// TestRevertOfTheTip: all that the failed release was rendered from is as it was when the proven one was, and nothing else is.
func TestRevertOfTheTip(t *testing.T) {
	t.Parallel()
	f := newFall(t)
	bad := f.commit(gittest.Change{Message: "A bad one", Files: map[string]string{
		"shop/sluice.yaml":     strings.Replace(tipFile, "    directory: {path: deploy}\n", "    directory: {path: deploy, recurse: true}\n  labels: {a: b}\n", 1),
		"shop/deploy/a.yaml":   value("2"),
		"shop/deploy/b/b.yaml": strings.ReplaceAll(value("2"), "name: a", "name: b"), "README": "theirs",
	}})
	unrelated := f.commit(gittest.Change{Files: map[string]string{"README": "later"}})
	failed := Fallen{Revision: bad, Trigger: bad, Proven: f.first, Reason: "it *crashed*"}
	head, out := f.revert(failed)
	if head == "" || out.Candidate != f.first {
		t.Fatalf("nothing is asked for: %+v", out)
	}
	if got, want := f.differs(unrelated, head), []string{"shop/deploy/a.yaml", "shop/deploy/b/b.yaml", "shop/sluice.yaml"}; !slices.Equal(got, want) {
		t.Errorf("it changes %v, want %v", got, want)
	}
	if got := f.differs(f.first, head); !slices.Equal(got, []string{"README"}) {
		t.Errorf("it differs from what was proven in %v", got)
	}
	text := f.text(failed)
	for _, words := range []string{bad[:7] + " failed in **staging**", "it \\*crashed\\*", f.first, "- shop/deploy/b/b.yaml", "One commit:", "A bad one (Test)", "No other environment"} {
		if !strings.Contains(text, words) {
			t.Errorf("it does not say %q: %s", words, text)
		}
	}
	f.commit(gittest.Change{Files: map[string]string{"README": "later still"}})
	if again, _ := f.revert(failed); again != head {
		t.Error("an unrelated commit moved it")
	}
	f.keeper = &Keeper{Git: f.keeper.Git, Log: f.keeper.Log}
	if again, _ := f.revert(failed); again != head {
		t.Error("another process moved it")
	}
	f.git.Git(t, "shop", "update-ref", "refs/heads/main", head) // somebody merges it
	if gone, out := f.revert(failed); gone != "" || out.Candidate != "" {
		t.Errorf("it is there still after it was merged: %q %+v", gone, out)
	}
}

// TestRevertThatIsNotRightAnyMore: what is newer ends it, also what failed before and came back by another commit.
func TestRevertThatIsNotRightAnyMore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason string
		then   []gittest.Change
		stays  bool
	}{
		"Fixed":     {"the fix is what is asked for", []gittest.Change{{Files: map[string]string{"shop/deploy/a.yaml": value("3")}}}, false},
		"Retried":   {"a person wants it to be tried again", []gittest.Change{{Files: map[string]string{"shop/releases/staging.yaml": "retry: 1\n"}}}, false},
		"CameBack":  {"it is a new release", []gittest.Change{{Files: map[string]string{"shop/deploy/a.yaml": value("1")}}, {Files: map[string]string{"shop/deploy/a.yaml": value("2")}}}, false},
		"Unrelated": {"nothing that it is made of moved", []gittest.Change{{Files: map[string]string{"shop/production/a.yaml": value("2")}}}, true},
		"Foreign":   {"somebody else committed there", []gittest.Change{{Branch: "sluice/revert/shop/staging", Files: map[string]string{"README": "mine"}}, {Files: map[string]string{"shop/deploy/a.yaml": value("3")}}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFall(t)
			bad := f.commit(gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": value("2")}})
			failed := Fallen{Revision: bad, Trigger: bad, Proven: f.first}
			if head, out := f.revert(failed); head == "" {
				t.Fatalf("nothing is asked for: %+v", out)
			}
			for _, change := range c.then {
				f.commit(change)
			}
			if head, out := f.revert(failed); (head != "") != c.stays {
				t.Errorf("%s: it is at %q: %+v", c.reason, head, out)
			}
		})
	}
}

// TestRevertThatConcernsOthers: whoever follows the tip and shares files is named, and nobody else.
func TestRevertThatConcernsOthers(t *testing.T) {
	t.Parallel()
	f := newFall(t)
	shared := strings.Replace(tipFile, "    directory: {path: deploy}\n", "    kustomize: {path: ../base}\n", 1)
	first := f.commit(gittest.Change{Files: map[string]string{
		"shop/sluice.yaml": shared, "other/sluice.yaml": "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: other}\nenvironments:\n" +
			"- {name: production, namespace: other, source: {kustomize: {path: ../shop/test}}}\n- {name: staging, namespace: other, source: {directory: {path: ../shop/deploy}}}\n",
	}})
	bad := f.commit(gittest.Change{Files: map[string]string{"base/a.yaml": value("2")}})
	failed := Fallen{Revision: bad, Trigger: bad, Proven: first}
	if text := f.text(failed); !strings.Contains(text, "these render to as well:** shop/test, other/production\n") &&
		!strings.Contains(text, "these render to as well:** other/production, shop/test\n") {
		t.Errorf("it says %s", text)
	}
	fixed := f.commit(gittest.Change{Files: map[string]string{"shop/test/kustomization.yaml": "resources: [../production/a.yaml]\n"}})
	if text := f.text(failed); !strings.Contains(text, "No other environment") {
		t.Errorf("at %s they do not share it any more: %s", fixed, text)
	}
}

// TestRevertAfterAMove: the folder of the application moved with the release that failed.
func TestRevertAfterAMove(t *testing.T) {
	t.Parallel()
	f := newFall(t)
	first := f.commit(gittest.Change{Files: map[string]string{"shop/deploy/gone.yaml": strings.ReplaceAll(value("1"), "name: a", "name: b")}})
	f.dir = "new"
	bad := f.commit(gittest.Change{
		Delete: []string{"shop/sluice.yaml", "shop/deploy/a.yaml", "shop/deploy/gone.yaml"},
		Files:  map[string]string{"new/sluice.yaml": tipFile, "new/deploy/a.yaml": value("2"), "new/deploy/c.yaml": strings.ReplaceAll(value("1"), "name: a", "name: c")},
	})
	head, out := f.revert(Fallen{Revision: bad, Trigger: bad, Proven: first})
	if got, want := f.differs(bad, head), []string{"new/deploy/a.yaml", "new/deploy/c.yaml", "new/deploy/gone.yaml"}; !slices.Equal(got, want) {
		t.Errorf("it changes %v, want %v: %+v", got, want, out)
	}
}

// TestRevertThatNoEditMakes: where the file cannot be edited, nobody is asked to merge something else.
func TestRevertThatNoEditMakes(t *testing.T) {
	t.Parallel()
	f := newFall(t)
	bad := f.commit(gittest.Change{Files: map[string]string{
		"shop/sluice.yaml": strings.Replace(tipFile, "  source:\n    directory: {path: deploy}\n- {name: test, namespace: test, source: {kustomize: {path: test}}}\n",
			"  source: &source\n    directory: {path: production}\n- {name: test, namespace: test, source: *source}\n", 1),
	}})
	if head, out := f.revert(Fallen{Revision: bad, Trigger: bad, Proven: f.first}); head != "" || !strings.Contains(out.Reason, "by hand") {
		t.Errorf("it is at %q: %+v", head, out)
	}
}

// TestRevertOfAChart: a chart at the top of the repository reads all that lies there, and of it neither sluice.yaml, but for the
// one block, nor a release file goes back.
func TestRevertOfAChart(t *testing.T) {
	t.Parallel()
	f := newFall(t)
	f.dir = "."
	file := strings.Replace(tipFile, "    directory: {path: deploy}\n", "    helm: {chart: ., values: [values.yaml]}\n", 1)
	template := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {value: '{{ .Values.value }}'}\n"
	first := f.commit(gittest.Change{Delete: []string{"shop/sluice.yaml"}, Files: map[string]string{
		"sluice.yaml": file, "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n", "values.yaml": "value: one\n", "templates/a.yaml": template,
		"releases/production.yaml": "retry: 1\n",
	}})
	bad := f.commit(gittest.Change{Files: map[string]string{
		"sluice.yaml": strings.NewReplacer("values: [values.yaml]", "values: [values.yaml, more.yaml]", "path: production", "path: elsewhere").Replace(file),
		"more.yaml":   "value: two\n", "templates/b.yaml": strings.ReplaceAll(template, "name: a", "name: b"), "releases/production.yaml": "retry: 2\n",
	}})
	head, out := f.revert(Fallen{Revision: bad, Trigger: bad, Proven: first})
	if head == "" {
		t.Fatalf("nothing is asked for: %+v", out)
	}
	if got := f.git.Git(t, "shop", "diff", first, head); !strings.Contains(got, "path: elsewhere") || strings.Contains(got, "more.yaml]") {
		t.Errorf("it differs from what was proven in %s", got)
	}
	if got, want := f.differs(bad, head), []string{"more.yaml", "sluice.yaml", "templates/b.yaml"}; !slices.Equal(got, want) {
		t.Errorf("it changes %v, want %v", got, want)
	}
}

// TestRevertOfAPin: an environment that follows a pin goes back by the pin, whether releases come from elsewhere or not, and
// with by: commit without a person.
func TestRevertOfAPin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reason, more string
		may, commits bool
	}{
		"NoPromotion":  {"a request waits", "", true, false},
		"ByCommit":     {"nobody is asked", ", promotion: {from: staging, by: commit}", true, true},
		"MayNotCommit": {"agent.yaml does not let it, and a request waits", ", promotion: {from: staging, by: commit}", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.keeper.MayCommit = c.may
			b.writes()
			first := b.commit(gittest.Change{Files: map[string]string{"sluice.yaml": strings.ReplaceAll(shopFile, ", promotion: {from: staging}", c.more)}})
			bad := b.commit(gittest.Change{Files: map[string]string{"deploy/a.yaml": value("2"), "base/a.yaml": value("1")}})
			pinned := b.commit(gittest.Change{Files: map[string]string{"releases/production.yaml": "# ours\nrevision: " + bad + "\n"}})
			failed := Fallen{Revision: bad, Trigger: pinned, Proven: first}
			out, err := b.keeper.Revert(t.Context(), b.subject(), failed)
			if err != nil || (out.Pin != nil) != c.commits {
				t.Fatalf("%s: %+v, %v", c.reason, out, err)
			}
			b.pushes(out)
			at := "refs/heads/sluice/revert/shop/production"
			if c.commits {
				at = "refs/heads/main"
			}
			if got := b.git.Git(t, "shop", "show", at+":releases/production.yaml"); got != "# ours\nrevision: "+first {
				t.Errorf("%s: the release file is %q", c.reason, got)
			}
			if branches := b.git.Git(t, "shop", "for-each-ref", "--format=%(refname)", "refs/heads/sluice"); (branches == "") != c.commits {
				t.Errorf("%s: there are %q", c.reason, branches)
			}
			if !c.commits {
				return
			}
			main := b.git.Git(t, "shop", "rev-parse", at)
			if out, err = b.keeper.Revert(t.Context(), b.subject(), failed); err != nil || out.Pin != nil {
				t.Errorf("it is committed again: %+v, %v", out, err)
			}
			b.commit(gittest.Change{Files: map[string]string{"releases/production.yaml": "revision: " + bad + "\n"}})
			if out, err = b.keeper.Revert(t.Context(), b.subject(), failed); err != nil || out.Pin != nil {
				t.Errorf("a person pinned it again after %s, and it is taken back before it is tried: %+v, %v", main, out, err)
			}
		})
	}
}

// writes lets the keeper's repository write the polled branch.
func (b *bed) writes() {
	b.Helper()
	credentials := gitsource.Credentials{Username: "agent", Password: gitsource.NewSecret(gittest.Password)}
	git, err := gitsource.Open(gitsource.Config{
		URL: b.git.URL("shop"), Dir: b.TempDir(), Writes: []string{gitsource.BranchPrefix + "*", "refs/heads/main"},
		Credentials: func() (gitsource.Credentials, error) { return credentials, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { git.Close() })
	b.keeper.Git = git
}

package promote

import (
	"log/slog"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
)

const shopFile = `apiVersion: sluice.dev/v1alpha1
kind: Application
metadata: {name: shop}
environments:
- {name: staging, namespace: staging, source: {directory: {path: deploy}}}
- {name: production, namespace: production, source: {directory: {path: deploy}}, follow: pin, promotion: {from: staging}}
`

const promoteBranch = "refs/heads/sluice/promote/shop/production"

// bed is a keeper of the shop's production, at a Git server without a forge.
type bed struct {
	*testing.T
	git    *gittest.Server
	keeper *Keeper
	dir    string        // of sluice.yaml
	lines  []record.Line // of staging
}

func newBed(t *testing.T) *bed {
	t.Helper()
	b := &bed{T: t, git: gittest.New(t), dir: "."}
	credentials := gitsource.Credentials{Username: "agent", Password: gitsource.NewSecret(gittest.Password)}
	git, err := gitsource.Open(gitsource.Config{
		URL: b.git.URL("shop"), Dir: t.TempDir(), Timeout: 20 * time.Second,
		Credentials: func() (gitsource.Credentials, error) { return credentials, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { git.Close() })
	b.keeper = &Keeper{Git: git, Log: slog.New(slog.DiscardHandler)}
	b.commit(gittest.Change{Files: map[string]string{"sluice.yaml": shopFile, "deploy/a.yaml": value("1")}})
	return b
}

func value(v string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {value: '" + v + "'}\n"
}

func (b *bed) commit(c gittest.Change) string {
	b.Helper()
	return b.git.Commit(b.T, "shop", c)
}

// subject is production as Git has it now.
func (b *bed) subject() Subject {
	b.Helper()
	refs, err := b.keeper.Git.Fetch(b.Context(), "refs/heads/main")
	if err != nil {
		b.Fatal(err)
	}
	s := Subject{
		Renderer:    render.Here{},
		Application: "shop", Environment: "production", Repository: config.Repository{Branch: "main", Applications: &config.Discovery{Path: "*"}},
		Tip: refs["refs/heads/main"], Dir: b.dir,
		Lines: map[string][]record.Line{"staging": b.lines}, Capabilities: render.Capabilities{KubeVersion: "v1.36.3"},
		Window: policies.Openness{Open: true}, Now: time.Now(),
	}
	tree, err := b.keeper.Git.Tree(s.Tip)
	if err != nil {
		b.Fatal(err)
	}
	if s.Rules, _ = config.Load(tree, s.Dir); s.Rules == nil {
		b.Fatal("sluice.yaml makes no sense")
	}
	if s.Release, _, err = config.LoadRelease(tree, s.Dir, s.Environment, nil); err != nil {
		b.Fatal(err)
	}
	return s
}

// tell has staging say something of what it renders to at the tip.
func (b *bed) tell(phase policies.Phase, soaked time.Duration) {
	b.Helper()
	s := b.subject()
	tree, err := b.keeper.Git.Tree(s.Tip)
	if err != nil {
		b.Fatal(err)
	}
	req, _ := s.at(tree, "staging")
	out, err := render.Render(b.Context(), tree, req)
	if err != nil {
		b.Fatal(err)
	}
	b.lines = append(b.lines, record.Line{
		Application: "shop", Environment: "staging", Phase: phase, Revision: s.Tip, Inputs: out.Inputs, Digest: out.Digest,
		Seq: int64(len(b.lines) + 1), At: time.Now(), Evidence: record.Evidence{Soaked: soaked.Seconds()},
	})
}

func (b *bed) look() Outcome {
	b.Helper()
	out, err := b.keeper.Look(b.Context(), b.subject())
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func (b *bed) head() string {
	b.Helper()
	return b.git.Git(b.T, "shop", "for-each-ref", "--format=%(objectname)", promoteBranch)
}

// TestLesson25_ForeignCommits: what somebody else did to the branch stays, whatever its message says.
func TestLesson25_ForeignCommits(t *testing.T) {
	amend := func(b *bed, parent string) gittest.Change {
		message := b.git.Git(b.T, "shop", "log", "-1", "--format=%B", promoteBranch)
		pin := b.git.Git(b.T, "shop", "show", promoteBranch+":releases/production.yaml")
		return gittest.Change{
			Branch: "sluice/promote/shop/production", Parent: parent, Message: message,
			Files: map[string]string{"releases/production.yaml": pin + "\n"},
		}
	}
	cases := map[string]struct {
		reason string
		change func(b *bed, base string) gittest.Change
		stays  bool
	}{
		"Amended": {"the message is ours still, and the files are not", func(b *bed, base string) gittest.Change {
			c := amend(b, base)
			c.Files["deploy/a.yaml"] = value("mine")
			return c
		}, true},
		"AnotherWord": {"somebody's word in the release file is theirs", func(b *bed, base string) gittest.Change {
			c := amend(b, base)
			c.Files["releases/production.yaml"] += "paused: true\n"
			return c
		}, true},
		"OnTop": {"a commit of somebody else's lies on ours", func(b *bed, _ string) gittest.Change {
			return gittest.Change{Branch: "sluice/promote/shop/production", Files: map[string]string{"deploy/a.yaml": value("mine")}}
		}, true},
		"Picked": {"somebody took all of it into the polled branch by another commit", func(b *bed, base string) gittest.Change {
			c := amend(b, base)
			c.Message = "Mine"
			b.commit(gittest.Change{Files: c.Files})
			return c
		}, false},
		"Rebased": {"the forge may have put it on a newer tip", func(b *bed, _ string) gittest.Change {
			return amend(b, b.commit(gittest.Change{Files: map[string]string{"README": "nothing of the shop"}}))
		}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.tell(policies.Healthy, 0)
			if first := b.look(); first.Candidate == "" || b.head() == "" {
				t.Fatalf("nothing is proposed: %+v", first)
			}
			foreign := b.commit(tc.change(b, b.git.Git(t, "shop", "rev-parse", promoteBranch+"^")))
			b.commit(gittest.Change{Files: map[string]string{"deploy/a.yaml": value("2")}})
			b.tell(policies.Healthy, 0)
			b.look()
			if stays := b.head() == foreign; stays != tc.stays {
				t.Errorf("%s: it stays: %v", tc.reason, stays)
			}
		})
	}
}

// TestOurBranchAfterTheRulesMoved: another way of promotion makes no stranger of us.
func TestOurBranchAfterTheRulesMoved(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.tell(policies.Healthy, 0)
	b.look()
	before := b.head()
	test := strings.ReplaceAll(shopFile, "from: staging", "from: [staging, test]") + "- {name: test, namespace: test, source: {directory: {path: deploy}}}\n"
	b.commit(gittest.Change{Files: map[string]string{"sluice.yaml": test}})
	if out := b.look(); out.Candidate != "" || before == "" || b.head() != "" {
		t.Errorf("what is not proven in both is proposed still: %+v, %q", out, b.head())
	}
}

// TestSoakOfAWithdrawnProof: what failed since has to be well anew.
func TestSoakOfAWithdrawnProof(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.commit(gittest.Change{Files: map[string]string{"sluice.yaml": strings.ReplaceAll(shopFile, "from: staging", "from: staging, when: {healthyFor: 1h}")}})
	b.tell(policies.Healthy, 0)
	b.tell(policies.Healthy, time.Hour)
	if out := b.look(); !out.Due {
		t.Errorf("it was well for its time: %+v", out)
	}
	b.tell(policies.RolledBack, 0)
	if out := b.look(); out.Candidate != "" {
		t.Errorf("it is withdrawn: %+v", out)
	}
	b.tell(policies.Healthy, 0)
	if out := b.look(); out.Due || out.Candidate == "" {
		t.Errorf("it was not well for its time since it is back: %+v", out)
	}
}

// TestLesson26_RewrittenBranch: what is pinned is not in the branch any more, and what the branch has now is promoted all the same.
func TestLesson26_RewrittenBranch(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.tell(policies.Healthy, 0)
	pin := b.subject().Tip
	root := b.commit(gittest.Change{Files: map[string]string{"releases/production.yaml": "revision: " + pin + "\n"}})
	if out := b.look(); out.Candidate != "" {
		t.Errorf("what is pinned is proposed: %+v", out)
	}
	b.commit(gittest.Change{Orphan: true, Files: map[string]string{
		"sluice.yaml": shopFile, "deploy/a.yaml": value("1"), "releases/production.yaml": "revision: " + pin + "\n",
	}})
	if out := b.look(); out.Candidate != "" {
		t.Errorf("the same as what is pinned is proposed: %+v", out)
	}
	next := b.commit(gittest.Change{Files: map[string]string{"deploy/a.yaml": value("2")}})
	b.tell(policies.Healthy, 0)
	if out := b.look(); out.Candidate != next {
		t.Errorf("it comes to %+v, instead of %.7s (the branch was at %.7s)", out, next, root)
	}
}

// TestLesson25_RequestThatIsNotMoved: what is said of it is of the release that it asks for, and a newer one is told of.
func TestLesson25_RequestThatIsNotMoved(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.commit(gittest.Change{Files: map[string]string{"sluice.yaml": strings.ReplaceAll(shopFile, "from: staging", "from: staging, when: {healthyFor: 1h}")}})
	b.tell(policies.Healthy, time.Hour)
	asked := b.look().Candidate
	b.commit(gittest.Change{Branch: "sluice/promote/shop/production", Files: map[string]string{"README": "a word of mine"}})
	newer := b.commit(gittest.Change{Files: map[string]string{"deploy/a.yaml": value("2")}})
	b.tell(policies.Healthy, 0)
	out := b.look()
	if asked == "" || out.Candidate != asked || !out.Due {
		t.Errorf("it is said of the newer one, which was not well for its time: %+v", out)
	}
	if !strings.Contains(out.Reason, newer[:7]+" is newer") {
		t.Errorf("the newer one is not told of: %s", out.Reason)
	}
}

// TestDeclinedBeforeAMove: what a person went back from stays declined when the folder of the application moves.
func TestDeclinedBeforeAMove(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	move := func(from, to, pin string) {
		files, gone := map[string]string{}, []string{}
		for name, text := range map[string]string{"sluice.yaml": shopFile, "deploy/a.yaml": value("2"), "releases/production.yaml": pin} {
			files[path.Join(to, name)], gone = text, append(gone, path.Join(from, name))
		}
		b.commit(gittest.Change{Files: files, Delete: gone})
		b.dir = to
	}
	move(".", "old", "{}\n")
	b.tell(policies.Healthy, 0)
	first := b.subject().Tip
	left := b.commit(gittest.Change{Files: map[string]string{"old/deploy/a.yaml": value("3")}})
	b.tell(policies.Healthy, 0)
	b.commit(gittest.Change{Files: map[string]string{"old/releases/production.yaml": "revision: " + left + "\n"}})
	back := "revision: " + first + "\n"
	b.commit(gittest.Change{Files: map[string]string{"old/releases/production.yaml": back}})
	if out := b.look(); out.Candidate != "" {
		t.Errorf("the roll-back is undone: %+v", out)
	}
	b.commit(gittest.Change{Files: map[string]string{"old/deploy/a.yaml": value("3")}})
	move("old", "shop", back)
	b.commit(gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": value("3")}})
	if out := b.look(); out.Candidate != "" {
		t.Errorf("the roll-back is undone after the move: %+v", out)
	}
}

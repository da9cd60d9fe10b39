package promote

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
)

const groupBranch = "refs/heads/sluice/group/web"

// crew are the productions of two applications that go together, at a Git server without a forge.
type crew struct {
	*testing.T
	bed   *bed
	lines map[string][]record.Line // of the stagings, by application
	own   map[string]*Keeper
	out   map[string]string // who has no part now, and why
}

// newCrew makes two applications whose production is promoted so.
func newCrew(t *testing.T, promotion string) *crew {
	t.Helper()
	c := &crew{T: t, bed: newBed(t), lines: map[string][]record.Line{}, own: map[string]*Keeper{}, out: map[string]string{}}
	files := map[string]string{}
	for _, app := range []string{"shop", "till"} {
		files[app+"/sluice.yaml"] = strings.NewReplacer("name: shop", "name: "+app, "from: staging", "from: staging, group: web"+promotion).Replace(shopFile)
		files[app+"/deploy/a.yaml"] = value("1")
		c.own[app] = &Keeper{Git: c.bed.keeper.Git, Log: c.bed.keeper.Log}
	}
	c.bed.commit(gittest.Change{Files: files, Delete: []string{"sluice.yaml", "deploy/a.yaml"}})
	return c
}

// member is one of them as Git has it now.
func (c *crew) member(app string) Member {
	c.Helper()
	b := c.bed
	b.dir = app
	s := b.subject()
	s.Application, s.Lines = app, map[string][]record.Line{"staging": c.lines[app]}
	return Member{Keeper: c.own[app], Subject: s, Out: c.out[app]}
}

// release gives an application another value, which its staging finds to be well for a time.
func (c *crew) release(app, v string, soaked time.Duration) string {
	c.Helper()
	revision := c.bed.commit(gittest.Change{Files: map[string]string{app + "/deploy/a.yaml": value(v)}})
	c.tell(app, revision, soaked)
	return revision
}

func (c *crew) tell(app, revision string, soaked time.Duration) {
	c.Helper()
	s := c.member(app).Subject
	tree, err := c.bed.keeper.Git.Tree(revision)
	if err != nil {
		c.Fatal(err)
	}
	req, _ := s.at(tree, "staging")
	out, err := render.Render(c.Context(), tree, req)
	if err != nil {
		c.Fatal(err)
	}
	c.lines[app] = append(c.lines[app], record.Line{
		Application: app, Environment: "staging", Phase: policies.Healthy, Revision: revision, Inputs: out.Inputs, Digest: out.Digest,
		Seq: int64(len(c.lines[app]) + 1), At: time.Now(), Evidence: record.Evidence{Soaked: soaked.Seconds()},
	})
}

// look looks at both once: the shop first.
func (c *crew) look() []Outcome {
	c.Helper()
	outs, err := c.bed.keeper.LookTogether(c.Context(), "web", []Member{c.member("shop"), c.member("till")})
	if err != nil {
		c.Fatal(err)
	}
	return outs
}

func (c *crew) head() string {
	c.Helper()
	return c.bed.git.Git(c.T, "shop", "for-each-ref", "--format=%(objectname)", groupBranch)
}

// asks checks which pins the branch moves, in one commit on the tip's tree; none: there is no branch.
func (c *crew) asks(want map[string]string) {
	c.Helper()
	if head := c.head(); (head == "") != (len(want) == 0) {
		c.Errorf("the branch is at %q, and %d pins are to be moved", head, len(want))
		return
	} else if head == "" {
		return
	}
	if n := c.bed.git.Git(c.T, "shop", "rev-list", "--count", "main.."+groupBranch); n != "1" {
		c.Errorf("the branch is %s commits ahead", n)
	}
	changed := strings.Fields(c.bed.git.Git(c.T, "shop", "diff", "--name-only", groupBranch+"^", groupBranch))
	if len(changed) != len(want) {
		c.Errorf("the branch changes %v, want the pins of %v", changed, want)
	}
	for app, revision := range want {
		if pin := c.bed.git.Git(c.T, "shop", "show", groupBranch+":"+app+"/releases/production.yaml"); pin != "revision: "+revision {
			c.Errorf("%s: the branch has %q, want %s", app, pin, revision)
		}
	}
}

// TestGroupAsksTogether: one branch moves the pins of all that have a candidate, and moves on with each of them.
func TestGroupAsksTogether(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "")
	if outs := c.look(); outs[0].Candidate != "" || outs[1].Candidate != "" {
		t.Errorf("nothing is proven, and asked for are %+v", outs)
	}
	c.asks(nil)
	shop := c.release("shop", "2", 0)
	c.look()
	c.asks(map[string]string{"shop": shop})
	till := c.release("till", "2", 0)
	c.look()
	c.asks(map[string]string{"shop": shop, "till": till})
	message := c.bed.git.Git(t, "shop", "log", "-1", "--format=%B", groupBranch)
	if words := "Move the pins of the group web\n\n- Promote shop to production: " + shop[:7] + "\n- Promote till to production: "; !strings.HasPrefix(message, words) {
		t.Errorf("it does not say %q: %s", words, message)
	}
	if trailers := c.bed.git.Git(t, "shop", "log", "-1", "--format=%(trailers:key=Sluice-Application,valueonly)", groupBranch); strings.TrimSpace(trailers) != "shop\ntill" {
		t.Errorf("its trailers name %q", trailers)
	}
	before := c.head()
	c.bed.commit(gittest.Change{Files: map[string]string{"README": "nothing of either"}})
	if c.look(); c.head() != before {
		t.Error("an unrelated commit moved the branch")
	}
	newer := c.release("till", "3", 0)
	c.look()
	c.asks(map[string]string{"shop": shop, "till": newer})
	c.out["shop"] = "paused"
	c.look()
	c.asks(map[string]string{"till": newer})
	delete(c.out, "shop")
	c.look()
	c.asks(map[string]string{"shop": shop, "till": newer})
	c.bed.git.Git(t, "shop", "update-ref", "refs/heads/main", c.head()) // somebody merges it
	c.look()
	c.asks(nil)
	c.release("till", "4", 0)
	c.look()
	c.release("till", "3", 0) // what is pinned is there again
	c.look()
	c.asks(nil)
}

// TestGroupHeldByAPerson: what somebody committed stays for all of the group, and each is told of what is newer.
func TestGroupHeldByAPerson(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "")
	shop, till := c.release("shop", "2", 0), c.release("till", "2", 0)
	c.look()
	c.asks(map[string]string{"shop": shop, "till": till})
	foreign := c.bed.commit(gittest.Change{Branch: "sluice/group/web", Files: map[string]string{"README": "a word of mine"}})
	newer := c.release("till", "3", 0)
	outs := c.look()
	if c.head() != foreign {
		t.Error("it was moved")
	}
	if outs[0].Candidate != shop || outs[1].Candidate != till || !strings.Contains(outs[1].Reason, newer[:7]+" is newer") {
		t.Errorf("they come to %+v", outs)
	}
	if strings.Contains(outs[0].Reason, "newer") {
		t.Errorf("of the shop nothing is newer: %s", outs[0].Reason)
	}
}

// TestGroupThatSomebodyLeft: a branch that moves pins of one who is in the group no more is ours still.
func TestGroupThatSomebodyLeft(t *testing.T) {
	t.Parallel()
	c := newCrew(t, "")
	shop := c.release("shop", "2", 0)
	c.release("till", "2", 0)
	c.look()
	if _, err := c.bed.keeper.LookTogether(t.Context(), "web", []Member{c.member("shop")}); err != nil {
		t.Fatal(err)
	}
	c.asks(map[string]string{"shop": shop})
}

// TestGroupInALedger: it asks on a branch there, that has the name of the repository since others may share the ledger.
func TestGroupInALedger(t *testing.T) {
	t.Parallel()
	b := newLedgerBench(t)
	first := b.commit(map[string]string{"production/a.yaml": manifest("2")})
	s := b.subject(b.healthy(first, time.Hour))
	s.Repository.Name, s.Repository.WriteBack.Ledger = "code", &config.Ledger{}
	keeper := &Keeper{Git: b.k.Git, Log: b.k.Log}
	outs, err := keeper.LookTogether(t.Context(), "web", []Member{{Keeper: b.k, Subject: s}})
	if err != nil || outs[0].Candidate != first {
		t.Fatalf("it comes to %+v: %v", outs, err)
	}
	if changed := b.srv.Git(t, "ledger", "diff", "--name-only", "trunk...sluice/group/code/web"); changed != "shop/releases/production.yaml" {
		t.Errorf("the branch changes %q", changed)
	}
	if refs := b.srv.Git(t, "shop", "for-each-ref", "--format=%(refname)"); refs != "refs/heads/main" {
		t.Errorf("the code has %s", refs)
	}
}

// TestGroupThatCommits: no pin goes while another of the group that has a candidate is not due, and then all go in one commit, or
// none of them.
func TestGroupThatCommits(t *testing.T) {
	t.Parallel()
	c := newCrew(t, ", by: commit, when: {healthyFor: 1h}")
	c.bed.writes()
	for _, k := range c.own {
		k.MayCommit, k.Git = true, c.bed.keeper.Git
	}
	c.bed.keeper.MayCommit = true
	c.release("shop", "2", time.Hour)
	till := c.release("till", "2", 0)
	outs := c.look()
	if outs[0].Pin != nil || outs[1].Pin != nil || outs[0].Due || !strings.Contains(outs[0].Reason, "its group waits: till/production: ") {
		t.Errorf("one is not due, and they come to %+v", outs)
	}
	c.tell("till", till, time.Hour)
	if outs = c.look(); outs[0].Pin == nil || outs[1].Pin == nil || outs[0].Pin.Group != "web" {
		t.Fatalf("both are due, and they come to %+v", outs)
	}
	c.hook("#!/bin/sh\nwhile read old new ref; do if git diff --name-only $old $new | grep -q till; then echo not till >&2; exit 1; fi; done\n")
	before := c.tip()
	for i, err := range c.bed.pushes(outs...) {
		if err == nil || !strings.Contains(err.Error(), "till") {
			t.Errorf("pin %d: the server refuses one of the group, and it says %v", i, err)
		}
	}
	if c.tip() != before {
		t.Error("one went without the other")
	}
	c.hook("#!/bin/sh\n")
	for i, err := range c.bed.pushes(outs...) {
		if err != nil {
			t.Errorf("pin %d: %v", i, err)
		}
	}
	if n := c.bed.git.Git(t, "shop", "rev-list", "--count", before+"..main"); n != "1" {
		t.Errorf("there are %s commits", n)
	}
}

// hook is what the server asks before it takes a push.
func (c *crew) hook(script string) {
	c.Helper()
	if err := os.WriteFile(filepath.Join(c.bed.git.Path("shop"), "hooks", "pre-receive"), []byte(script), 0o755); err != nil { //nolint:gosec // Git runs it
		c.Fatal(err)
	}
}

func (c *crew) tip() string { return c.bed.git.Git(c.T, "shop", "rev-parse", "main") }

// TestGroupIsToldOf: the text has a part for each, names who is not in it, and what cannot be told where it would be too long; its
// marks come last and are read again.
func TestGroupIsToldOf(t *testing.T) {
	t.Parallel()
	c := newCrew(t, ", when: {healthyFor: 1h}")
	shop, till := c.release("shop", "2", time.Hour), c.release("till", "2", 0)
	long := 0
	for _, k := range c.own {
		k.Show = func(Subject, string, string, []*unstructured.Unstructured, []*unstructured.Unstructured) string {
			return "What changes <!-- sluice: candidate " + strings.Repeat("0", 40) + " of shop/production -->" + strings.Repeat("x", long)
		}
	}
	told := func() (lane, string) {
		t.Helper()
		members := []Member{c.member("shop"), c.member("till")}
		l := c.bed.keeper.groupLane("web", members)
		var all []share
		for _, m := range members {
			s, err := m.weigh(t.Context(), known{})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		in, out := apart(all, known{})
		_, reason := l.whole(in)
		text, err := l.text(t.Context(), in, out, reason)
		if err != nil {
			t.Fatal(err)
		}
		return l, text
	}
	says := func(text string, words ...string) {
		t.Helper()
		for _, w := range words {
			if !strings.Contains(text, w) {
				t.Errorf("it does not say %q: %.3000s", w, text)
			}
		}
	}
	l, text := told()
	says(text, "**till/production: "+till[:7]+" waits: ", "due but for that: shop/production**", "\n## shop/production\n", "\n## till/production\n", "What changes")
	asked := l.said(text)
	if len(asked) != 2 || asked["shop/releases/production.yaml"] != shop || asked["till/releases/production.yaml"] != till {
		t.Errorf("it is read as %v", asked)
	}
	long = longestText
	for _, k := range c.own {
		k.last = shown{}
	}
	l, text = told()
	says(text, "too long with the differences of objects")
	if asked := l.said(text); strings.Contains(text, "What changes") || len(text) > longestText || len(asked) != 2 || !strings.Contains(text, "commits:") {
		t.Errorf("it is %d long, and read as %v", len(text), asked)
	}
	c.out["till"] = "paused"
	l, text = told()
	says(text, "these are not in this request:\n\n- till/production: paused\n")
	if asked := l.said(text); len(asked) != 1 {
		t.Errorf("it is read as %v", asked)
	}
}

// TestGroupThatIsHeldAndPaused: what cannot be asked for any more is said of the member that it is of.
func TestGroupThatIsHeldAndPaused(t *testing.T) {
	t.Parallel()
	due := policies.PromotionDecision{Candidate: &policies.Candidate{Revision: strings.Repeat("a", 40)}, Due: true, Reason: "it may be"}
	none := policies.PromotionDecision{Reason: "paused"}
	of := func(app string, d policies.PromotionDecision, asked bool) share {
		s := Subject{Application: app, Environment: "p", Dir: app, Rules: &config.Application{}}
		return share{Member: Member{Subject: s}, decision: d, asked: asked}
	}
	held := known{head: "x", foreign: true, asks: picks{"a/releases/p.yaml": strings.Repeat("a", 40), "b/releases/p.yaml": strings.Repeat("b", 40)}}
	cases := map[string]struct {
		reason  string
		now     known
		all     []share
		in, out string
	}{
		"Moved":      {"who has none is not in it", known{}, []share{of("a", due, true), of("b", none, true)}, "a", "b"},
		"Held":       {"it has what its branch has", held, []share{of("a", due, true), of("b", none, true)}, "ab", ""},
		"HeldNewer":  {"who was not in it is told of", held, []share{of("a", due, true), of("c", due, false)}, "a", "c"},
		"HeldNobody": {"nothing of it is left to ask for", held, []share{of("a", none, true), of("b", none, true), of("c", due, false)}, "", "abc"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in, out := apart(tc.all, tc.now)
			names := func(all []share) (s string) {
				for _, one := range all {
					s += one.Subject.Application
				}
				return s
			}
			if names(in) != tc.in || names(out) != tc.out {
				t.Errorf("%s: in are %q and out %q, want %q and %q", tc.reason, names(in), names(out), tc.in, tc.out)
			}
			for _, s := range in {
				if s.decision.Candidate == nil || s.Subject.Application == "b" && (s.decision.Due || !strings.Contains(s.decision.Reason, "not to be asked for any more: paused")) {
					t.Errorf("%s is %+v", s.Subject.Application, s.decision)
				}
			}
		})
	}
}

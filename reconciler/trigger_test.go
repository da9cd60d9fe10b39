package reconciler

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// TestTrigger: the commit that brought a release, whatever else was committed since.
func TestTrigger(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first := b.files(map[string]string{"shop/sluice.yaml": application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")})
	expect := func(reason, want string) *Pass {
		t.Helper()
		p := b.look(shop)
		if got := p.Wanted.Release.Trigger; got != want {
			t.Errorf("%s: the trigger is %.7s, want %.7s (refused: %s)", reason, got, want, p.Wanted.Refused.Reason)
		}
		return p
	}
	b.became(expect("the first commit", first), policies.Healthy)
	b.files(map[string]string{"README.md": "unrelated"})
	expect("an unrelated commit", first)
	b.files(map[string]string{"shop/sluice.yaml": application("shop", ", state: present") + "# a comment\n"})
	expect("another text with the same meaning", first)

	changed := b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")})
	b.files(map[string]string{"README.md": "unrelated again"})
	b.became(expect("a changed file below an unrelated commit", changed), policies.Failed)

	t.Run("Retry", func(t *testing.T) {
		retry := b.files(map[string]string{"shop/releases/staging.yaml": "retry: 1\n"})
		b.became(expect("another number tries a failed release again", retry), policies.Failed)
		b.files(map[string]string{"shop/releases/staging.yaml": "retry: 1 # the same\n"})
		expect("the same number is nothing new", retry)
	})
	t.Run("Lesson26_ARevertOfARevertIsNew", func(t *testing.T) {
		b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "1")})
		back := b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")}) // never seen in between
		p := expect("content that went away and came back", back)
		if state := p.target.held.saved.State; !state.Release.Same(p.Wanted.Release) || state.Release.Trigger == back {
			t.Error("it is the same release by a new trigger, or nothing lifts its failure")
		}
		b.became(p, policies.Failed)
	})
	t.Run("Lesson26_AMergeIsWhatItsFirstParentHadNot", func(t *testing.T) {
		tip := b.git.Git(t, "shop", "rev-parse", "main")
		b.commit(gittest.Change{Branch: "side", Parent: tip, Files: map[string]string{"shop/deploy/b.yaml": configMap("b", "1")}})
		side := b.git.Git(t, "shop", "rev-parse", "side")
		tree := b.git.Git(t, "shop", "rev-parse", "side^{tree}")
		merge := b.git.Git(t, "shop", "-c", "user.name=t", "-c", "user.email=t@example.com", "commit-tree", tree, "-p", tip, "-p", side, "-m", "merge")
		b.git.Git(t, "shop", "update-ref", "refs/heads/main", merge)
		b.poll()
		b.became(expect("the merge itself", merge), policies.Healthy)
	})
	t.Run("Lesson26_ARewrittenBranch", func(t *testing.T) {
		again := b.commit(gittest.Change{Orphan: true, Files: map[string]string{
			"shop/sluice.yaml": application("shop", ""), "shop/deploy/a.yaml": configMap("a", "2"), "shop/deploy/b.yaml": configMap("b", "1"),
			"shop/releases/staging.yaml": "retry: 1\n",
		}})
		p := expect("the history has nothing older", again)
		if !p.Wanted.Release.Same(p.target.held.saved.State.Release) {
			t.Error("the same content is another release")
		}
	})
}

// TestTriggerIsOlderThanTheWalk: a release that more commits ago was made than are looked at keeps its trigger.
func TestTriggerIsOlderThanTheWalk(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first := b.files(map[string]string{"shop/sluice.yaml": application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")})
	b.became(b.look(shop), policies.Failed)
	stream := ""
	for i := range longestWalk + 50 {
		from := ""
		if i == 0 {
			from = "from " + first + "\n"
		}
		stream += fmt.Sprintf("commit refs/heads/main\ncommitter t <t@example.com> %d +0000\ndata 1\nx\n%sM 644 inline README.md\ndata %d\n%d\n\n",
			1893456000+i, from, len(fmt.Sprint(i)), i)
	}
	b.git.Import(t, "shop", []byte(stream))
	b.poll()
	b.agent.target(shop).walk = walked{} // as after a restart
	if got := b.look(shop).Wanted.Release.Trigger; got != first {
		t.Errorf("the trigger is %.7s, want %.7s: a failed release would be tried again for nothing", got, first)
	}
}

func TestTriggerOfAPin(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first := b.files(map[string]string{"shop/sluice.yaml": application("shop", ", follow: pin"), "shop/deploy/a.yaml": configMap("a", "1")})
	if p := b.look(shop); p.Wanted.Refused.Trigger != first || p.Wanted.Release != (policies.Release{}) {
		t.Errorf("without a pin: %+v", p.Wanted)
	}
	pinned := b.files(map[string]string{"shop/releases/staging.yaml": "revision: " + first + "\n"})
	b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")})
	expect := func(revision, trigger, value string) {
		t.Helper()
		p := b.look(shop)
		if got := p.Wanted.Release; got.Revision != revision || got.Trigger != trigger {
			t.Errorf("got %.7s by %.7s, want %.7s by %.7s (refused: %s)", got.Revision, got.Trigger, revision, trigger, p.Wanted.Refused.Reason)
		} else if got := p.target.objects[0].Object["data"].(map[string]any)["value"]; got != value {
			t.Errorf("the value is %v, want %s", got, value)
		}
		b.became(p, policies.Healthy)
	}
	expect(first, pinned, "1")
	second := b.git.Git(t, "shop", "rev-parse", "main")
	moved := b.files(map[string]string{"shop/releases/staging.yaml": "revision: " + second + "\n"})
	expect(second, moved, "2")

	t.Run("AMovedFolderChangesNoValue", func(t *testing.T) {
		b.commit(gittest.Change{
			Files: map[string]string{
				"store/sluice.yaml": application("shop", ", follow: pin"), "store/deploy/a.yaml": configMap("a", "2"),
				"store/releases/staging.yaml": "revision: " + second + "\n",
			},
			Delete: []string{"shop/sluice.yaml", "shop/deploy/a.yaml", "shop/releases/staging.yaml"},
		})
		expect(second, moved, "2")
	})
	t.Run("Lesson26_ARewrittenBranchAndAPinThatANoteProves", func(t *testing.T) {
		expect(second, moved, "2")
		chain := record.Chain{Application: "shop", Environment: "staging"}
		proof, _, err := b.site.maker.Make(chain, record.Line{Phase: policies.Healthy, Revision: second, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		src := b.agent.catalog.sources[0]
		if _, err := src.git.AppendNotes(t.Context(), record.Ref("staging"), map[string][]string{second: {proof.Text()}}, []string{second}); err != nil {
			t.Fatal(err)
		}
		b.commit(gittest.Change{Orphan: true, Files: map[string]string{
			"store/sluice.yaml": application("shop", ", follow: pin"), "store/releases/staging.yaml": "revision: " + second + "\n"}})
		if p := b.look(shop); p.Wanted.Release.Revision != second {
			t.Errorf("a revision that was proven here is refused: %s", p.Wanted.Refused.Reason)
		}
		forger, err := record.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		b.site.maker.Signer = forger // now the note is somebody else's
		b.agent.target(shop).pin = ancestry{}
		if p := b.look(shop); p.Wanted.Refused.Reason == "" {
			t.Error("a note that does not count proves a revision")
		}
	})
	t.Run("AForeignCommitIsNoPin", func(t *testing.T) {
		foreign := b.commit(gittest.Change{Branch: "foreign", Orphan: true, Files: map[string]string{"x": "y"}})
		refused := b.files(map[string]string{"store/releases/staging.yaml": "revision: " + foreign + "\n"})
		if p := b.look(shop); p.Wanted.Refused.Trigger != refused || p.Wanted.Release != (policies.Release{}) {
			t.Errorf("got %+v", p.Wanted)
		}
	})
}

// TestRefusalsAreToldOnce: commits that change nothing of what is wrong are not blamed for it.
func TestRefusalsAreToldOnce(t *testing.T) {
	cases := map[string]struct {
		reason string
		bad    map[string]string
	}{
		"Lesson02_AManifestThatDoesNotParse": {"the render fails", map[string]string{"shop/deploy/a.yaml": "a: [\n"}},
		"Lesson02_AnEmptyRender":             {"nothing is left", map[string]string{"shop/sluice.yaml": emptied}},
		"ADeniedKind":                        {"the guard refuses", map[string]string{"shop/deploy/p.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"}},
		"Lesson48_ATypoInTheBlock":           {"the rules are faulty", map[string]string{"shop/sluice.yaml": application("shop", ", folow: tip")}},
		"Lesson48_NoYAMLAtAll":               {"the file says nothing of anybody", map[string]string{"shop/sluice.yaml": "environments: [\n"}},
		"ATypoInTheReleaseFile":              {"its words are faulty", map[string]string{"shop/releases/staging.yaml": "pause: true\n"}},
		"Lesson32_AnotherNamespace":          {"agent.yaml does not give it", map[string]string{"shop/sluice.yaml": payments}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.files(map[string]string{"shop/sluice.yaml": application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")})
			b.became(b.look(shop), policies.Healthy)
			desired := len(b.agent.target(shop).desired)
			if desired != 1 {
				t.Fatalf("%d objects are wanted", desired)
			}
			bad := b.files(tc.bad)
			p := b.look(shop)
			refused := p.Wanted.Refused
			if refused.Revision != bad || refused.Trigger != bad || refused.Reason == "" || p.Wanted.Release != (policies.Release{}) {
				t.Fatalf("%s: got %+v, want a refusal of %.7s", tc.reason, p.Wanted, bad)
			}
			if stale := p.target.stale(); len(stale) > 0 {
				t.Errorf("%s: %d objects would be pruned", tc.reason, len(stale))
			}
			b.became(p, "")
			b.files(map[string]string{"README.md": "unrelated"})
			if b.awake(shop) {
				t.Errorf("%s: an unrelated commit wakes it", tc.reason)
			}
			if again := b.look(shop).Wanted.Refused; again != refused {
				t.Errorf("%s: an unrelated commit is blamed: %+v", tc.reason, again)
			}
			b.agent.forget(shop, p.target.held.saved)
			if again := b.look(shop).Wanted.Refused; again != refused {
				t.Errorf("%s: after a restart it is another refusal: %+v", tc.reason, again)
			}
		})
	}
}

const (
	emptied  = "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n- {name: staging, namespace: bed-staging, source: {directory: {path: nothing}}}\n"
	payments = "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n- {name: staging, namespace: payments, source: {directory: {path: deploy}}}\n"
)

// forget makes the agent forget a key but for its saved state, as a restart does.
func (a *Agent) forget(k Key, state Saved) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.targets[k] = &target{key: k, memory: memory{loaded: true, held: held{saved: state}}}
}

package reconciler

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

func TestNewestTag(t *testing.T) {
	snap := &snapshot{refs: map[string]string{
		"refs/tags/v1.2.0": "a", "refs/tags/1.10.0": "b", "refs/tags/v1.9.9": "c", "refs/tags/v2.0.0": "d", "refs/tags/v2.1.0-rc.1": "e",
		"refs/tags/shop/v1.11.0": "f", "refs/tags/web/v1.99.0": "g", "refs/tags/nightly": "h", "refs/heads/v1.98.0": "i",
		"refs/tags/release/shop/v1.97.0": "j",
	}}
	cases := map[string]struct{ reason, application, allowed, want, err string }{
		"Highest":      {"numbers, not text: 10 is more than 9", "other", ">=1.2.0 <2", "b", ""},
		"WithThePath":  {"a tag of this application counts too", "shop", ">=1.2.0 <2", "f", ""},
		"NotAnothers":  {"a tag of another application does not", "web", ">=1.2.0 <1.99", "b", ""},
		"PreRelease":   {"only where the range names one", "other", ">=2", "d", ""},
		"PreReleaseOK": {"it does here", "other", ">=2.1.0-0", "e", ""},
		"NoneInRange":  {"the error names the range", "other", ">=3", "", ">=3"},
		"NoRange":      {"validated before, and an error all the same", "other", "newest", "", "newest"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := snap.newestTag(tc.allowed, tc.application)
			if got != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: got %q, %v, want %q, %s", tc.reason, got, err, tc.want, tc.err)
			}
		})
	}
}

func TestFollowOtherRefs(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.files(map[string]string{"shop/sluice.yaml": application("shop", ", follow: {branch: next}"), "shop/deploy/a.yaml": configMap("a", "1")})
	if p := b.look(shop); !strings.Contains(p.Wanted.Refused.Reason, `"next"`) {
		t.Errorf("a branch that is not there: %+v", p.Wanted)
	}
	next := b.commit(gittest.Change{Branch: "next", Parent: b.git.Git(t, "shop", "rev-parse", "main"),
		Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "2")}})
	if !b.awake(shop) {
		t.Error("a new branch wakes nobody")
	}
	p := b.look(shop)
	if got := p.Wanted.Release; got.Revision != next || got.Trigger != next {
		t.Errorf("got %+v, want %.7s", p.Wanted, next)
	}
	b.became(p, policies.Healthy)
	b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "3")})
	if b.awake(shop) {
		t.Error("a commit on the polled branch wakes what follows another")
	}
	retry := b.files(map[string]string{"shop/releases/staging.yaml": "retry: 1\n"})
	if !b.awake(shop) {
		t.Fatal("the release file is the polled branch's, whatever is followed")
	}
	if got := b.look(shop).Wanted.Release; got.Revision != next || got.Trigger != retry {
		t.Errorf("got %+v, want %.7s by %.7s", got, next, retry)
	}
	b.files(map[string]string{"shop/sluice.yaml": application("shop", ", follow: {tag: '>=1'}")})
	if p := b.look(shop); p.Wanted.Refused.Reason == "" {
		t.Errorf("without a tag: %+v", p.Wanted)
	}
	b.git.Git(t, "shop", "tag", "shop/v1.0.0", next)
	b.poll()
	if !b.awake(shop) {
		t.Error("a new tag wakes nobody")
	}
	if got := b.look(shop).Wanted.Release.Revision; got != next {
		t.Errorf("got %.7s, want the tag's %.7s", got, next)
	}
}

func TestCatalogKnowsEarlierNames(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	named := func(dir, name, was string) {
		b.files(map[string]string{dir + "/sluice.yaml": "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: " + name + "}\n" + was +
			"environments:\n- {name: staging, was: [test], namespace: bed-staging, source: {directory: {path: deploy}}}\n"})
	}
	store := Key{"store", "staging"}
	named("store", "store", "was: [shop]\n")
	want := []Key{{"store", "test"}, {"shop", "staging"}, {"shop", "test"}}
	if diff := cmp.Diff(want, b.agent.catalog.former(store)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if heir, ok := b.agent.catalog.heir(shop); !ok || heir != store {
		t.Errorf("the heir of %s is %s", shop, heir)
	}
	named("new", "shop", "") // another application takes the name
	want = []Key{{"store", "test"}, {"shop", "test"}}
	if diff := cmp.Diff(want[:1], b.agent.catalog.former(store)); diff != "" && cmp.Diff(want, b.agent.catalog.former(store)) != "" {
		t.Errorf("what belongs to the new one would be taken over (-want +got):\n%s", diff)
	}
	if _, ok := b.agent.catalog.heir(shop); ok {
		t.Error("a name that is in use has an heir")
	}
}

// TestClashEnds: who was refused for another's use of the name is woken when the other is gone.
func TestClashEnds(t *testing.T) {
	t.Parallel()
	b := newBed(t, "shop", "copy")
	b.git.Commit(t, "copy", gittest.Change{Files: map[string]string{"README.md": "nothing yet"}})
	b.files(map[string]string{"shop/sluice.yaml": application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")})
	b.became(b.look(shop), policies.Healthy)
	b.git.Commit(t, "copy", gittest.Change{Files: map[string]string{"shop/sluice.yaml": application("shop", ""), "shop/deploy/a.yaml": configMap("a", "2")}})
	b.poll()
	var clash config.Clash
	if _, err := b.agent.catalog.find("shop"); !errors.As(err, &clash) {
		t.Fatalf("two applications of one name: %v", err)
	}
	if p := b.look(shop); p.Allowed != nil || p.Wanted.Refused.Reason == "" {
		t.Errorf("the pass goes on: %+v", p.Wanted)
	}
	for drained := false; !drained; {
		drained = b.agent.queue.Len() == 0
		if !drained {
			key, _ := b.agent.queue.Get()
			b.agent.queue.Done(key)
		}
	}
	b.git.Commit(t, "copy", gittest.Change{Delete: []string{"shop/sluice.yaml"}})
	b.poll()
	if b.agent.queue.Len() != 1 {
		t.Fatal("nobody is woken: the application stays blocked until its own next commit")
	}
	if p := b.look(shop); p.Wanted.Release == (policies.Release{}) {
		t.Errorf("got %+v", p.Wanted)
	}
}

func TestBrokenFileKeepsItsName(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.files(map[string]string{"shop/sluice.yaml": application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1"),
		"web/sluice.yaml": application("web", "")})
	b.files(map[string]string{"shop/sluice.yaml": "no: [\n"})
	if found, err := b.agent.catalog.find("shop"); err != nil || !found.broken {
		t.Errorf("got %+v, %v", found.discovered, err)
	}
	t.Run("ARestartFindsItInTheHistory", func(t *testing.T) {
		src := b.agent.catalog.sources[0]
		snap, err := take(src.git, src.repo, src.git.Local(), nil)
		if err != nil || len(snap.apps) != 2 || snap.apps[0].app.Metadata.Name != "shop" || !snap.apps[0].broken {
			t.Errorf("got %+v, %v", snap, err)
		}
	})
	t.Run("FilesThatAreTheSameAreNotReadAgain", func(t *testing.T) {
		before, _ := b.agent.catalog.find("web")
		b.files(map[string]string{"README.md": "unrelated"})
		if after, _ := b.agent.catalog.find("web"); after.app != before.app {
			t.Error("it was read again")
		}
	})
	t.Run("TheNameIsFreeForAnother", func(t *testing.T) {
		b.files(map[string]string{"moved/sluice.yaml": application("shop", "")})
		if found, err := b.agent.catalog.find("shop"); err != nil || found.dir != "moved" {
			t.Errorf("got %q, %v: what is left of a moved application stands in its way", found.dir, err)
		}
	})
	t.Run("GoneIsNotBroken", func(t *testing.T) {
		b.commit(gittest.Change{Delete: []string{"web/sluice.yaml"}})
		if _, err := b.agent.catalog.find("web"); !errors.Is(err, errGone) {
			t.Errorf("got %v", err)
		}
	})
}

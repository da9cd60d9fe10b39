package reconciler

import (
	"testing"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
)

// TestCommitWakes: a commit is a key's business where anything changed that its last pass depended on, and else not.
func TestCommitWakes(t *testing.T) {
	kustomization := "resources: [../../base, extra.yaml]\n"
	cases := map[string]struct {
		reason string
		change gittest.Change
		want   bool
	}{
		"Unrelated":        {"a file of nobody", gittest.Change{Files: map[string]string{"docs/a.md": "text"}}, false},
		"InItsOwnFolder":   {"a file that no render reads", gittest.Change{Files: map[string]string{"shop/README.md": "text"}}, false},
		"AnotherOne":       {"another application", gittest.Change{Files: map[string]string{"web/sluice.yaml": application("web", "")}}, false},
		"AnotherRelease":   {"another environment's release file", gittest.Change{Files: map[string]string{"shop/releases/production.yaml": "paused: true\n"}}, false},
		"ABaseElsewhere":   {"a base outside of its folder", gittest.Change{Files: map[string]string{"base/a.yaml": configMap("a", "2")}}, true},
		"TheOverlay":       {"its own overlay", gittest.Change{Files: map[string]string{"shop/deploy/extra.yaml": configMap("extra", "2")}}, true},
		"TheRules":         {"sluice.yaml, whatever in it", gittest.Change{Files: map[string]string{"shop/sluice.yaml": overlay + "# text\n"}}, true},
		"TheReleaseFile":   {"the words of people", gittest.Change{Files: map[string]string{"shop/releases/staging.yaml": "paused: true\n"}}, true},
		"AFileComesToBe":   {"the render looked for it in vain", gittest.Change{Files: map[string]string{"base/kustomization.yml": "resources: [a.yaml]\n"}}, true},
		"AFileGoes":        {"the render read it", gittest.Change{Delete: []string{"base/a.yaml"}}, true},
		"ALinkedFile":      {"behind a symbolic link", gittest.Change{Files: map[string]string{"shared/c.yaml": configMap("c", "2")}}, true},
		"TheLink":          {"the link itself", gittest.Change{Links: map[string]string{"base/c.yaml": "../shared/d.yaml"}}, true},
		"MovedAltogether":  {"the folder has another name", gittest.Change{Delete: []string{"shop/sluice.yaml"}, Files: map[string]string{"moved/sluice.yaml": overlay}}, true},
		"TheFileIsALinkTo": {"sluice.yaml as a link with the same content is no change", gittest.Change{Files: map[string]string{"shared/shop.yaml": overlay}, Links: map[string]string{"shop/sluice.yaml": "../shared/shop.yaml"}}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.commit(gittest.Change{
				Files: map[string]string{
					"shop/sluice.yaml": overlay, "shop/deploy/kustomization.yaml": kustomization, "shop/deploy/extra.yaml": configMap("extra", "1"),
					"base/kustomization.yaml": "resources: [a.yaml, c.yaml]\n", "base/a.yaml": configMap("a", "1"),
					"shared/c.yaml": configMap("c", "1"), "shared/d.yaml": configMap("c", "3"),
				},
				Links: map[string]string{"base/c.yaml": "../shared/c.yaml"},
			})
			p := b.look(shop)
			if p.Wanted.Release == (policies.Release{}) || len(p.target.objects) != 3 {
				t.Fatalf("got %+v", p.Wanted)
			}
			if b.awake(shop) {
				t.Fatal("without a commit it would be woken")
			}
			b.commit(tc.change)
			if got := b.awake(shop); got != tc.want {
				t.Errorf("%s: woken is %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

const overlay = "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n" +
	"- {name: staging, namespace: bed-staging, source: {kustomize: {path: deploy}}}\n"

// TestLesson12_CommitsOfOthersDoNotInterrupt: while a pass chooses or renders, only its own folder's commits cancel it; it
// finds out about all others when it knows what it depends on.
func TestLesson12_CommitsOfOthersDoNotInterrupt(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.files(map[string]string{"shop/sluice.yaml": overlay, "shop/deploy/kustomization.yaml": "resources: [../../base]\n",
		"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": configMap("a", "1")})
	target := b.agent.target(shop)
	target.loaded = true
	begin := func() (*Pass, *bool) {
		interrupted := false
		target.begin(func(error) { interrupted = true })
		t.Cleanup(target.end)
		p := &Pass{Key: shop, agent: b.agent, target: target, site: b.site, log: b.agent.log}
		if out := choose(t.Context(), p); out.Verdict != Next {
			t.Fatal(out)
		}
		return p, &interrupted
	}
	p, interrupted := begin()
	b.files(map[string]string{"web/README.md": "unrelated"})
	if *interrupted {
		t.Error("an unrelated commit interrupts a pass that chooses")
	}
	if out := rendered(t.Context(), p); out.Verdict != Next {
		t.Errorf("an unrelated commit ends it: %+v", out)
	}
	p, interrupted = begin()
	b.files(map[string]string{"base/a.yaml": configMap("a", "2")})
	if out := rendered(t.Context(), p); *interrupted || out.Verdict != Superseded {
		t.Errorf("interrupted is %v, and then %+v: a changed base is known after the render", *interrupted, out)
	}
	_, interrupted = begin()
	b.files(map[string]string{"shop/deploy/kustomization.yaml": "resources: [../../base]\nnamePrefix: x-\n"})
	if !*interrupted {
		t.Error("Lesson 9: a newer revision of its own does not interrupt it")
	}
}

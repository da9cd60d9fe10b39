package reconciler

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/gitsource/gittest"
)

// TestReplicas: one process works, and a second one of the name when it has ended.
func TestReplicas(t *testing.T) {
	l := newLand(t)
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")}})
	one := l.start("one")
	l.awaitLine("staging", "shop", first, "Healthy")
	l.rules.DataDir = t.TempDir()
	two := l.start("two")
	l.await("the second waits", func() error {
		if !strings.Contains(two.log.String(), "lease") {
			return fmt.Errorf("it does not say so")
		}
		return nil
	})
	if two.agent.Ready() {
		t.Error("both are at work")
	}
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}
	second := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "2")}})
	line := l.awaitLine("staging", "shop", second, "Healthy")
	if before := l.awaitLine("staging", "shop", first, "Healthy"); line.Seq != before.Seq+1 || line.Key != before.Key {
		t.Errorf("the chain is broken: %s after %s", line.Text(), before.Text())
	}
}

// TestLosses: what may be lost is made again from what is left.
func TestLosses(t *testing.T) {
	cases := map[string]struct {
		reason string
		lose   func(l *land)
	}{
		"TheState": {"labels and notes are enough", func(l *land) {
			if err := l.core.CoreV1().Secrets(l.name).DeleteCollection(l.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: stateKind}); err != nil {
				l.Fatal(err)
			}
		}},
		"TheStateIsSpoilt": {"the same as lost", func(l *land) {
			secret, err := l.core.CoreV1().Secrets(l.name).Get(l.Context(), StateName(shop), metav1.GetOptions{})
			if err == nil {
				secret.Data["state"] = []byte("x")
				_, err = l.core.CoreV1().Secrets(l.name).Update(l.Context(), secret, metav1.UpdateOptions{})
			}
			if err != nil {
				l.Fatal(err)
			}
		}},
		"TheMirror": {"it is only a cache", func(l *land) { l.rules.DataDir = l.TempDir() }},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLand(t)
			first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{
				"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1"), "shop/deploy/b.yaml": configMap("b", "1"),
			}})
			p := l.start("one")
			before := l.awaitLine("staging", "shop", first, "Healthy")
			if err := p.stop(); err != nil {
				t.Fatal(err)
			}
			tc.lose(l)
			second := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "2")}, Delete: []string{"shop/deploy/b.yaml"}})
			l.start("one")
			after := l.awaitLine("staging", "shop", second, "Healthy")
			if after.Seq <= before.Seq || after.Prev == "" {
				t.Errorf("%s: a second chain begins: %s", tc.reason, after.Text())
			}
			l.await("what left Git meanwhile is pruned", func() error {
				_, err := l.core.CoreV1().ConfigMaps(l.name+"-staging").Get(t.Context(), "b", metav1.GetOptions{})
				if err == nil {
					return fmt.Errorf("it is still there")
				}
				return nil
			})
		})
	}
}

// TestLesson48_AFaultAndARestart: the last rules hold, from the history, also for an agent that never saw them.
func TestLesson48_AFaultAndARestart(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(l *land) gittest.Change
		says   string
	}{
		"NoYAML": {"the file says nothing of anybody", func(*land) gittest.Change {
			return gittest.Change{Files: map[string]string{"shop/sluice.yaml": "environments: [\n"}}
		}, "sluice.yaml"},
		"ATypo": {"the block is faulty", func(l *land) gittest.Change {
			return gittest.Change{Files: map[string]string{"shop/sluice.yaml": strings.ReplaceAll(l.application("shop", ""), "{name: staging", "{folow: tip, name: staging")}}
		}, "folow"},
		"TheReleaseFile": {"its words are faulty", func(*land) gittest.Change {
			return gittest.Change{Files: map[string]string{"shop/releases/staging.yaml": "pause: true\n"}}
		}, "pause"},
		"TheEnvironmentIsGone": {"taken out of the file, what runs stays", func(l *land) gittest.Change {
			return gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", "", "production")}}
		}, ""},
		"TheApplicationIsGone": {"the folder is gone, what runs stays", func(*land) gittest.Change {
			return gittest.Change{Delete: []string{"shop/sluice.yaml", "shop/deploy/a.yaml"}}
		}, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			l := newLand(t)
			first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")}})
			p := l.start("one")
			l.awaitLine("staging", "shop", first, "Healthy")
			if err := p.stop(); err != nil {
				t.Fatal(err)
			}
			bad := l.git.Commit(t, "shop", tc.change(l))
			l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"README.md": "unrelated"}})
			l.breakIt("staging", "a")
			l.rules.DataDir = t.TempDir() // nothing is remembered
			l.start("one")
			l.awaitValue("staging", "a", "1")
			if tc.says == "" {
				return
			}
			if line := l.awaitLine("staging", "shop", bad, "Blocked"); !strings.Contains(line.Reason, tc.says) {
				t.Errorf("%s: the line says %q", tc.reason, line.Reason)
			}
		})
	}
}

// TestLesson04_NothingIsLeftOver: what a process that died left behind in the state's namespace goes with the next one.
func TestLesson04_NothingIsLeftOver(t *testing.T) {
	l := newLand(t)
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")}})
	p := l.start("one")
	l.awaitLine("staging", "shop", first, "Healthy")
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	before := l.secrets()
	store := &store{secrets: l.core.CoreV1().Secrets(l.name), namespace: l.name, agent: l.name}
	orphan := store.secret(manifestsName(shop, "deadbeefdeadbeef", 0), "manifests", shop)
	former := Key{"formerly", "staging"}
	state, _ := l.state(shop)
	state.Key = former
	data, err := new(packer).encode(state)
	if err != nil {
		t.Fatal(err)
	}
	left := store.secret(StateName(former), "state", former)
	left.Data = map[string][]byte{"state": data}
	for _, secret := range []*corev1.Secret{orphan, left} {
		if _, err := store.secrets.Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", "was: [formerly]\n")}})
	l.start("one")
	l.await("they go", func() error {
		if now := l.secrets(); !slices.Equal(now, before) {
			return fmt.Errorf("there are %v, before %v", now, before)
		}
		return nil
	})
}

// TestLesson03_ARenamedApplicationIsToldUnderItsNewName: and its earlier name is nobody's any more.
func TestLesson03_ARenamedApplicationIsToldUnderItsNewName(t *testing.T) {
	l := newLand(t)
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")}})
	p := l.start("one")
	l.awaitLine("staging", "shop", first, "Healthy")
	maps := l.core.CoreV1().ConfigMaps(l.name + "-staging")
	before, err := maps.Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("store", "was: [shop]\n")}})
	l.awaitLine("staging", "store", first, "Healthy")
	l.await("the labels are the new name's", func() error {
		live, err := maps.Get(t.Context(), "a", metav1.GetOptions{})
		if err == nil && (live.Labels["sluice.dev/application"] != "store" || live.UID != before.UID) {
			err = fmt.Errorf("UID %s, before %s, labels %v", live.UID, before.UID, live.Labels)
		}
		return err
	})
	l.await("the earlier name is gone", func() error {
		status := p.agent.Status()
		if now := l.secrets(); slices.Contains(now, StateName(shop)) || len(status) != 1 || status[0].Application != "store" {
			return fmt.Errorf("there are %v and %+v", now, status)
		}
		return nil
	})
	l.breakIt("staging", "a")
	l.awaitValue("staging", "a", "1")
	if _, version := l.state(shop); version != "" {
		t.Error("the state of the earlier name came back")
	}
}

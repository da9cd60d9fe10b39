package reconciler

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// TestLesson26_ARepositoryThatMoved: at its new address it is the same repository. Nothing is made anew or told again, and the
// chain of its lines goes on.
func TestLesson26_ARepositoryThatMoved(t *testing.T) {
	for name, renamed := range map[string]bool{"OnlyItsAddress": false, "ItsNameInAgentYAMLToo": true} {
		t.Run(name, func(t *testing.T) {
			l := newLand(t)
			first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")}})
			p := l.start("one")
			before := l.awaitLine("staging", "shop", first, "Healthy")
			live, err := l.core.CoreV1().ConfigMaps(l.name+"-staging").Get(t.Context(), "a", metav1.GetOptions{})
			if err == nil {
				err = p.stop()
			}
			if err == nil {
				err = os.Rename(l.git.Path("shop"), l.git.Path("store"))
			}
			if err != nil {
				t.Fatal(err)
			}
			l.repo = "store"
			l.rules.Repositories[0].URL = l.git.URL("store")
			if renamed {
				l.rules.Repositories[0].Name = "store"
			}
			second := l.git.Commit(t, "store", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "2")}})
			l.start("one")
			after := l.awaitLine("staging", "shop", second, "Healthy")
			if after.Seq != before.Seq+1 || after.Prev == "" {
				t.Errorf("another chain begins: %s after %s", after.Text(), before.Text())
			}
			if lines := l.lines("staging", first); len(lines) != 1 {
				t.Errorf("%d lines on the first commit, want the one that it had", len(lines))
			}
			now, err := l.core.CoreV1().ConfigMaps(l.name+"-staging").Get(t.Context(), "a", metav1.GetOptions{})
			if err != nil || now.UID != live.UID || now.Data["value"] != "2" {
				t.Errorf("it is another object: %v, %v", now, err)
			}
		})
	}
}

// TestLesson26_GarbageCollectionAfterAForcePush: a pin to what was proven here can be read although the branch was rewritten and
// the server has collected what nothing refers to: the notes keep it. So can an agent that never saw it before. What was never
// proven is gone, and the reason says so.
func TestLesson26_GarbageCollectionAfterAForcePush(t *testing.T) {
	for name, proven := range map[string]bool{"Proven": true, "NeverProven": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			revision := b.files(map[string]string{"shop/sluice.yaml": application("shop", ", follow: pin"), "shop/deploy/a.yaml": configMap("a", "1")})
			if proven {
				line, _, err := b.site.maker.Make(record.Chain{Application: "shop", Environment: "staging"},
					record.Line{Phase: policies.Healthy, Revision: revision, At: time.Now()})
				if err != nil {
					t.Fatal(err)
				}
				keep := pushes{b.agent.catalog.sources[0].git, "shop", b.agent.metrics}
				publish(t, keep, line)
			}
			b.git.Commit(t, "shop", gittest.Change{Orphan: true, Files: map[string]string{
				"shop/sluice.yaml": application("shop", ", follow: pin"), "shop/deploy/a.yaml": configMap("a", "2"),
				"shop/releases/staging.yaml": "revision: " + revision + "\n",
			}})
			b.git.Git(t, "shop", "reflog", "expire", "--expire=now", "--all")
			b.git.Git(t, "shop", "gc", "--prune=now", "--quiet")
			fresh, err := New(Config{Agent: rules(t, b.git, "bed", "", "shop"), Identity: "fresh", Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			maker := b.site.maker
			b.agent, b.site = fresh, &site{agent: fresh, ref: config.ClusterRef{}, apply: b.site.apply, maker: maker, shape: b.site.shape}
			b.poll()
			p := b.look(shop)
			switch {
			case proven && p.Wanted.Release.Revision != revision:
				t.Errorf("what was proven is refused: %s", p.Wanted.Refused.Reason)
			case proven && p.target.objects[0].Object["data"].(map[string]any)["value"] != "1":
				t.Errorf("it renders to %v", p.target.objects[0].Object)
			case !proven && (p.Wanted.Release != (policies.Release{}) || p.Wanted.Refused.Reason == ""):
				t.Errorf("what is gone is wanted: %+v", p.Wanted)
			case !proven:
				t.Logf("the reason: %s", p.Wanted.Refused.Reason)
			}
		})
	}
}

// publish has a publisher write a line, as it does.
func publish(t *testing.T, notes record.Notes, line record.Line) {
	t.Helper()
	publisher, done := record.New(record.Config{}), make(chan []string, 1)
	publisher.Add(record.Target{Repository: "shop", Environment: line.Environment, Notes: notes}, []record.Line{line}, func(ids []string) { done <- ids })
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	go func() { publisher.Run(ctx); close(ended) }()
	<-done
	stop()
	<-ended
}

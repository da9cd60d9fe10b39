package reconciler

import (
	"errors"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
)

// serves makes the clusters of the agent look as if it had reached them.
func (b *bed) serves() {
	for _, s := range b.agent.sites {
		s.isReady, s.shape, s.maker = true, b.site.shape, b.site.maker
	}
}

// TestManyPromotionsAskLittle: the applications of a repository share what is read of it, and those that wait for nothing are
// seldom asked about.
func TestManyPromotionsAskLittle(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.serves()
	files := map[string]string{}
	for _, name := range []string{"a", "b", "c", "d"} {
		files[name+"/sluice.yaml"] = strings.Replace(twoStages, "name: shop", "name: "+name, 1)
		files[name+"/deploy/a.yaml"] = configMap("a", "1")
	}
	b.files(files)
	src := b.agent.catalog.sources[0]
	promoter := b.agent.newPromoter(src)
	wait := promoter.round(t.Context())
	var read dto.Metric
	if err := b.agent.metrics.git.WithLabelValues(src.repo.Name, gitNotes, "ok").Write(&read); err != nil {
		t.Fatal(err)
	}
	if n := read.GetCounter().GetValue(); n != 1 || len(promoter.seen) != 4 {
		t.Errorf("the notes were read %v times for %d environments", n, len(promoter.seen))
	}
	if wait < longestWait-time.Second {
		t.Errorf("they are looked at again after %s", wait)
	}
}

// TestRequestToGoBackOutlivesTheProcess: it is withdrawn when it is known that nothing is to be taken back, and not before.
func TestRequestToGoBackOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.serves()
	production := Key{"shop", "production"}
	first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
	second := b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")})
	b.files(map[string]string{"shop/releases/production.yaml": "revision: " + second + "\n"})
	promoter := b.agent.newPromoter(b.agent.catalog.sources[0])
	asked := func(status Status) bool {
		t.Helper()
		b.agent.status.set(production, status)
		promoter.seen = map[Key]sight{} // it is looked at whatever moved
		promoter.round(t.Context())
		return b.git.Git(t, "shop", "for-each-ref", reverts+production.String()) != ""
	}
	failed := Status{Key: production, Phase: policies.RolledBack, Revision: second, Proven: first, Reason: "it failed"}
	if !asked(failed) {
		t.Error("nobody is asked to move the pin back")
	}
	if !asked(Status{}) {
		t.Error("it is withdrawn by a process that has just begun")
	}
	if !asked(Status{Key: production, Verdict: Retry, Reason: "the API server does not answer"}) {
		t.Error("it is withdrawn while nothing is known of the cluster")
	}
	if asked(Status{Key: production, Phase: policies.Healthy, Revision: second}) {
		t.Error("it is asked for although all is well")
	}
}

// TestFiringOutlivesTheProcess: what a schedule's last firing came to is in the saved state, and another process goes on with it.
func TestFiringOutlivesTheProcess(t *testing.T) {
	l := newLand(t)
	pinned := ", follow: pin, promotion: {from: staging, when: {schedule: '0 3 1 1 *'}}}\n"
	text := strings.TrimSuffix(l.application("shop", "", "staging", "production"), "}\n") + pinned
	l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": text, "shop/deploy/a.yaml": configMap("a", "1")}})
	production := Key{"shop", "production"}
	p := l.start("one")
	var before policies.Firing
	l.await("it is saved", func() error {
		saved, _ := l.state(production)
		if before = saved.Fired; before.At.IsZero() {
			return errors.New("it is not")
		}
		return nil
	})
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	q := l.start("one")
	l.await("the promotion is looked at", func() error {
		if !strings.Contains(q.log.String(), "Promotion was looked at") {
			return errors.New("it is not")
		}
		return nil
	})
	q.again(production)
	if saved, _ := l.state(production); !saved.Fired.Same(before) {
		t.Errorf("it is %v, was %v", saved.Fired, before)
	}
	if now := q.agent.status.get(production).fired; !now.Same(before) {
		t.Errorf("the process goes on with %v, want %v", now, before)
	}
}

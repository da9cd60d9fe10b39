package reconciler

import (
	"errors"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// serves makes the clusters of the agent look as if it had reached them.
func (b *bed) serves() {
	for _, s := range b.agent.sites {
		s.isReady, s.apply, s.shape, s.maker = true, b.site.apply, b.site.shape, b.site.maker
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
	failed := Status{Key: production, Phase: policies.RolledBack, Revision: second, Proven: first, Failure: "it failed"}
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

// TestWayBackOfTheTip: what follows the tip is asked about where a release failed, or a process before this one asked for
// something, and nobody is asked anything else.
func TestWayBackOfTheTip(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.serves()
	staging := Key{"shop", "staging"}
	file := strings.Replace(twoStages, "{path: deploy}}}", "{path: deploy}}, rollout: {canary: {}}}", 1)
	first := b.files(map[string]string{"shop/sluice.yaml": file, "shop/deploy/a.yaml": configMap("a", "1")})
	second := b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")})
	promoter := b.agent.newPromoter(b.agent.catalog.sources[0])
	looks := func(status Status) (asked, branch bool) {
		t.Helper()
		b.agent.status.set(staging, status)
		_, asked = promoter.subjects()[staging]
		promoter.round(t.Context())
		return asked, b.git.Git(t, "shop", "for-each-ref", reverts+staging.String()) != ""
	}
	failed := Status{Key: staging, Phase: policies.RolledBack, Revision: second, Trigger: second, Proven: first, Failure: "it failed"}
	well := Status{Key: staging, Phase: policies.Healthy, Revision: second}
	for _, step := range []struct {
		name          string
		status        Status
		asked, branch bool
	}{
		{"nothing is known", Status{}, false, false},
		{"well, and an earlier process may have asked", well, true, false},
		{"well still", well, false, false},
		{"it failed", failed, true, true},
		{"it is withdrawn", well, true, false},
		{"it is seen that it is", well, true, false},
		{"nothing is left to look after", well, false, false},
	} {
		if asked, branch := looks(step.status); asked != step.asked || branch != step.branch {
			t.Errorf("%s: it is looked at %v, and a branch is there: %v", step.name, asked, branch)
		}
	}
	no := false
	promoter.source.repo.WriteBack.Promote = &no
	if _, branch := looks(failed); branch {
		t.Error("agent.yaml lets nothing be proposed, and it is")
	}
}

// TestPinsOfARoundAreOneCommit: what nobody is asked about goes to the branch together, by the next round not once more.
func TestPinsOfARoundAreOneCommit(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.serves()
	src := b.agent.catalog.sources[0]
	git, err := gitsource.Open(gitsource.Config{
		URL: src.repo.URL, Dir: t.TempDir(), Credentials: src.credentials.get, Writes: []string{gitsource.BranchPrefix + "*", "refs/heads/main"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { git.Close() })
	src.git, src.repo.WriteBack.Commit = git, true
	files, pins := map[string]string{}, map[string]string{}
	for _, name := range []string{"a", "b", "c"} {
		files[name+"/sluice.yaml"] = strings.NewReplacer("name: shop", "name: "+name, "from: staging", "from: staging, by: commit").Replace(twoStages)
		files[name+"/deploy/a.yaml"] = configMap("a", "1")
	}
	first := b.files(files)
	second := b.files(map[string]string{"a/deploy/a.yaml": configMap("a", "2"), "b/deploy/a.yaml": configMap("a", "2"), "c/deploy/a.yaml": configMap("a", "2")})
	for _, name := range []string{"a", "b", "c"} {
		pins[name+"/releases/production.yaml"] = "revision: " + second + "\n"
		status := Status{Key: Key{name, "production"}, Phase: policies.RolledBack, Revision: second, Proven: first, Failure: "it failed"}
		b.agent.status.set(status.Key, status)
	}
	pinned := b.files(pins)
	promoter := b.agent.newPromoter(src)
	for range 2 {
		promoter.round(t.Context())
		b.poll()
	}
	if n := b.git.Git(t, "shop", "rev-list", "--count", pinned+"..main"); n != "1" {
		t.Errorf("there are %s commits", n)
	}
	for name := range pins {
		if pin := b.git.Git(t, "shop", "show", "main:"+name); pin != "revision: "+first {
			t.Errorf("%s is %q, want %s", name, pin, first)
		}
	}
}

// TestRequestThatNobodyWaitsFor: when an environment is promoted to no more its request goes, and what may be another agent's stays.
func TestRequestThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	without := strings.Replace(twoStages, ", promotion: {from: staging}", "", 1)
	if without == twoStages {
		t.Fatal("there was no promotion")
	}
	for name, tc := range map[string]struct {
		reason string
		file   string // shop/sluice.yaml that comes
		gone   bool
	}{
		"TakenOut":  {"nothing says that anything comes from staging", without, true},
		"ByHand":    {"a person moves the pin now", strings.Replace(twoStages, "from: staging", "from: staging, by: manual", 1), true},
		"Absent":    {"it is removed", strings.Replace(twoStages, "- {name: production,", "- {name: production, state: absent,", 1), true},
		"Renamed":   {"its branch has the earlier name", strings.Replace(twoStages, "- {name: production,", "- {name: live, was: [production],", 1), true},
		"OutOfFile": {"nothing looks after it any more", twoStages[:strings.Index(twoStages, "- {name: production,")], true},
		"Paused":    {"it goes on later", strings.Replace(twoStages, "- {name: production,", "- {name: production, state: paused,", 1), false},
		"Faulty":    {"nobody knows what was meant", strings.Replace(twoStages, "from: staging", "form: staging", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.serves()
			if name == "Renamed" {
				b.agent.config.Environments = append(b.agent.config.Environments, config.Served{Name: "live"})
			}
			first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
			promoter := b.agent.newPromoter(b.agent.catalog.sources[0])
			promoter.round(t.Context())
			branches := func() string { return b.git.Git(t, "shop", "for-each-ref", "--format=%(refname)", "refs/heads/sluice") }
			for _, application := range []string{"shop", "stranger"} {
				b.git.Commit(t, "shop", gittest.Change{
					Parent: first, Branch: "sluice/promote/" + application + "/production", Message: "Promote " + application + " to production: " + first[:7],
					Files: map[string]string{"shop/releases/production.yaml": "revision: " + first + "\n"},
				})
			}
			b.files(map[string]string{"shop/sluice.yaml": tc.file})
			promoter.round(t.Context())
			want := "refs/heads/sluice/promote/stranger/production"
			if !tc.gone {
				want = "refs/heads/sluice/promote/shop/production\n" + want
			}
			if got := branches(); got != want {
				t.Errorf("%s: there are %q, want %q", tc.reason, got, want)
			}
		})
	}
}

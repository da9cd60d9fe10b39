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

const password = "correct-staple"

// TestLoop: from a commit to the cluster and back, rest, drift, and a restart.
func TestLoop(t *testing.T) {
	l := newLand(t)
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{
		"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1"), "shop/deploy/b.yaml": configMap("b", "1"),
		"shop/deploy/s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: " + password + "}\n",
	}})
	p := l.start("one")
	line := l.awaitLine("staging", "shop", first, "Healthy")
	if line.Trigger != first || line.Evidence.Changes.Created != 3 {
		t.Errorf("the line says %s", line.Text())
	}
	t.Run("NothingToDoCostsNothing", func(t *testing.T) {
		l := l.in(t)
		l.await("rest", func() error { return p.rests(shop) })
		_, version := l.state(shop)
		before := p.requests()
		p.again(shop)
		l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"README.md": "unrelated"}})
		polls := p.metric("sluice_git_polls_total", "ok")
		l.await("the commit is seen", func() error {
			if p.metric("sluice_git_polls_total", "ok") < polls+2 {
				return fmt.Errorf("no poll since")
			}
			return nil
		})
		p.again(shop)
		if after := p.requests(); after != before {
			t.Errorf("%v requests for passes with nothing to do", after-before)
		}
		if _, now := l.state(shop); now != version {
			t.Error("the state was written")
		}
		if n := p.metric("sluice_renders_total", "false"); n != 1 {
			t.Errorf("rendered %v times", n)
		}
	})
	t.Run("DriftIsRepairedAndTold", func(t *testing.T) {
		l := l.in(t)
		l.breakIt("staging", "a")
		l.awaitValue("staging", "a", "1")
		l.await("it is told", func() error {
			switch {
			case p.metric("sluice_drift_total", "shop", "repaired") == 0 || p.metric("sluice_drift_repair_seconds") == 0:
				return fmt.Errorf("no metric")
			case !strings.Contains(p.log.String(), "Drift was repaired") || !strings.Contains(p.log.String(), "ConfigMap/"+l.name+"-staging/a"):
				return fmt.Errorf("no log line")
			case !slices.ContainsFunc(l.events(), func(e corev1.Event) bool { return e.Reason == "Repaired" && strings.Contains(e.Message, "staging/a") }):
				return fmt.Errorf("no Event")
			}
			return nil
		})
	})
	t.Run("Lesson27_WithoutGitDriftIsRepairedAfterARestartToo", func(t *testing.T) {
		l := l.in(t)
		if err := p.stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
		if err := l.git.Order(gittest.Fault{Kind: gittest.Down}); err != nil {
			t.Fatal(err)
		}
		defer l.git.Lift()
		l.breakIt("staging", "b")
		q := l.start("one")
		l.awaitValue("staging", "b", "1")
		l.await("it is said", func() error {
			if !strings.Contains(q.log.String(), "Repository was not polled") {
				return fmt.Errorf("nothing is said of Git")
			}
			return nil
		})
		if err := q.stop(); err != nil {
			t.Error(err)
		}
	})
	t.Run("NothingIsToldTwice", func(t *testing.T) {
		if n := len(l.lines("staging", first)); n != 1 {
			t.Errorf("%d lines on the first commit", n)
		}
	})
	t.Run("Lesson36_NoSecretIsShown", func(t *testing.T) {
		shown := p.log.String() + fmt.Sprint(p.agent.Status()) + fmt.Sprint(l.lines("staging", first))
		for _, e := range l.events() {
			shown += e.Message
		}
		for _, secret := range []string{password, gittest.Password} {
			if strings.Contains(shown, secret) {
				t.Errorf("%q is shown", secret)
			}
		}
	})
}

// TestLesson42_DeletedNotesAreWrittenAgain: whoever may push may delete them.
func TestLesson42_DeletedNotesAreWrittenAgain(t *testing.T) {
	l := newLand(t)
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1")}})
	p := l.start("one")
	before := l.awaitLine("staging", "shop", first, "Healthy")
	second := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "2")}})
	l.awaitLine("staging", "shop", second, "Healthy")
	l.await("they are confirmed", func() error {
		target := p.agent.target(shop)
		target.mu.Lock()
		defer target.mu.Unlock()
		if len(target.confirmed) == 0 {
			return fmt.Errorf("no")
		}
		return nil
	})
	l.breakIt("staging", "a") // what is saved for another reason takes the confirmed lines along
	l.await("the outbox is empty", func() error {
		if s, _ := l.state(shop); len(s.Outbox.Waiting) > 0 {
			return fmt.Errorf("%d lines wait", len(s.Outbox.Waiting))
		}
		return nil
	})
	l.git.Git(t, "shop", "update-ref", "-d", "refs/notes/sluice/staging")
	p.agent.ask(shop, true)
	after := l.awaitLine("staging", "shop", first, "Healthy")
	if after.Seq <= before.Seq || !after.At.Equal(before.At) {
		t.Errorf("it is %s, was %s", after.Text(), before.Text())
	}
	l.awaitLine("staging", "shop", second, "Healthy")
}

// rests is an error while the last pass of a key left something to do.
func (p *process) rests(k Key) error {
	for _, s := range p.agent.Status() {
		if s.Key == k && s.Verdict == Ready {
			return nil
		}
	}
	return fmt.Errorf("it is %+v", p.agent.Status())
}

// requests is how much the agent asked of the API server, but for its lease and watches.
func (p *process) requests() float64 {
	n := 0.0
	for _, verb := range []string{"get", "create", "patch", "delete", "dry-run"} {
		n += p.metric("sluice_api_requests_total", verb)
	}
	return n
}

func (l *land) events() []corev1.Event {
	l.Helper()
	list, err := l.core.CoreV1().Events(l.name).List(l.Context(), metav1.ListOptions{})
	if err != nil {
		l.Fatal(err)
	}
	return list.Items
}

// TestReportedDrift: it is told with its fields, once, and left alone; a look at everything finds no more to do.
func TestReportedDrift(t *testing.T) {
	l := newLand(t)
	text := strings.ReplaceAll(l.application("shop", ""), "path: deploy}}", "path: deploy}}, drift: {mode: report}")
	revision := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": text, "shop/deploy/a.yaml": configMap("a", "1")}})
	p := l.start("one")
	l.awaitLine("staging", "shop", revision, "Healthy")
	maps := l.core.CoreV1().ConfigMaps(l.name + "-staging")
	edit := func(value string) {
		live, err := maps.Get(t.Context(), "a", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		live.Data["value"] = value
		if _, err := maps.Update(t.Context(), live, metav1.UpdateOptions{FieldManager: "kubectl-edit"}); err != nil {
			t.Fatal(err)
		}
	}
	told := func() error {
		s := p.agent.Status()
		if len(s) != 1 || len(s[0].Drifted) != 1 || !strings.Contains(s[0].Drifted[0], "data.value") || !strings.Contains(p.log.String(), "Drift was reported") {
			return fmt.Errorf("the status is %+v", s)
		}
		if !slices.ContainsFunc(l.events(), func(e corev1.Event) bool { return e.Reason == "Drifted" && strings.Contains(e.Message, "data.value") }) {
			return fmt.Errorf("there is no Event")
		}
		return nil
	}
	edit("2")
	l.await("the field is named", told)
	p.again(shop) // the pass that told it has ended, and its requests are counted
	before := p.requests()
	p.again(shop)
	if after := p.requests(); after != before {
		t.Errorf("%v requests for drift that was told", after-before)
	}
	p.agent.ask(shop, true)
	l.await("a person's question is answered", func() error {
		target := p.agent.target(shop)
		target.mu.Lock()
		defer target.mu.Unlock()
		if target.verify {
			return fmt.Errorf("it is still open")
		}
		return nil
	})
	l.awaitValue("staging", "a", "2")
	if n := p.metric("sluice_drift_total", "reported"); n != 1 {
		t.Errorf("told %v times", n)
	}
	edit("1") // the value is Git's again and the field somebody else's: only a comparison tells
	p.agent.ask(shop, true)
	l.await("it is over", func() error {
		if s := p.agent.Status(); len(s[0].Drifted) != 0 {
			return fmt.Errorf("still %v", s[0].Drifted)
		}
		return nil
	})
}

// TestLesson12_OneBadApplicationStopsNobody: each has its own key, its own errors.
func TestLesson12_OneBadApplicationStopsNobody(t *testing.T) {
	l := newLand(t)
	files := map[string]string{
		"shop/sluice.yaml": l.application("shop", ""), "shop/deploy/a.yaml": configMap("a", "1"),
		"noyaml/sluice.yaml": "environments: [\n",
		"typo/sluice.yaml":   l.application("typo", "") + "enviroments: []\n",
		"bomb/sluice.yaml":   l.application("bomb", ""), "bomb/deploy/a.yaml": bomb(),
		"empty/sluice.yaml":  l.application("empty", ""),
		"denied/sluice.yaml": l.application("denied", ""), "denied/deploy/a.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n",
		"refused/sluice.yaml": l.application("refused", ""), "refused/deploy/a.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 99999}]}\n",
	}
	l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"README.md": "nothing yet"}})
	p := l.start("one")
	revision := l.git.Commit(t, "shop", gittest.Change{Files: files})
	l.awaitLine("staging", "shop", revision, "Healthy")
	for _, name := range []string{"typo", "bomb", "empty", "denied"} {
		l.awaitLine("staging", name, revision, "Blocked")
	}
	l.awaitLine("staging", "refused", revision, "Failed")
	if !strings.Contains(p.log.String(), "Application was not read") || !strings.Contains(p.log.String(), "noyaml") {
		t.Error("nobody is told of the file that is no YAML")
	}
	second := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "2")}})
	l.awaitLine("staging", "shop", second, "Healthy")
	if lines := l.lines("staging", second); len(lines) != 1 {
		t.Errorf("a commit is blamed for what others did: %v", lines)
	}
}

// bomb is YAML that grows a billionfold.
func bomb() string {
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 10; i++ {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	return text
}

// TestLesson24_ManyReportAtOnceAndPushesAreFew: nothing is lost.
func TestLesson24_ManyReportAtOnceAndPushesAreFew(t *testing.T) {
	const many = 40
	l := newLand(t)
	files := map[string]string{}
	for i := range many {
		name := fmt.Sprintf("app-%d", i)
		files[name+"/sluice.yaml"], files[name+"/deploy/a.yaml"] = l.application(name, ""), configMap(name, "1")
	}
	revision := l.git.Commit(t, "shop", gittest.Change{Files: files})
	p := l.start("one")
	l.await("all lines", func() error {
		if n := len(l.lines("staging", revision)); n != many {
			return fmt.Errorf("%d of %d", n, many)
		}
		return nil
	})
	if n := p.metric("sluice_git_requests_total", "push"); n > 15 {
		t.Errorf("%v pushes for %d lines", n, many)
	}
	if n := p.metric("sluice_git_requests_total", "notes"); n > 2 {
		t.Errorf("the notes of one environment were asked for %v times", n)
	}
}

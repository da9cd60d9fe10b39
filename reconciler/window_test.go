package reconciler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

const closedWindow = `windows: [{deny: "* * * * *", for: 365d}], source`

// windowed is the application with a window in which nothing begins.
func (l *land) windowed() string {
	return strings.Replace(l.application("shop", ""), "source", closedWindow, 1)
}

// TestWindows: what begins waits, what runs is looked after, and Git is told once.
func TestWindows(t *testing.T) {
	l := newLand(t)
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.windowed(), "shop/deploy/a.yaml": configMap("a", "1")}})
	p := l.start("one")
	line := l.awaitLine("staging", "shop", first, "Pending")
	if !strings.Contains(line.Reason, `deny "* * * * *" for 365d, UTC`) {
		t.Errorf("the line does not name the window: %s", line.Reason)
	}
	if _, err := l.core.CoreV1().ConfigMaps(l.name+"-staging").Get(t.Context(), "a", metav1.GetOptions{}); err == nil {
		t.Error("the first release was applied")
	}
	l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.application("shop", "")}})
	l.awaitLine("staging", "shop", first, "Healthy")
	l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.windowed()}})
	second := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "2")}})
	l.awaitLine("staging", "shop", second, "Pending")
	t.Run("APassOverItCostsNothing", func(t *testing.T) {
		l := l.in(t)
		l.await("it waits, and says so", func() error { return p.waitsFor(shop, "no changes begin") })
		_, version := l.state(shop)
		before := p.requests()
		p.again(shop)
		p.again(shop)
		if after := p.requests(); after != before {
			t.Errorf("%v requests for passes over a closed window", after-before)
		}
		if _, now := l.state(shop); now != version {
			t.Error("the state was written")
		}
	})
	t.Run("DriftIsRepaired", func(t *testing.T) {
		l := l.in(t)
		l.breakIt("staging", "a")
		l.awaitValue("staging", "a", "1")
	})
	t.Run("AnInvalidFileLeavesItClosed", func(t *testing.T) {
		l := l.in(t)
		faulty := strings.Replace(l.application("shop", ""), "{name: staging", "{folow: tip, name: staging", 1)
		bad := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": faulty}})
		l.awaitLine("staging", "shop", bad, "Blocked")
		l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": l.windowed()}})
		l.await("it waits again", func() error { return p.waitsFor(shop, "no changes begin") })
		l.awaitValue("staging", "a", "1")
	})
	t.Run("ALostStateGetsBackWhatWasProven", func(t *testing.T) {
		l := l.in(t)
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "1")}})
		err := l.core.CoreV1().Secrets(l.name).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: stateKind})
		if err == nil {
			err = l.core.CoreV1().ConfigMaps(l.name+"-staging").Delete(t.Context(), "a", metav1.DeleteOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
		l.start("one")
		l.awaitValue("staging", "a", "1")
	})
	t.Run("AnOverrideLetsItThrough", func(t *testing.T) {
		l := l.in(t)
		l.start("one")
		third := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/deploy/a.yaml": configMap("a", "3")}})
		l.awaitLine("staging", "shop", third, "Pending")
		l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/releases/staging.yaml": "override: {reason: incident 4711, until: 2999-01-01T00:00:00Z}\n"}})
		if line := l.awaitLine("staging", "shop", third, "Healthy"); !strings.Contains(line.Reason, "incident 4711") {
			t.Errorf("the line does not say why: %s", line.Reason)
		}
		l.awaitValue("staging", "a", "3")
	})
}

// TestWindowsOfEverybody: agent.yaml closes what the application leaves open, where it names it.
func TestWindowsOfEverybody(t *testing.T) {
	l := newLand(t)
	year := config.Duration(365 * 24 * 3600e9)
	l.rules.Windows = []config.BindingWindow{{Applications: []string{"*"}, Environments: []string{"prod*"}, Deny: "* * * * *", For: year, TimeZone: "UTC"}}
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{
		"shop/sluice.yaml": l.application("shop", "", "staging", "production"), "shop/deploy/a.yaml": configMap("a", "1"),
	}})
	l.start("one")
	l.awaitLine("staging", "shop", first, "Healthy")
	if line := l.awaitLine("production", "shop", first, "Pending"); !strings.Contains(line.Reason, "of agent.yaml") {
		t.Errorf("the line does not say whose window it is: %s", line.Reason)
	}
	if _, err := l.core.CoreV1().ConfigMaps(l.name+"-production").Get(t.Context(), "a", metav1.GetOptions{}); err == nil {
		t.Error("the release was applied in production")
	}
}

// waitsFor is nil where a key waits for what its reason says.
func (p *process) waitsFor(k Key, reason string) error {
	for _, s := range p.agent.Status() {
		if s.Key == k && s.Verdict == Wait && strings.Contains(s.Reason, reason) && s.Phase == policies.Healthy {
			return nil
		}
	}
	return fmt.Errorf("it is %+v", p.agent.Status())
}

// TestWindowThatWasNeverValidated: nothing begins by it.
func TestWindowThatWasNeverValidated(t *testing.T) {
	env := config.Environment{Windows: []config.Window{{Allow: "sometimes", For: config.Duration(time.Hour), TimeZone: "UTC"}}}
	if at := policies.OpenAt(WindowsOf(nil, "shop", env), time.Now()); at.Open {
		t.Errorf("it is open: %+v", at)
	}
}

// TestWindowOpensByItself: nothing but the time wakes what waits.
func TestWindowOpensByItself(t *testing.T) {
	l := newLand(t)
	began := time.Now().UTC()
	length := time.Minute
	if began.Second() > 45 { // it must be closed for long enough to be seen
		length = 2 * time.Minute
	}
	opens := began.Truncate(time.Minute).Add(length)
	window := fmt.Sprintf(`windows: [{deny: "%d %d * * *", for: %s}], source`, began.Minute(), began.Hour(), config.Duration(length))
	first := l.git.Commit(t, "shop", gittest.Change{Files: map[string]string{
		"shop/sluice.yaml": strings.Replace(l.application("shop", ""), "source", window, 1), "shop/deploy/a.yaml": configMap("a", "1"),
	}})
	l.start("one")
	if line := l.awaitLine("staging", "shop", first, "Pending"); !strings.Contains(line.Reason, "before "+policies.Clock(opens, time.UTC)) {
		t.Errorf("the line does not say when it opens: %s", line.Reason)
	}
	<-time.After(time.Until(opens)) // windows are as fine as the clock of a cron expression
	if line := l.awaitLine("staging", "shop", first, "Healthy"); line.At.Before(opens) || line.At.Sub(opens) > 10*time.Second {
		t.Errorf("it opened at %s, and the release was Healthy at %s", opens, line.At)
	}
}

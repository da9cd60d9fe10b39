package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

func TestRelative(t *testing.T) {
	for _, tc := range []struct {
		class string
		after time.Duration // of the time that is told
		want  string
	}{
		{"ago", 0, "just now"}, {"ago", 12 * time.Second, "12s ago"}, {"ago", 61 * time.Minute, "1h ago"}, {"ago", 47 * time.Hour, "47h ago"}, {"ago", 72 * time.Hour, "3d ago"},
		{"ago", -90 * time.Second, "in 1m 30s"}, {"age", 90 * time.Second, "1m"}, {"until", -3*time.Hour - 5*time.Minute, "in 3h 05m"}, {"until", time.Second, "now"},
		{"until", -50 * time.Hour, "in 2d 2h"},
	} {
		if got := relative(tc.class, midday().Add(-tc.after), midday()); got != tc.want {
			t.Errorf("%s, %s after it: got %q, want %q", tc.class, tc.after, got, tc.want)
		}
	}
}

// TestTell: each time is filled by itself, and what is around it stays as it is.
func TestTell(t *testing.T) {
	in := "a" + string(when("ago", midday().Add(-time.Minute))) + "b" + string(when("age", midday().Add(-time.Hour))) + `c<time class="now"></time>d`
	got := string(tell([]byte(in), midday(), midday()))
	want := `a<time class="ago" datetime="2026-11-27T11:59:00Z" title="2026-11-27 11:59:00 UTC">1m ago</time>b` +
		`<time class="age" datetime="2026-11-27T11:00:00Z" title="2026-11-27 11:00:00 UTC">1h</time>c` +
		`<time class="now" datetime="2026-11-27T12:00:00Z" title="2026-11-27 12:00:00 UTC">12:00:00 UTC</time>d`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStateOf(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		cell   view.Cell
		want   state
	}{
		"Healthy":          {"nobody has to look", view.Cell{Phase: "Healthy", Health: view.Well}, well},
		"HealthyBySays":    {"notes do not know health", view.Cell{Phase: "Healthy", Standing: "verified"}, well},
		"Degraded":         {"it was proven, and is not well now", view.Cell{Phase: "Healthy", Health: view.Sick}, sick},
		"Failed":           {"", view.Cell{Phase: "Failed"}, sick},
		"Blocked":          {"a person has to mend it", view.Cell{Phase: "Blocked"}, sick},
		"RolledBack":       {"what serves is well", view.Cell{Phase: "RolledBack", Verdict: "stall"}, waiting},
		"RolledBackToSick": {"what serves is not", view.Cell{Phase: "RolledBack", Health: view.Sick}, sick},
		"Paused":           {"", view.Cell{Phase: "Healthy", Paused: true, Verdict: "stall"}, waiting},
		"InAStage":         {"time alone ends it", view.Cell{Phase: "Holding", Canary: &view.Canary{Stage: 1}}, changing},
		"Approval":         {"a person's word", view.Cell{Phase: "Holding", Canary: &view.Canary{Approve: 2}}, waiting},
		"Window":           {"", view.Cell{Phase: "Healthy", Next: &view.Next{}}, waiting},
		"Merge":            {"", view.Cell{Phase: "Healthy", Requests: []view.Request{{Due: true}}}, waiting},
		"RequestNotDue":    {"nobody has to do anything", view.Cell{Phase: "Healthy", Requests: []view.Request{{}}}, well},
		"Drift":            {"", view.Cell{Phase: "Healthy", Health: view.Well, Drifted: []string{"x"}}, waiting},
		"Stale":            {"what was well may not be now", view.Cell{Phase: "Healthy", Health: view.Well, Stale: "away"}, unknown},
		"Forged":           {"a line that does not count decides nothing", view.Cell{Phase: "Healthy", Standing: "unknown key"}, unknown},
		"Nothing":          {"", view.Cell{}, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := stateOf(tc.cell); got != tc.want {
				t.Errorf("got %s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}

// TestWordsAreHonest: only what was looked at just now is called healthy.
func TestWordsAreHonest(t *testing.T) {
	for want, c := range map[string]cell{
		"Healthy":               {Cell: view.Cell{Phase: "Healthy"}},
		"Last reported healthy": {Cell: view.Cell{Phase: "Healthy", Standing: "verified"}, Origin: view.FromNotes},
		"Last seen healthy":     {Cell: view.Cell{Phase: "Healthy", Stale: "away"}},
		"Said to be healthy":    {Cell: view.Cell{Phase: "Healthy", Standing: "unverified"}, Origin: view.FromNotes},
		"Degraded":              {Cell: view.Cell{Phase: "Healthy", Health: view.Sick}},
		"Rolled back":           {Cell: view.Cell{Phase: "RolledBack"}},
		"Not known yet":         {},
	} {
		if got := c.Word(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestQuoted: a name cannot become another command.
func TestQuoted(t *testing.T) {
	if got := quoted("a'; rm -rf $HOME"); got != `'a'\''; rm -rf $HOME'` || quoted("sluice/x") != "sluice/x" || !strings.HasPrefix(quoted(""), "'") {
		t.Errorf("got %s", got)
	}
}

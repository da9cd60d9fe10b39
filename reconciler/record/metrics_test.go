package record

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMeasure(t *testing.T) {
	// Each commit was made 10 minutes before the story, but those of the letter X, which nobody has any more.
	committed := func(revision string) (time.Time, bool) {
		if revision == "pin" {
			return minuteAt(4), true
		}
		return minuteAt(-10), revision != "" && revision[:1] != "X"
	}
	cases := map[string]struct{ reason, lines, want string }{
		"Plain":      {"three releases, 10 to 30 minutes after their commits", "0 Healthy A1, 6 Healthy B1, 20 Healthy C1", "3 deployments, lead 960s of 3, 0/3 failed, restore 0s of 0"},
		"Pinned":     {"the pin came later than the change", "5 Healthy A1 pin", "1 deployments, lead 900s of 1, 0/1 failed, restore 0s of 0"},
		"Even":       {"the mean of the two in the middle", "0 Healthy A1, 6 Healthy B1", "2 deployments, lead 780s of 2, 0/2 failed, restore 0s of 0"},
		"Lost":       {"a commit that is not to be had is not guessed", "0 Healthy A1, 1 Healthy X1", "2 deployments, lead 600s of 1 (1 unknown), 0/2 failed, restore 0s of 0"},
		"Failed":     {"restored when it was taken back", "0 Healthy A1, 5 Failed B1, 7 RolledBack B1", "1 deployments, lead 600s of 1, 1/2 failed, restore 120s of 1"},
		"Fixed":      {"restored by the fix", "0 Failed A1, 9 Healthy B1", "1 deployments, lead 1140s of 1, 1/2 failed, restore 540s of 1"},
		"Open":       {"not restored yet", "0 Healthy A1, 5 Failed B1", "1 deployments, lead 600s of 1, 1/2 failed, restore 0s of 0, 1 open"},
		"Reverted":   {"a way back is no deployment, and says that what it left was a failure", "0 Healthy A1, 5 Healthy B1, 9 Healthy A2", "2 deployments, lead 750s of 2, 1/2 failed, restore 0s of 0 (1 unknown)"},
		"RolledBack": {"the same where the agent says so itself", "0 Healthy A1, 5 Healthy B1, 9 Healthy A2, 9 RolledBack B1", "2 deployments, lead 750s of 2, 1/2 failed, restore 0s of 0 (1 unknown)"},
		"Withdrawn":  {"what failed before is new when it comes back", "0 Healthy A1, 5 Failed B1, 6 RolledBack B1, 9 Healthy B2", "2 deployments, lead 870s of 2, 1/3 failed, restore 60s of 1"},
		"Superseded": {"it neither failed nor was it proven", "0 Progressing A1, 1 Superseded A1, 2 Healthy B1", "1 deployments, lead 720s of 1, 0/1 failed, restore 0s of 0"},
		"Blocked":    {"no release was made of it", "0 Blocked A1", "0 deployments, lead 0s of 0, 0/0 failed, restore 0s of 0"},
		"Outside":    {"before and after the period", "-90 Healthy A1, -80 Failed B1, -70 RolledBack B1, 59 Healthy C1", "0 deployments, lead 0s of 0, 0/0 failed, restore 0s of 0"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			releases, _ := Releases(past(t, tc.lines))
			m := Measure(releases, committed, minuteAt(-60), minuteAt(30))
			unknown := func(n int) string {
				if n == 0 {
					return ""
				}
				return fmt.Sprintf(" (%d unknown)", n)
			}
			got := fmt.Sprintf("%d deployments, lead %gs of %d%s, %d/%d failed, restore %gs of %d%s", m.Deployments, m.LeadTime.Seconds, m.LeadTime.Of,
				unknown(m.LeadTime.Unknown), m.Failures, m.Changes, m.TimeToRestore.Seconds, m.TimeToRestore.Of, unknown(m.TimeToRestore.Unknown))
			if m.Open > 0 {
				got += fmt.Sprintf(", %d open", m.Open)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if (m.FailureRate == nil) != (m.Changes == 0) {
				t.Errorf("of %d changes the rate is %v", m.Changes, m.FailureRate)
			}
		})
	}
}

// TestMeasurePerDay: the period counts, not the days on which something happened.
func TestMeasurePerDay(t *testing.T) {
	releases, _ := Releases(past(t, "0 Healthy A1, 1 Healthy B1, 2 Healthy C1"))
	m := Measure(releases, func(string) (time.Time, bool) { return time.Time{}, false }, minuteAt(3).AddDate(0, 0, -30), minuteAt(3))
	if m.DeploymentsPerDay != 0.1 || m.LeadTime.Unknown != 3 {
		t.Errorf("%g a day, %d unknown", m.DeploymentsPerDay, m.LeadTime.Unknown)
	}
}

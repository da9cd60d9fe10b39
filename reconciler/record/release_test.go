package record

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/policies"
)

// past makes judged lines from a text: minute, phase, revision and optionally trigger, separated by commas. The digest of a
// release is the first letter of its revision, so that A1 and A2 are the same.
func past(t *testing.T, text string) (lines []Judged) {
	t.Helper()
	for i, part := range strings.Split(text, ", ") {
		var minute int
		var phase, revision, trigger string
		if n, _ := fmt.Sscan(part, &minute, &phase, &revision, &trigger); n < 3 {
			t.Fatalf("line %q is none", part)
		}
		lines = append(lines, Judged{ParsedLine: ParsedLine{Line: Line{
			Seq: int64(i + 1), Application: "shop", Environment: "production", Phase: policies.Phase(phase), Revision: revision,
			Trigger: trigger, Digest: revision[:1], At: minuteAt(minute),
		}}, Verdict: Verdict{Standing: Verified}})
	}
	return lines
}

func minuteAt(minute int) time.Time {
	return time.Date(2026, 11, 21, 12, minute, 0, 0, time.UTC)
}

func TestReleases(t *testing.T) {
	cases := map[string]struct{ reason, lines, want string }{
		"One":         {"stages are of one release", "0 Progressing A1, 5 Promoting A1, 9 Healthy A1", "A1 Progressing+5 Promoting+4 Healthy = 9m"},
		"Two":         {"each has its own", "0 Healthy A1, 1 Progressing B1, 2 Failed B1, 3 RolledBack B1", "A1 Healthy = 0m; B1 Progressing+1 Failed+1 RolledBack = 2m"},
		"WellAtLast":  {"it is the same one", "0 Failed A1, 2 Healthy A1", "A1 Failed+2 Healthy = 2m"},
		"Retried":     {"another trigger is another release", "0 Failed A1 x, 2 Healthy A1 y", "A1 Failed = 0m; A1 Healthy = 0m"},
		"SetBack":     {"the branch was: it comes once more", "0 Healthy A1, 1 Healthy B1, 2 Healthy A1", "A1 Healthy = 0m; B1 Healthy = 0m; A1 Healthy = 0m"},
		"MadeAgain":   {"notes were lost: nothing happened anew", "0 Healthy A1, 1 Healthy B1, 0 Healthy A1, 1 Healthy B1", "A1 Healthy = 0m; B1 Healthy = 0m"},
		"LeftLater":   {"a word about one that was closed is its own", "0 Healthy A1, 1 Healthy B1, 2 RolledBack A1", "A1 Healthy+2 RolledBack = 2m; B1 Healthy = 0m"},
		"Interrupted": {"one that was not closed goes on", "0 Progressing A1, 1 Blocked B1, 2 Healthy A1", "A1 Progressing+2 Healthy = 2m; B1 Blocked"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			releases, rest := Releases(past(t, tc.lines))
			var got []string
			for _, r := range releases {
				text := r.Revision
				for _, p := range r.Phases {
					if text += " " + string(p.Phase); p.Seconds > 0 {
						text += fmt.Sprintf("+%g", p.Seconds/60)
					}
				}
				if !r.Ended.IsZero() {
					text += fmt.Sprintf(" = %gm", r.Seconds/60)
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "; ")); diff != "" || len(rest) != 0 {
				t.Errorf("%s (%d left, -want +got):\n%s", tc.reason, len(rest), diff)
			}
		})
	}
}

// TestReleasesBegin: how long a release took is what its closing line says, since its first line may come late.
func TestReleasesBegin(t *testing.T) {
	lines := past(t, "1 Progressing A1, 2 Healthy A1")
	lines[1].Line.Evidence.Seconds = 100
	releases, _ := Releases(lines)
	if got := releases[0]; got.Seconds != 100 || !got.Began.Equal(minuteAt(2).Add(-100*time.Second)) {
		t.Errorf("it began at %s and took %g s", got.Began, got.Seconds)
	}
}

// TestLesson42_AForgedLineIsNoHistory: what does not verify is no part of a release, nor of any figure, and is told apart.
func TestLesson42_AForgedLineIsNoHistory(t *testing.T) {
	signer, thief := newKey(t), newKey(t)
	lines := story(t, signer, "shop", Line{Phase: policies.Progressing, Revision: revA}, Line{Phase: policies.Failed, Revision: revA})
	notes := notesOf(append(lines, story(t, thief, "shop", Line{Phase: policies.Healthy, Revision: revA}, Line{Phase: policies.Healthy, Revision: revB})...)...)
	notes[revC] = []byte("LGTM")
	told := func(environment string, keys Keyring) string {
		releases, rest := Releases(Judge(environment, notes, keys))
		var all []string
		for _, r := range releases {
			all = append(all, fmt.Sprintf("%.1s %s %s", r.Revision, r.Phase, r.Standing))
		}
		for _, j := range rest {
			all = append(all, fmt.Sprintf("not %.1s %s %s", j.Revision, j.Line.Phase, j.Verdict.Standing))
		}
		slices.Sort(all) // of lines that claim the same place, the key's name decides
		return strings.Join(all, ", ")
	}
	for reason, tc := range map[string]struct {
		environment, want string
		keys              Keyring
	}{
		"its own key counts":                   {"production", "4 Failed verified, not 4 Healthy unknown key, not b Healthy unknown key, not c  unreadable", NewKeyring(signer.Public())},
		"without keys nobody knows":            {"production", "4 Failed unverified, b Healthy unverified, not c  unreadable", Keyring{}},
		"copied to the notes of another place": {"staging", "not 4 Failed broken chain, not 4 Healthy unknown key, not 4 Progressing broken chain, not b Healthy unknown key, not c  unreadable", NewKeyring(signer.Public())},
	} {
		if diff := cmp.Diff(tc.want, told(tc.environment, tc.keys)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", reason, diff)
		}
	}
}

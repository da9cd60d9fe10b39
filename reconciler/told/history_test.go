package told

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// noon is a Saturday.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func revision(n int) string { return strings.Repeat(string(rune('a'+n)), 40) }

// notes are lines as two agents would write them: the own one, and a stranger with another key.
type notes struct {
	t      *testing.T
	signer *record.Signer
	chains map[string]record.Chain
	texts  map[string]map[string][]string // by environment and revision
}

func newNotes(t *testing.T) *notes {
	signer, err := record.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return &notes{t, signer, map[string]record.Chain{}, map[string]map[string][]string{}}
}

func (n *notes) write(environment string, rev, minute int, phase policies.Phase, change func(*record.Line)) {
	n.t.Helper()
	chain, ok := n.chains[environment]
	if !ok {
		chain = record.Chain{Application: "shop", Environment: environment}
	}
	line := record.Line{Phase: phase, Revision: revision(rev), Trigger: revision(rev), Agent: "eu-1", At: noon.Add(time.Duration(minute) * time.Minute)}
	if change != nil {
		change(&line)
	}
	made, next, err := record.Maker{Signer: n.signer}.Make(chain, line)
	if err != nil {
		n.t.Fatal(err)
	}
	n.chains[environment] = next
	n.add(environment, rev, made.Text())
}

func (n *notes) add(environment string, rev int, text string) {
	if n.texts[environment] == nil {
		n.texts[environment] = map[string][]string{}
	}
	n.texts[environment][revision(rev)] = append(n.texts[environment][revision(rev)], text)
}

func (n *notes) history(keys record.Keyring, now time.Time) view.History {
	var lines []record.Judged
	for _, environment := range []string{"production", "staging"} {
		raw := map[string][]byte{}
		for rev, texts := range n.texts[environment] {
			raw[rev] = []byte(strings.Join(texts, "\n"))
		}
		lines = append(lines, record.Judge(environment, raw, keys)...)
	}
	commit := func(rev string) (Words, bool) {
		return Words{"Ada", "Commit\x1b[31m " + rev[:1], noon.Add(-time.Hour)}, rev != revision(25)
	}
	return History(From{Application: "shop", Lines: lines, Commit: commit, Now: now})
}

func TestHistory(t *testing.T) {
	n := newNotes(t)
	n.write("staging", 0, 0, policies.Healthy, nil)
	n.write("production", 0, 10, policies.Progressing, func(l *record.Line) {
		l.Evidence = record.Evidence{Stage: record.Stage{Number: 1, Of: 2}, Warnings: []string{"one replica"}}
	})
	n.write("production", 0, 15, policies.Healthy, func(l *record.Line) { l.Evidence.Changes.Configured = 2 })
	n.write("production", 1, 20, policies.Failed, func(l *record.Line) {
		l.Reason = "the image does not exist"
		l.Evidence = record.Evidence{
			Measured: []record.Measured{{Analysis: "errors", Samples: 3, Good: 1, Bad: 2, Last: "0.2 is above 0.1"}},
			Pods:     []record.Pod{{Pod: "shop/web-1", Container: "web", Alike: 2, Reason: "it ended", LastLines: []string{"no\ttabs"}}},
		}
	})
	n.write("production", 1, 21, policies.RolledBack, nil)
	h := n.history(record.NewKeyring(n.signer.Public()), noon.Add(time.Hour))
	type row struct{ Key, Phase, Reason, Subject, Standing, Live string }
	var got []row
	for _, p := range h.Releases {
		live := ""
		if p.Live {
			live = "live"
		}
		got = append(got, row{p.Key.String(), p.Phase, p.Reason, p.Subject, p.Standing, live})
	}
	if diff := cmp.Diff([]row{
		{"shop/production", "RolledBack", "the image does not exist", "Commit [31m b", "verified", ""},
		{"shop/production", "Healthy", "", "Commit [31m a", "verified", "live"},
		{"shop/staging", "Healthy", "", "Commit [31m a", "verified", "live"},
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	failed := h.Releases[0].Phases[0]
	if diff := cmp.Diff([]string{"errors: 1 of 3 samples are good, 2 bad; the last one: 0.2 is above 0.1", "2 pods are as shop/web-1"}, failed.Evidence); diff != "" {
		t.Errorf("evidence (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]view.Words{{Pod: "shop/web-1", Container: "web", Reason: "it ended", Lines: []string{"no tabs"}}}, failed.Pods); diff != "" {
		t.Errorf("last words (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"one replica"}, h.Releases[1].Phases[0].Evidence); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// TestHistoryTellsForgedLines: a stranger's line, a line without a signature, and what is no line are no release; they are told
// as what they are. Without keys nobody knows, and that is said of each release.
func TestHistoryTellsForgedLines(t *testing.T) {
	n := newNotes(t)
	n.write("production", 0, 0, policies.Healthy, nil)
	n.write("production", 2, 30, policies.Failed, nil)
	stranger := newNotes(t)
	stranger.write("production", 1, 10, policies.Healthy, nil)
	n.add("production", 1, stranger.texts["production"][revision(1)][0])
	n.add("production", 2, strings.Replace(n.texts["production"][revision(2)][0], `"Failed"`, `"Healthy"`, 1))
	n.add("production", 0, "LGTM")
	h := n.history(record.NewKeyring(n.signer.Public()), noon.Add(time.Hour))
	if len(h.Releases) != 2 || h.Releases[0].Phase != "Failed" || !h.Releases[1].Live {
		t.Errorf("releases %+v", h.Releases)
	}
	var standings []string
	for _, line := range h.NotCounted {
		standings = append(standings, line.Environment+" "+line.Phase+" "+line.Standing)
		if line.Detail == "" {
			t.Errorf("nothing is said of %+v", line)
		}
	}
	if diff := cmp.Diff([]string{"production Healthy unknown key", "production Healthy bad signature", "production  unreadable"}, standings); diff != "" {
		t.Errorf("not counted (-want +got):\n%s", diff)
	}
	for _, p := range n.history(record.Keyring{}, noon).Releases {
		if p.Standing != "unverified" {
			t.Errorf("without keys a release is %q", p.Standing)
		}
	}
}

// TestHistoryMeasuresWeeks: from Monday to Monday, the last one up to now, and none before the first release.
func TestHistoryMeasuresWeeks(t *testing.T) {
	n := newNotes(t)
	n.write("production", 0, 0, policies.Healthy, nil)
	n.write("production", 1, 3*24*60, policies.Healthy, nil)
	now := noon.Add(4 * 24 * time.Hour)
	h := n.history(record.NewKeyring(n.signer.Public()), now)
	if len(h.Metrics) != 2 {
		t.Fatalf("%d weeks", len(h.Metrics))
	}
	first, second := h.Metrics[0], h.Metrics[1]
	if first.From.Weekday() != time.Monday || !first.To.Equal(second.From) || !second.To.Equal(now) || first.Deployments != 1 || second.Deployments != 1 {
		t.Errorf("weeks %+v and %+v", first, second)
	}
	if first.LeadSeconds != time.Hour.Seconds() {
		t.Errorf("a lead time of %v s", first.LeadSeconds)
	}
	if all := n.history(record.NewKeyring(n.signer.Public()), noon.Add(365*24*time.Hour)).Metrics; len(all) != weeks {
		t.Errorf("a year later there are %d weeks", len(all))
	}
}

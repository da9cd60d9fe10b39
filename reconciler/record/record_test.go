package record

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/policies"
)

const (
	revA = "4f1c0c2e5d5f4c1c9b1f7a5e2f6f0d6a1b2c3d4e"
	revB = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
	revC = "cccccccccccccccccccccccccccccccccccccccc"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.UTC)

func newKey(t testing.TB) *Signer {
	t.Helper()
	signer, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// story makes one line for each "Phase revision" of an application in production.
func story(t testing.TB, signer *Signer, application string, events ...Line) []Line {
	t.Helper()
	chain := Chain{Application: application, Environment: "production"}
	var lines []Line
	for i, event := range events {
		event.At = noon.Add(time.Duration(i) * time.Minute)
		line, next, err := Maker{Signer: signer}.Make(chain, event)
		if err != nil {
			t.Fatal(err)
		}
		lines, chain = append(lines, line), next
	}
	return lines
}

// notesOf puts each line on the revision that it names.
func notesOf(lines ...Line) map[string][]byte {
	notes := map[string][]byte{}
	for _, line := range lines {
		notes[line.Revision] = append(notes[line.Revision], line.Text()+"\n"...)
	}
	return notes
}

func TestSummary(t *testing.T) {
	cases := map[string]struct {
		reason string
		line   Line
		want   string
	}{
		"Healthy": {
			reason: "the counts that are news, and how long it took",
			line: Line{Application: "shop", Environment: "production", Phase: policies.Healthy, Revision: revA,
				Evidence: Evidence{Seconds: 12.04, Changes: Changes{Configured: 2, Deleted: 1, Unchanged: 9}}},
			want: "shop production Healthy 4f1c0c2 after 12s: 2 configured, 1 deleted",
		},
		"Failed": {
			reason: "a reason goes before the objects",
			line: Line{Application: "shop", Environment: "staging", Phase: policies.Failed, Revision: revB, Reason: "not ready in 5m",
				Evidence: Evidence{Seconds: 300, Changes: Changes{Created: 3}, NotWell: []Object{{Object: "Pod a/b"}}}},
			want: "shop staging Failed b0b0b0b after 5m: 3 created; not ready in 5m",
		},
		"Objects": {
			reason: "without a reason the worst object speaks",
			line: Line{Application: "shop", Environment: "staging", Phase: policies.Progressing, Revision: revB,
				Evidence: Evidence{Seconds: 0.25, More: 2, NotWell: []Object{
					{Object: "Deployment shop/web", Health: "InProgress", Reason: "1 of 3 ready"}, {Object: "Pod a/b"}}}},
			want: "shop staging Progressing b0b0b0b after 250ms: Deployment shop/web is InProgress: 1 of 3 ready; 3 more not well",
		},
		"Bare": {
			reason: "nothing to say is nothing said; hours have no zero minutes",
			line:   Line{Application: "shop", Environment: "e", Phase: policies.Superseded, Revision: "ab", Evidence: Evidence{Seconds: 7200}},
			want:   "shop e Superseded ab after 2h",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.line.Summary()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestLineText(t *testing.T) {
	signer := newKey(t)
	line := story(t, signer, "shop", Line{
		Cluster: "c1", Agent: "blue", Phase: policies.Healthy, Revision: revA, Trigger: revB, Inputs: "i", Digest: "d", Reason: "all <well> & good",
		Evidence: Evidence{Changes: Changes{Created: 1}, Seconds: 1.23456},
	})[0]
	want := fmt.Sprintf(`{"v":1,"id":"%s","seq":1,"application":"shop","environment":"production","cluster":"c1","agent":"blue",`+
		`"phase":"Healthy","revision":"%s","trigger":"%s","inputs":"i","digest":"d","reason":"all <well> & good",`+
		`"at":"2026-11-21T12:00:00.123Z","evidence":{"changes":{"created":1},"seconds":1.235},"key":"%s","sig":"%s"}`,
		line.ID, revA, revB, signer.KeyID(), line.Sig)
	if diff := cmp.Diff(want, line.Text()); diff != "" {
		t.Fatalf("the schema is a contract: keys, order and form (-want +got):\n%s", diff)
	}
	parsed, err := ParseLine(line.Text())
	if err != nil {
		t.Fatal(err)
	}
	parsed.text = ""
	if diff := cmp.Diff(want, parsed.Text()); diff != "" {
		t.Errorf("decoded and encoded again (-want +got):\n%s", diff)
	}
}

func TestLesson36_NoSecretAndNoControlCharacterInANote(t *testing.T) {
	const secret = "hunter2-s3cr3t"
	mask := func(s string) string {
		return strings.NewReplacer(secret, "***", "-----KEY\nabc\n-----", "***").Replace(s)
	}
	dirty := "-----KEY\nabc\n-----\x1b[31mred\x07 " + secret + " hunter2\x00-s3cr3t\nhttps://bob:pa@ss@forge.example/x.git ssh://tok@host \u202eevil\u200b \xff " +
		strings.Repeat("é", 3000)
	var objects []Object
	for i := range 200 {
		objects = append(objects, Object{Object: fmt.Sprintf("Pod shop/%d %s", i, secret), Health: "Fai\x00led", Reason: dirty})
	}
	line, chain, err := Maker{Signer: newKey(t), Mask: mask}.Make(Chain{Application: "shop", Environment: "production"}, Line{
		Phase: policies.Failed, Revision: revA, At: noon, Reason: dirty, Message: dirty, Cluster: "c\x1b", Agent: strings.Repeat("a", 400),
		Evidence: Evidence{NotWell: objects, Pods: []Pod{{Pod: "shop/a", Reason: dirty, LastLines: []string{dirty, "ready"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	text := line.Text() + line.Summary()
	for _, bad := range []string{secret, "abc", "bob", "pa@ss", "tok@", "\\u00", "\u202e", "\u200b"} {
		if strings.Contains(text, bad) {
			t.Errorf("the line holds %q: %s", bad, text)
		}
	}
	if i := strings.IndexFunc(text, unicode.IsControl); i >= 0 {
		t.Errorf("control character %q", text[i])
	}
	if !strings.HasPrefix(line.Reason, "***[31mred *** *** https://forge.example/x.git ssh://host evil \uFFFD éé") ||
		!strings.HasSuffix(line.Reason, cutMark) || len(line.Reason) > maxText {
		t.Errorf("reason of %d bytes: %s", len(line.Reason), line.Reason)
	}
	evidence, err := json.Marshal(line.Evidence)
	if err != nil || len(evidence) > maxEvidence {
		t.Errorf("evidence of %d bytes, %v", len(evidence), err)
	}
	if got := len(line.Evidence.NotWell) + line.Evidence.More; got != 200 || line.Evidence.More == 0 {
		t.Errorf("%d objects kept, %d counted, want 200 together", len(line.Evidence.NotWell), line.Evidence.More)
	}
	if pods := line.Evidence.Pods; len(pods) != 1 || len(pods[0].LastLines) != 2 || len(pods[0].LastLines[0]) > maxSaid || pods[0].LastLines[1] != "ready" {
		t.Errorf("pods are %+v", pods)
	}
	again, _ := chain.Next(line)
	line.ID, line.Seq, line.Prev, line.Sig, line.text = again.ID, again.Seq, again.Prev, "", ""
	if diff := cmp.Diff(line.Text(), again.Text()); diff != "" {
		t.Errorf("bounding twice must change nothing (-once +twice):\n%s", diff)
	}
}

func TestMakeRefuses(t *testing.T) {
	shop := Chain{Application: "shop", Environment: "production"}
	good := Line{Phase: policies.Healthy, Revision: revA, At: noon}
	cases := map[string]struct {
		reason string
		chain  Chain
		change func(*Line)
	}{
		"NoRevision":    {"it would lie nowhere", shop, func(l *Line) { l.Revision = "" }},
		"ShortRevision": {"a note lies on a full hash", shop, func(l *Line) { l.Revision = revA[:12] }},
		"UpperRevision": {"one spelling only", shop, func(l *Line) { l.Revision = strings.ToUpper(revA) }},
		"NoPhase":       {"it would say nothing", shop, func(l *Line) { l.Phase = "" }},
		"NoTime":        {"year 1", shop, func(l *Line) { l.At = time.Time{} }},
		"FarTime":       {"JSON ends at 9999", shop, func(l *Line) { l.At = noon.AddDate(9000, 0, 0) }},
		"Environment":   {"it becomes part of a ref", Chain{Application: "shop", Environment: "../../heads/main"}, func(*Line) {}},
		"Application":   {"a DNS label", Chain{Application: "", Environment: "production"}, func(*Line) {}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			line := good
			tc.change(&line)
			if got, chain, err := (Maker{Signer: newKey(t)}).Make(tc.chain, line); err == nil {
				t.Errorf("%s: got %s", tc.reason, got.Text())
			} else if chain != tc.chain {
				t.Errorf("the chain moved without a line: %+v", chain)
			}
		})
	}
	if _, _, err := (Maker{Signer: newKey(t)}).Make(shop, good); err != nil {
		t.Errorf("the line that the cases spoil is good: %v", err)
	}
}

// TestEvidenceOfAnalyses: it is masked and bounded, and a reader that does not know it reads on.
func TestEvidenceOfAnalyses(t *testing.T) {
	var many []Measured
	for i := range 30 {
		many = append(many, Measured{Analysis: fmt.Sprint("errors-", i), Samples: 3, Bad: 2, Last: "hunter2 " + strings.Repeat("x", 1000)})
	}
	var objects []Object
	for range 40 {
		objects = append(objects, Object{Object: "Deployment shop/web", Reason: strings.Repeat("y", 1000)})
	}
	mask := func(s string) string { return strings.ReplaceAll(s, "hunter2", "<secret>") }
	e := boundedEvidence(Evidence{Measured: many, NotWell: objects}, mask)
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Measured) != mostMeasured || len(e.NotWell) == 0 || len(text) > maxEvidence || strings.Contains(string(text), "hunter2") {
		t.Errorf("%d analyses and %d objects are left, %d bytes: %s", len(e.Measured), len(e.NotWell), len(text), text)
	}
	if diff := cmp.Diff(e, boundedEvidence(e, mask)); diff != "" {
		t.Errorf("bounded twice (-once +twice):\n%s", diff)
	}
}

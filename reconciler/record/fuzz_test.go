package record

import (
	"crypto/ed25519"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-cd/sluice/policies"
)

// fixedKey is the same in every run, so that the seeds are.
func fixedKey() *Signer { return &Signer{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))} }

// FuzzParseNotes: no note makes a reader panic, and without the key nobody adds a line that counts.
func FuzzParseNotes(f *testing.F) {
	signer := fixedKey()
	lines := story(f, signer, "shop", Line{Phase: policies.Healthy, Revision: revA}, Line{Phase: policies.RolledBack, Revision: revA})
	honest := map[string]bool{lines[0].Text(): true, lines[1].Text(): true}
	f.Add(lines[0].Text()+"\n"+lines[1].Text(), revA)
	f.Add(lines[1].Text()+"\r\n\r\n"+lines[0].Text()+lines[1].Text(), revA)
	f.Add(strings.Replace(lines[0].Text(), `"seq":1`, `"seq":9007199254740993`, 1), revB)
	f.Add("LGTM\n{\n[]\nnull\n{\"v\":2}\n"+lines[0].Text()[:len(lines[0].Text())-1], revA)
	f.Add(`{"v":1,"V":7,"application":"\u0000","environment":"e","phase":"Healthy","sig":"`+strings.Repeat("A", 88)+`"}`, "")
	f.Add(`,"sig":"`+strings.Repeat("A", 86)+`=="}`, revA)
	f.Fuzz(func(t *testing.T, note, revision string) {
		parsed := ParseNotes(map[string][]byte{revision: []byte(note), revB: []byte(note)})
		for i, verdict := range Verify(parsed, NewKeyring(signer.Public())) {
			if verdict.Decisive() && (!honest[parsed[i].Text] || parsed[i].Revision != revA) {
				t.Errorf("counts on %q: %q", parsed[i].Revision, parsed[i].Text)
			}
			if s := parsed[i].Summary(); !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("summary %q", s)
			}
			if parsed[i].Err == nil {
				again, err := ParseLine(parsed[i].Line.Text())
				if err != nil || again.Text() != parsed[i].Text {
					t.Errorf("read again: %v, %q", err, again.Text())
				}
			}
		}
		chain := Chain{Application: "shop", Environment: "production", Key: signer.KeyID()}.Resume(parsed, NewKeyring(signer.Public()))
		if chain.Seq < 0 || chain.Seq > 2 {
			t.Errorf("the chain was moved to %d", chain.Seq)
		}
	})
}

// FuzzMake: what goes in as text comes out as one bounded line that every reader verifies.
func FuzzMake(f *testing.F) {
	signer := fixedKey()
	f.Add("plain", "Deployment shop/web", 1.5, 3)
	f.Add("\x1b[2J\u2028\n\"}\\ ,\"sig\":\"", "\xff\xfe<>&", -1.0, 400)
	f.Add(strings.Repeat("\\", 4000), strings.Repeat("\"", 600), 1e300, 90)
	f.Fuzz(func(t *testing.T, reason, object string, seconds float64, objects int) {
		event := Line{Phase: policies.Failed, Revision: revA, At: noon, Reason: reason, Message: reason, Health: object, Cluster: object,
			Trigger: reason, Evidence: Evidence{Seconds: seconds}}
		for range min(max(objects, 0), 500) {
			event.Evidence.NotWell = append(event.Evidence.NotWell, Object{object, object, reason})
			event.Evidence.Pods = append(event.Evidence.Pods, Pod{object, object, objects, reason, []string{reason, object}})
			event.Evidence.Warnings = append(event.Evidence.Warnings, reason)
		}
		line, _, err := Maker{Signer: signer}.Make(Chain{Application: "shop", Environment: "production"}, event)
		if err != nil {
			t.Fatal(err)
		}
		if text := line.Text(); len(text) > 24<<10 || strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text) {
			t.Errorf("%d bytes: %q", len(text), text)
		}
		parsed := ParseNotes(notesOf(line))
		if len(parsed) != 1 || Verify(parsed, NewKeyring(signer.Public()))[0].Standing != Verified {
			t.Errorf("it does not verify: %q", line.Text())
		}
		parsed[0].Line.text = ""
		if parsed[0].Line.Text() != line.Text() {
			t.Errorf("encoded again it differs:\n%s\n%s", parsed[0].Line.Text(), line.Text())
		}
	})
}

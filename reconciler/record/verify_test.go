package record

import (
	"crypto/ed25519"
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/policies"
)

// judged maps each line's sequence (0: unreadable) to its verdict; those that share one are sorted and joined.
func judged(lines []ParsedLine, verdicts []Verdict) map[int64]string {
	words := map[int64][]string{}
	for i, line := range lines {
		words[line.Line.Seq] = append(words[line.Line.Seq], verdicts[i].String())
	}
	out := map[int64]string{}
	for seq, of := range words {
		slices.Sort(of)
		out[seq] = strings.Join(of, " | ")
	}
	return out
}

func TestLesson42_WhatDoesNotVerifyDecidesNothing(t *testing.T) {
	signer, thief := newKey(t), newKey(t)
	// A is proven, B fails, C is proven.
	lines := story(t, signer, "shop",
		Line{Phase: policies.Healthy, Revision: revA, Inputs: "a"},
		Line{Phase: policies.Progressing, Revision: revB, Inputs: "b"},
		Line{Phase: policies.Failed, Revision: revB, Inputs: "b"},
		Line{Phase: policies.Healthy, Revision: revC, Inputs: "c"},
	)
	forked := story(t, signer, "shop",
		Line{Phase: policies.Healthy, Revision: revA, Inputs: "a"}, Line{Phase: policies.Progressing, Revision: revB, Inputs: "b"},
		Line{Phase: policies.Healthy, Revision: revB, Inputs: "b"})
	all := map[int64]string{1: "verified", 2: "verified", 3: "verified", 4: "verified"}
	replace := func(notes map[string][]byte, revision, from, to string) {
		text := strings.Replace(string(notes[revision]), from, to, 1)
		if text == string(notes[revision]) {
			t.Fatalf("%q is not in the note", from)
		}
		notes[revision] = []byte(text)
	}
	const edited, followed = "bad signature: it was edited or forged, or never signed", "broken chain: a line between 2 and 4 is missing"
	cases := map[string]struct {
		reason string
		attack func(notes map[string][]byte)
		want   map[int64]string
		proven []string
	}{
		"Untouched": {"all of it counts", func(map[string][]byte) {}, all, []string{revC, revA}},
		"Reordered": {
			"the order in a note is that of a union, it says nothing",
			func(notes map[string][]byte) {
				parts := strings.Split(strings.TrimSpace(string(notes[revB])), "\n")
				slices.Reverse(parts)
				notes[revB] = []byte("\n" + strings.Join(parts, "\r\n\n") + "\r\n" + parts[0])
			}, all, []string{revC, revA},
		},
		"Edited": {
			"failed is made to read healthy; what came before is in doubt too",
			func(notes map[string][]byte) { replace(notes, revB, `"phase":"Failed"`, `"phase":"Healthy"`) },
			map[int64]string{1: followed, 2: followed, 3: edited, 4: "verified"}, []string{revC},
		},
		"KeyAdded": {
			"a second phase in front of the signature",
			func(notes map[string][]byte) { replace(notes, revB, `,"sig":"`, `,"phase":"Healthy","sig":"`) },
			map[int64]string{1: "broken chain: a line between 1 and 3 is missing",
				2: edited, 3: "verified", 4: "verified"}, []string{revC},
		},
		"KeyAddedAfter": {
			"a second phase behind the signature, where a careless reader would not look",
			func(notes map[string][]byte) { replace(notes, revC, `"}`, `","phase":"Healthy"}`) },
			map[int64]string{1: "verified", 2: "verified", 3: "verified", 4: edited}, []string{revA},
		},
		"Forged": {
			"signed with a key that nobody listed",
			func(notes map[string][]byte) {
				forged := story(t, thief, "shop", Line{Phase: policies.Healthy, Revision: revB})[0]
				notes[revB] = append(notes[revB], forged.Text()...)
			},
			map[int64]string{1: `unknown key: key "` + thief.KeyID() + `" does not count for environment "production" | verified`,
				2: "verified", 3: "verified", 4: "verified"}, []string{revC, revA},
		},
		"ForgedUnderOurName": {
			"our key's name does not make it our signature, nor does its ID push the true line out",
			func(notes map[string][]byte) {
				text := lines[3].Text()
				notes[revC] = []byte(text[:len(text)-sigSize] + sigKey + base64.StdEncoding.EncodeToString(make([]byte, 64)) + "\"}\n" + text)
			},
			map[int64]string{1: "verified", 2: "verified", 3: "verified", 4: edited + " | verified"}, []string{revC, revA},
		},
		"Unsigned": {
			"never signed at all",
			func(notes map[string][]byte) {
				notes[revB] = append(notes[revB], `{"v":1,"seq":9,"application":"shop","environment":"production","phase":"Healthy","revision":"`+
					revB+`","key":"`+signer.KeyID()+`"}`...)
			},
			map[int64]string{1: "verified", 2: "verified", 3: "verified", 4: "verified", 9: edited}, []string{revC, revA},
		},
		"Deleted": {
			"a line that withdraws is deleted: nothing before it counts, or it would come back to life",
			func(notes map[string][]byte) { replace(notes, revB, lines[2].Text(), "") },
			map[int64]string{1: followed, 2: followed, 4: "verified"}, []string{revC},
		},
		"NoteDeleted": {
			"a whole note is gone",
			func(notes map[string][]byte) { delete(notes, revB) },
			map[int64]string{1: "broken chain: a line between 1 and 4 is missing", 4: "verified"}, []string{revC},
		},
		"BeginningDeleted": {
			"nothing before can withdraw what came after",
			func(notes map[string][]byte) { delete(notes, revA) },
			map[int64]string{2: "verified", 3: "verified", 4: "verified"}, []string{revC},
		},
		"Replayed": {
			"the true line of A, copied to B, proves nothing about B, and does not spoil A",
			func(notes map[string][]byte) { notes[revB] = append(notes[revB], lines[0].Text()...) },
			map[int64]string{1: "broken chain: it lies on b0b0b0b and names 4f1c0c2 | verified",
				2: "verified", 3: "verified", 4: "verified"}, []string{revC, revA},
		},
		"Moved": {
			"the true line of A lies on B alone",
			func(notes map[string][]byte) { notes[revB] = append(notes[revB], notes[revA]...); delete(notes, revA) },
			map[int64]string{1: "broken chain: it lies on b0b0b0b and names 4f1c0c2", 2: "verified", 3: "verified", 4: "verified"},
			[]string{revC},
		},
		"Forked": {
			"the key was used twice at one place: a stolen key or an old backup; neither line counts",
			func(notes map[string][]byte) { notes[revB] = append(notes[revB], forked[2].Text()...) },
			map[int64]string{1: "broken chain: there are two lines 3", 2: "broken chain: there are two lines 3",
				3: "broken chain: there are two lines 3 | broken chain: there are two lines 3", 4: "verified"},
			[]string{revC},
		},
		"Junk": {
			"what is no line at all",
			func(notes map[string][]byte) { notes[revA] = append([]byte("LGTM!\n{\"v\":1}\n[]\n"), notes[revA]...) },
			map[int64]string{0: `unreadable: parse note line: invalid character 'L' looking for beginning of value | ` +
				`unreadable: parse note line: json: cannot unmarshal array into Go value of type record.Line | ` +
				`unreadable: parse note line: v, application, environment or phase is missing`,
				1: "verified", 2: "verified", 3: "verified", 4: "verified"}, []string{revC, revA},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			notes := maps.Clone(notesOf(lines...))
			tc.attack(notes)
			parsed := ParseNotes(notes)
			verdicts := Verify(parsed, NewKeyring(signer.Public()))
			if diff := cmp.Diff(tc.want, judged(parsed, verdicts)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			var proven []string
			for _, line := range Proven(Counting(parsed, verdicts), Subject{"shop", "production"}) {
				proven = append(proven, line.Revision)
			}
			if diff := cmp.Diff(tc.proven, proven); diff != "" {
				t.Errorf("%s: proven (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestVerifyWithoutKeysShowsAndDecidesNothing(t *testing.T) {
	lines := story(t, newKey(t), "shop", Line{Phase: policies.Healthy, Revision: revA}, Line{Phase: policies.Failed, Revision: revB})
	notes := notesOf(lines...)
	notes[revC] = notes[revA]
	parsed := ParseNotes(notes)
	verdicts := Verify(parsed, Keyring{})
	want := map[int64]string{1: "broken chain: it lies on ccccccc and names 4f1c0c2 | unverified: no keys were given",
		2: "unverified: no keys were given"}
	if diff := cmp.Diff(want, judged(parsed, verdicts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := Counting(parsed, verdicts); got != nil {
		t.Errorf("these count: %v", got)
	}
}

// TestVerifyLaterSchema: a newer agent signs with our rules, knows more keys, and writes version 2.
func TestVerifyLaterSchema(t *testing.T) {
	signer := newKey(t)
	seal := func(payload string) string {
		signature := ed25519.Sign(signer.private, []byte(payload))
		return payload + sigKey + base64.StdEncoding.EncodeToString(signature) + sigEnd
	}
	first := `{"v":1,"seq":1,"stage":{"n":2,"sig":"x"},"application":"shop","environment":"production","phase":"Healthy","revision":"` +
		revA + `","at":"2026-11-21T12:00:00Z","key":"` + signer.KeyID() + `"`
	second := `{"v":2,"seq":2,"application":"shop","environment":"production","phase":"Vetoed","revision":"` +
		revA + `","at":"2026-11-21T12:00:00Z","prev":"` + hash(first) + `","key":"` + signer.KeyID() + `"`
	third := `{"v":1,"seq":3,"application":"shop","environment":"production","phase":"Soaked","revision":"` +
		revA + `","at":"2026-11-21T12:00:00Z","prev":"` + hash(second) + `","key":"` + signer.KeyID() + `","new":[1]`
	parsed := ParseNotes(map[string][]byte{revA: []byte(seal(first) + "\n" + seal(second) + "\n" + seal(third))})
	verdicts := Verify(parsed, NewKeyring(signer.Public()))
	want := map[int64]string{1: "verified", 2: "unknown version: version 2", 3: "verified"}
	if diff := cmp.Diff(want, judged(parsed, verdicts)); diff != "" {
		t.Errorf("unknown keys must not break a signature, nor an unknown version the chain (-want +got):\n%s", diff)
	}
	outbox := Outbox{}.Add(parsed[0].Line)
	if got := outbox.Lines()[0].Text(); got != seal(first) {
		t.Errorf("the outbox of an older agent lost what a newer one wrote: %s", got)
	}
}

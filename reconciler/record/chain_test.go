package record

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/policies"
)

func TestChainResume(t *testing.T) {
	signer, other := newKey(t), newKey(t)
	events := []Line{{Phase: policies.Progressing, Revision: revA}, {Phase: policies.Healthy, Revision: revA}, {Phase: policies.Progressing, Revision: revB}}
	lines := story(t, signer, "shop", events...)
	foreign := story(t, other, "shop", append(events, Line{Phase: policies.Healthy, Revision: revB})...)
	ring, err := NewKeyring(signer.Public()).With(other.Public(), "production")
	if err != nil {
		t.Fatal(err)
	}
	at := func(lines []Line, n int) Chain {
		return Chain{"shop", "production", lines[n].Key, lines[n].Seq, hash(lines[n].payload())}
	}
	fresh := Chain{Application: "shop", Environment: "production", Key: signer.KeyID()}
	cases := map[string]struct {
		reason string
		saved  Chain
		notes  []Line
		ring   Keyring
		want   Chain
	}{
		"NothingAnywhere": {"a first start", fresh, nil, ring, fresh},
		"StateLost":       {"it goes on after the last line in Git", fresh, lines, ring, at(lines, 2)},
		"OldBackup":       {"Git is ahead of the state", at(lines, 0), lines, ring, at(lines, 2)},
		"NoKeyYet":        {"a chain without a key is that of the first one", Chain{Application: "shop", Environment: "production"}, lines, ring, at(lines, 2)},
		"NotPushedYet":    {"the state is ahead of Git", at(lines, 2), lines[:1], ring, at(lines, 2)},
		"OtherAgent": {"a new agent's lines come after those of the one before", fresh, foreign, ring,
			Chain{"shop", "production", signer.KeyID(), 4, ""}},
		"Stranger": {"a line that does not count does not move the sequence", fresh, foreign, NewKeyring(signer.Public()), fresh},
		"OtherSubject": {"another application's lines are not ours", Chain{Application: "cart", Environment: "production", Key: signer.KeyID()},
			lines, ring, Chain{Application: "cart", Environment: "production", Key: signer.KeyID()}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.saved.Resume(ParseNotes(notesOf(tc.notes...)), tc.ring)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestChainAfterRotation: the old key's lines go on counting, and the new key's come after them.
func TestChainAfterRotation(t *testing.T) {
	before, after := newKey(t), newKey(t)
	lines := story(t, before, "shop", Line{Phase: policies.Healthy, Revision: revA, Inputs: "a"}, Line{Phase: policies.Progressing, Revision: revB, Inputs: "b"})
	last := lines[1]
	chain := Chain{"shop", "production", before.KeyID(), last.Seq, hash(last.payload())}
	line, chain, err := Maker{Signer: after}.Make(chain, Line{Phase: policies.Failed, Revision: revB, Inputs: "b", At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if line.Seq != 3 || line.Prev != "" || chain.Key != after.KeyID() {
		t.Errorf("first line of the new key: seq %d, prev %q, chain %+v", line.Seq, line.Prev, chain)
	}
	ring, err := NewKeyring(after.Public()).With(before.Public(), "prod*")
	if err != nil {
		t.Fatal(err)
	}
	parsed := ParseNotes(notesOf(append(lines, line)...))
	counting := Counting(parsed, Verify(parsed, ring))
	if len(counting) != 3 || Latest(counting)[Subject{"shop", "production"}].Phase != policies.Failed {
		t.Errorf("counting: %v", counting)
	}
}

// TestChainBegunWithoutNotes: the state was lost and Git was away, so numbers were used twice. What is made after
// a late Resume counts, and the closing lines come back.
func TestChainBegunWithoutNotes(t *testing.T) {
	signer := newKey(t)
	keys := NewKeyring(signer.Public())
	lines := story(t, signer, "shop", Line{Phase: policies.Progressing, Revision: revA}, Line{Phase: policies.Healthy, Revision: revA},
		Line{Phase: policies.Progressing, Revision: revB})
	again := story(t, signer, "shop", Line{Phase: policies.Healthy, Revision: revC})
	outbox := Outbox{}.Add(again[0]).Confirm([]string{again[0].ID})
	notes := append(lines, again...)
	chain := Chain{"shop", "production", signer.KeyID(), 1, hash(again[0].payload())}.Resume(ParseNotes(notesOf(notes...)), keys)
	parsed := ParseNotes(notesOf(notes...))
	for _, lost := range outbox.Lost(parsed, Verify(parsed, keys)) {
		line, next, err := Maker{Signer: signer}.Make(chain, lost)
		if err != nil {
			t.Fatal(err)
		}
		notes, chain, outbox = append(notes, line), next, outbox.Add(line)
	}
	parsed = ParseNotes(notesOf(notes...))
	const doubled = "broken chain: there are two lines 1"
	want := map[int64]string{1: doubled + " | " + doubled, 2: "verified", 3: "verified", 4: "verified"}
	if diff := cmp.Diff(want, judged(parsed, Verify(parsed, keys))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestChainMayLeaveNumbersOut: two clusters take turns in one environment, so neither has all the numbers.
func TestChainMayLeaveNumbersOut(t *testing.T) {
	signer := newKey(t)
	chain := Chain{Application: "shop", Environment: "production"}
	var lines []Line
	for _, phase := range []policies.Phase{policies.Progressing, policies.Healthy} {
		line, next, err := Maker{Signer: signer}.Make(chain, Line{Phase: phase, Revision: revA, At: noon})
		if err != nil {
			t.Fatal(err)
		}
		next.Seq += 5
		lines, chain = append(lines, line), next
	}
	for i, verdict := range Verify(ParseNotes(notesOf(lines...)), NewKeyring(signer.Public())) {
		if verdict.Standing != Verified {
			t.Errorf("line %d: %s", i, verdict)
		}
	}
}

func TestOutbox(t *testing.T) {
	signer := newKey(t)
	lines := story(t, signer, "shop", Line{Phase: policies.Progressing, Revision: revA}, Line{Phase: policies.Healthy, Revision: revA},
		Line{Phase: policies.RolledBack, Revision: revA}, Line{Phase: policies.Superseded, Revision: revB})
	var outbox Outbox
	for _, line := range append(lines, lines...) {
		outbox = outbox.Add(line)
	}
	data, err := json.Marshal(outbox)
	if err != nil {
		t.Fatal(err)
	}
	outbox = Outbox{}
	if err := json.Unmarshal(data, &outbox); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines, outbox.Lines()); diff != "" {
		t.Errorf("through the saved state, each line once (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(lines[2:], parseAll(outbox.Closed)); diff != "" {
		t.Errorf("the last closing line of each release (-want +got):\n%s", diff)
	}
	rest := outbox.Confirm([]string{lines[0].ID, lines[2].ID, "unknown"})
	if diff := cmp.Diff([]Line{lines[1], lines[3]}, rest.Lines()); diff != "" {
		t.Errorf("confirmed (-want +got):\n%s", diff)
	}
	if len(outbox.Lines()) != 4 || len(rest.Closed) != 2 {
		t.Error("Confirm changed more than what waits")
	}
	for n := range 30 {
		line := Line{Phase: policies.Healthy, Revision: revC, Trigger: string(rune('a' + n)), At: noon}
		made, _, err := Maker{Signer: signer}.Make(Chain{Application: "shop", Environment: "production"}, line)
		if err != nil {
			t.Fatal(err)
		}
		outbox = outbox.Add(made).Confirm([]string{made.ID})
	}
	if len(outbox.Closed) != keptReleases {
		t.Errorf("%d closing lines are kept, want %d", len(outbox.Closed), keptReleases)
	}
}

// TestLesson42_DeletedClosingLinesAreMadeAgain: whoever deletes a note takes a proof away for a while, not for
// good, and the order in which things happened stays.
func TestLesson42_DeletedClosingLinesAreMadeAgain(t *testing.T) {
	signer := newKey(t)
	keys := NewKeyring(signer.Public())
	lines := story(t, signer, "shop", Line{Phase: policies.Healthy, Revision: revA, Inputs: "a"},
		Line{Phase: policies.Progressing, Revision: revB, Inputs: "b"}, Line{Phase: policies.Healthy, Revision: revB, Inputs: "b"},
		Line{Phase: policies.RolledBack, Revision: revB, Inputs: "b"}, Line{Phase: policies.Progressing, Revision: revC, Inputs: "c"})
	last := lines[len(lines)-1]
	chain := Chain{"shop", "production", signer.KeyID(), last.Seq, hash(last.payload())}
	var full Outbox
	for _, line := range lines {
		full = full.Add(line)
	}
	pushed := full
	pushed.Waiting = nil
	cases := map[string]struct {
		reason string
		outbox Outbox
		attack func(map[string][]byte)
		want   []string // phases made again
	}{
		"AllThere":     {"nothing to do", pushed, func(map[string][]byte) {}, nil},
		"StillWaiting": {"not there yet is not lost", full, func(n map[string][]byte) { clear(n) }, nil},
		"AllGone":      {"the ref was deleted", pushed, func(n map[string][]byte) { clear(n) }, []string{"Healthy", "RolledBack"}},
		"TailGone":     {"the line that withdraws was the last", pushed, func(n map[string][]byte) { delete(n, revB); delete(n, revC) }, []string{"Healthy", "RolledBack"}},
		"NoLongerCounts": {"it is there, but a line after it is missing", pushed, func(n map[string][]byte) {
			n[revB] = []byte(lines[2].Text() + "\n" + lines[3].Text())
		}, []string{"Healthy", "RolledBack"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			notes := notesOf(lines...)
			tc.attack(notes)
			parsed := ParseNotes(notes)
			var phases []string
			outbox, chain := tc.outbox, chain
			for _, line := range tc.outbox.Lost(parsed, Verify(parsed, keys)) {
				phases = append(phases, string(line.Phase))
				again, next, err := Maker{Signer: signer}.Make(chain, line)
				if err != nil {
					t.Fatal(err)
				}
				if !again.At.Equal(line.At) || again.ID == line.ID {
					t.Errorf("made again as %s at %s", again.ID, again.At)
				}
				outbox, chain = outbox.Add(again), next
				notes[again.Revision] = append(notes[again.Revision], "\n"+again.Text()...)
			}
			if diff := cmp.Diff(tc.want, phases); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if tc.want == nil {
				return
			}
			parsed = ParseNotes(notes)
			verdicts := Verify(parsed, keys)
			outbox.Waiting = nil
			if lost := outbox.Lost(parsed, verdicts); lost != nil {
				t.Errorf("after it was mended these are lost: %v", lost)
			}
			proven := Proven(Counting(parsed, verdicts), Subject{"shop", "production"})
			if len(proven) != 1 || proven[0].Revision != revA {
				t.Errorf("proven after it was mended: %v, want %s alone", proven, revA)
			}
		})
	}
}

func TestHistoryAndUnclosed(t *testing.T) {
	signer := newKey(t)
	shop := story(t, signer, "shop", Line{Phase: policies.Pending, Revision: revA}, Line{Phase: policies.Progressing, Revision: revA},
		Line{Phase: policies.Progressing, Revision: revB}, Line{Phase: policies.Holding, Revision: revB}, Line{Phase: policies.Superseded, Revision: revA},
		Line{Phase: policies.Blocked, Revision: revC})
	cart := story(t, signer, "cart", Line{Phase: policies.Progressing, Revision: revA}, Line{Phase: policies.Healthy, Revision: revA})
	for i := range cart {
		cart[i].At = cart[i].At.Add(time.Hour)
	}
	lines := append(append([]Line{}, cart...), shop...)
	subject := Subject{"shop", "production"}

	if got := Unclosed(lines, subject); len(got) != 1 || got[0].Phase != policies.Holding {
		t.Errorf("unclosed: %v, want the held B alone", got)
	}
	if got := Unclosed(lines, Subject{"cart", "production"}); got != nil {
		t.Errorf("unclosed of a closed story: %v", got)
	}
	latest := Latest(lines)
	if latest[subject].Phase != policies.Blocked || latest[Subject{"cart", "production"}].Phase != policies.Healthy || len(latest) != 2 {
		t.Errorf("latest: %v", latest)
	}
	if got := History(lines, subject); len(got) != len(shop) || got[0].Phase != policies.Blocked || got[5].Phase != policies.Pending {
		t.Errorf("history, newest first: %v", got)
	}
	if got := History(lines, Subject{Environment: "production"}); len(got) != len(lines) || got[0].Application != "cart" {
		t.Errorf("history of an environment, newest first: %v", got)
	}
}

// TestProven: what is proven now, from the whole story of an environment.
func TestProven(t *testing.T) {
	signer := newKey(t)
	healthy := func(revision, inputs string) Line {
		return Line{Phase: policies.Healthy, Revision: revision, Inputs: inputs}
	}
	cases := map[string]struct {
		reason string
		story  []Line
		want   []string
	}{
		"NewestFirst":  {"as a roll-back looks for them", []Line{healthy(revA, "a"), healthy(revB, "b")}, []string{revB, revA}},
		"SameOnce":     {"an unrelated commit has the same inputs: the newest line names it", []Line{healthy(revA, "a"), healthy(revB, "a")}, []string{revB}},
		"Withdrawn":    {"a roll-back takes the proof of what it leaves", []Line{healthy(revA, "a"), healthy(revB, "b"), {Phase: policies.RolledBack, Revision: revB, Inputs: "b"}}, []string{revA}},
		"ByInputs":     {"the same release under another commit is withdrawn too", []Line{healthy(revA, "a"), {Phase: policies.Failed, Revision: revB, Inputs: "a"}}, nil},
		"ProvenAnew":   {"it took the stages again", []Line{healthy(revA, "a"), {Phase: policies.Failed, Revision: revA, Inputs: "a"}, healthy(revC, "a")}, []string{revC}},
		"OnlyProgress": {"progress is no proof", []Line{{Phase: policies.Progressing, Revision: revA}, {Phase: policies.Superseded, Revision: revA}}, nil},
		"Superseded":   {"what a newer one replaced stays proven", []Line{healthy(revA, "a"), {Phase: policies.Superseded, Revision: revA, Inputs: "a"}}, []string{revA}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, line := range Proven(story(t, signer, "shop", tc.story...), Subject{"shop", "production"}) {
				got = append(got, line.Revision)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

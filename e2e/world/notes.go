package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Note is one line of the notes, as far as stories read it.
type Note struct {
	V           int       `json:"v"`
	ID          string    `json:"id"`
	Seq         int64     `json:"seq"`
	Application string    `json:"application"`
	Environment string    `json:"environment"`
	Agent       string    `json:"agent"`
	Phase       string    `json:"phase"`
	Revision    string    `json:"revision"`
	Trigger     string    `json:"trigger"`
	Inputs      string    `json:"inputs"`
	Digest      string    `json:"digest"`
	Reason      string    `json:"reason"`
	Message     string    `json:"message"`
	At          time.Time `json:"at"`
	Prev        string    `json:"prev"`
	Key         string    `json:"key"`
	Sig         string    `json:"sig"`
	// On is the revision that the line lies on; Text the line itself.
	On   string `json:"-"`
	Text string `json:"-"`
}

// Says reports whether what the line tells people has all of the words.
func (n Note) Says(words ...string) bool {
	for _, word := range words {
		if !strings.Contains(n.Text, word) {
			return false
		}
	}
	return true
}

// Closing reports whether the line ends the story of its release.
func (n Note) Closing() bool {
	return slices.Contains([]string{"Healthy", "Failed", "RolledBack", "Superseded"}, n.Phase)
}

// Notes reads the notes of an environment as they are on the server, in the order of their sequence.
func (r *Repo) Notes(environment string) ([]Note, error) {
	ref := "refs/notes/sluice/" + environment
	tip, err := r.Ref(ref)
	if err != nil || tip == "" {
		return nil, err
	}
	if _, err := r.Try("cat-file", "-e", tip); err != nil {
		if _, err := r.Try("fetch", "-q", r.Local, "+"+ref+":"+ref); err != nil {
			return nil, err
		}
	}
	list, err := r.Try("ls-tree", "-r", tip)
	if err != nil {
		return nil, err
	}
	var out []Note
	for line := range strings.Lines(list) {
		meta, path, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		blob, err := r.Try("cat-file", "blob", strings.Fields(meta)[2])
		if err != nil {
			return nil, err
		}
		notes, err := parseNote(strings.ReplaceAll(path, "/", ""), blob)
		if err != nil {
			return nil, err
		}
		out = append(out, notes...)
	}
	slices.SortStableFunc(out, func(a, b Note) int { return int(a.Seq - b.Seq) })
	return out, nil
}

func parseNote(on, text string) ([]Note, error) {
	var out []Note
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		n := Note{On: on, Text: line}
		if err := json.Unmarshal([]byte(line), &n); err != nil {
			return nil, fmt.Errorf("note on %s: %w: %s", on, err, line)
		}
		out = append(out, n)
	}
	return out, nil
}

// MustNotes is Notes where an error is a failure.
func (r *Repo) MustNotes(t testing.TB, environment string) []Note {
	t.Helper()
	notes, err := r.Notes(environment)
	if err != nil {
		t.Fatal(err)
	}
	return notes
}

// AwaitNote waits for a line that is what match wants, and returns the first such.
func (r *Repo) AwaitNote(t testing.TB, within time.Duration, what, environment string, match func(Note) bool) Note {
	t.Helper()
	var found Note
	Await(t, within, what+" in the notes of "+environment, func() error {
		notes, err := r.Notes(environment)
		if err != nil {
			return err
		}
		for _, n := range notes {
			if match(n) {
				found = n
				return nil
			}
		}
		if len(notes) == 0 {
			return errors.New("there is no note")
		}
		return errors.New("the last line is " + notes[len(notes)-1].Text)
	})
	return found
}

// Patience is how long a story waits for what should take seconds, on a machine that does other things too.
const Patience = 90 * time.Second

// AwaitPhase waits until the notes on a revision have a line with the phase.
func (s *Story) AwaitPhase(t testing.TB, environment, revision, phase string) Note {
	t.Helper()
	return s.Repo.AwaitNote(t, Patience, phase+" on "+revision, environment, func(n Note) bool {
		return n.On == revision && n.Phase == phase
	})
}

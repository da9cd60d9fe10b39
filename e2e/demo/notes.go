package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// note is one line of the notes, as far as the demo reads it.
type note struct {
	ID          string    `json:"id"`
	Seq         int64     `json:"seq"`
	Application string    `json:"application"`
	Environment string    `json:"environment"`
	Phase       string    `json:"phase"`
	Reason      string    `json:"reason"`
	At          time.Time `json:"at"`
	Evidence    struct {
		Seconds float64 `json:"seconds"`
	} `json:"evidence"`
	On string `json:"-"` // the revision that the line lies on
}

// notebook reads the notes of all repositories as the agent's pushes bring them to the server.
type notebook struct {
	dir   string // of the bare repositories
	alive func() error
	tips  map[string]string // of each notes ref, when it was last read
	told  map[string]bool   // lines that were seen, by ID
	lines []note            // all that were seen
}

// follow calls see with each line that was not seen before, until it says that it has seen enough.
func (b *notebook) follow(ctx context.Context, see func(note) (bool, error)) error {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		fresh, err := b.read(ctx)
		if err != nil {
			return err
		}
		for _, n := range fresh {
			if done, err := see(n); done || err != nil {
				return err
			}
		}
		if err := b.alive(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// read returns the lines that are new since the last call, in the order of their times.
func (b *notebook) read(ctx context.Context) ([]note, error) {
	if b.tips == nil {
		b.tips, b.told = map[string]string{}, map[string]bool{}
	}
	refs, err := filepath.Glob(filepath.Join(b.dir, "*.git", "refs", "notes", "sluice", "*"))
	if err != nil {
		return nil, err
	}
	var fresh []note
	for _, ref := range refs {
		tip, err := os.ReadFile(ref)
		if err != nil || string(tip) == b.tips[ref] || strings.HasSuffix(ref, ".lock") {
			continue // it is just being written: the next look will do
		}
		lines, err := readNotes(ctx, ref)
		if err != nil {
			return nil, err
		}
		b.tips[ref] = string(tip)
		for _, n := range lines {
			if !b.told[n.ID] {
				b.told[n.ID] = true
				b.lines = append(b.lines, n)
				fresh = append(fresh, n)
			}
		}
	}
	slices.SortStableFunc(fresh, func(a, b note) int { return a.At.Compare(b.At) })
	return fresh, nil
}

// says returns the last line that was seen of an application's environment on a revision; zero is none.
func (b *notebook) says(app, env, revision string) (last note) {
	for _, n := range b.lines {
		if n.Application == app && n.Environment == env && n.On == revision && n.Seq > last.Seq {
			last = n
		}
	}
	return last
}

// readNotes reads all lines of one environment's notes with the git program.
func readNotes(ctx context.Context, file string) ([]note, error) {
	repo, ref, _ := strings.Cut(file, ".git"+string(filepath.Separator))
	list, err := git(ctx, repo+".git", "notes", "--ref="+ref, "list")
	if err != nil {
		return nil, err
	}
	var out []note
	for line := range strings.Lines(list) {
		blob, on, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		text, err := git(ctx, repo+".git", "cat-file", "blob", blob)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			n := note{On: on}
			if err := json.Unmarshal([]byte(line), &n); err != nil {
				return nil, fmt.Errorf("note on %s: %w: %s", on, err, line)
			}
			out = append(out, n)
		}
	}
	return out, nil
}

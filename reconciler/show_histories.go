package reconciler

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

const (
	// historiesKept bounds the applications whose history is remembered, and historyAge how long: weeks go by.
	historiesKept = 64
	historyAge    = 5 * time.Minute
	// notesAsked is how often a Git server is asked, at the most, whether an application's notes moved, and notesWait how long
	// a viewer waits for that: then the notes of before are shown.
	notesAsked = 2 * time.Second
	notesWait  = 5 * time.Second
	// notesAgain is how much longer a server that did not answer is left alone: who looks meanwhile does not wait for it.
	notesAgain = 30 * time.Second
	// reading is how many histories are read at once, whoever looks.
	reading = 2
)

// histories are those that somebody looked at last. The history of an application is read once at a time.
type histories struct {
	turns chan struct{}
	mu    sync.Mutex
	known map[string]*pastOf
}

type pastOf struct {
	mu    sync.Mutex
	tips  string    // of the notes
	asked time.Time // when they were asked for
	at    time.Time // when it was put together; zero: never
	made  view.History
}

func newHistories() histories {
	return histories{turns: make(chan struct{}, reading), known: map[string]*pastOf{}}
}

// of is what is remembered of an application.
func (h *histories) of(application string) *pastOf {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known[application] == nil {
		if len(h.known) >= historiesKept {
			clear(h.known)
		}
		h.known[application] = &pastOf{}
	}
	return h.known[application]
}

// History implements view.Source. It is remembered until the notes move.
func (v *View) History(ctx context.Context, application string) (view.History, error) {
	at, err := v.agent.catalog.find(application)
	if err != nil {
		return view.History{}, view.ErrUnknown
	}
	past := v.histories.of(application)
	past.mu.Lock()
	defer past.mu.Unlock()
	now := v.agent.now()
	if !past.at.IsZero() && now.Sub(past.asked) < notesAsked {
		return past.made, nil
	}
	select {
	case v.histories.turns <- struct{}{}:
		defer func() { <-v.histories.turns }()
	case <-ctx.Done():
		return view.History{}, ctx.Err()
	}
	asking, cancel := context.WithTimeout(ctx, notesWait)
	defer cancel()
	refs, asked := at.source.ledger.git.Refs(asking, record.Prefix)
	if ctx.Err() != nil {
		return view.History{}, ctx.Err()
	}
	tips := tipsOf(at, refs)
	if !past.at.IsZero() && asked == nil && tips == past.tips && now.Sub(past.at) < historyAge {
		past.asked = now
		return past.made, nil
	}
	lines, err := v.notesOf(asking, at, asked == nil && tips != past.tips)
	if err = errors.Join(asked, err); err != nil && ctx.Err() != nil {
		return view.History{}, ctx.Err()
	}
	of := HistoryOf{Application: application, Lines: lines, Now: now, Commit: func(revision string) (CommitWords, bool) { return v.commit(at.source, revision) }}
	made := of.History()
	if err != nil {
		if len(made.Releases) < len(past.made.Releases) { // the mirror has less
			made = past.made
		}
		made.Stale = "newer lines may be missing: " + oneLine(err.Error())
	}
	past.tips, past.asked, past.at, past.made = tips, v.agent.now(), now, made
	if err != nil {
		past.asked = past.asked.Add(notesAgain)
	}
	return made, nil
}

// tipsOf are the notes of an application's environments as they are now.
func tipsOf(at place, refs map[string]string) string {
	var tips []string
	for _, env := range at.app.Environments {
		tips = append(tips, refs[record.Ref(env.Name)])
	}
	return strings.Join(tips, " ")
}

// notesOf are the lines about an application, judged. What cannot be fetched is read from the mirror.
func (v *View) notesOf(ctx context.Context, at place, moved bool) (lines []record.Judged, err error) {
	names := map[string]bool{}
	for _, env := range at.app.Environments {
		names[env.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		key := Key{at.app.Metadata.Name, name}
		if moved {
			v.agent.notes.forget(at.source, name)
		}
		found, failed := v.agent.notes.of(ctx, at.source, key)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("read notes of %s: %w", name, failed))
			found = v.mirrored(at, key)
		}
		lines = append(lines, record.JudgeLines(name, found, v.keyring(name))...)
	}
	return lines, err
}

// mirrored are the lines about a key that the mirror has.
func (v *View) mirrored(at place, key Key) (lines []record.ParsedLine) {
	notes, err := at.source.ledger.git.ReadNotes(context.Background(), record.Ref(key.Environment)) //nolint:contextcheck // it is on the disk
	if err != nil {
		return nil
	}
	for _, line := range record.ParseNotes(notes) {
		if line.Line.Application == key.Application {
			lines = append(lines, line)
		}
	}
	return lines
}

// keyring is whose lines count in an environment. Of a cluster that was not reached yet the agent's own key is not known.
func (v *View) keyring(environment string) record.Keyring {
	sites := slices.Collect(maps.Values(v.agent.sites))
	if served, ok := v.agent.config.Serves(environment); ok {
		sites = append([]*site{v.agent.sites[served.Cluster]}, sites...)
	}
	for _, s := range sites {
		if s.ready() {
			return v.agent.keyring(s)
		}
	}
	return v.agent.listed(record.Keyring{})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

const (
	// lostAfter is how many times in a row a repository does not answer before what it said last counts as old.
	lostAfter = 2
	// lookAgain is how often a repository is looked at anew in which nothing changed: windows open and close by the clock alone.
	lookAgain = 5 * time.Minute
)

// noted is a repository whose notes are shown, with what was seen in it last.
type noted struct {
	remotes
	flags   notesFlags
	name    string
	keys    record.Keyring
	shares  bool // its ledger has notes of other repositories' applications
	now     func() time.Time
	changed func()
	done    func()
	diffs   diffs

	refs   map[string]string // that the last look was made of; of the poller alone
	looked time.Time         // of the poller alone

	mu      sync.Mutex
	seen    *sight
	fetched time.Time
	failing time.Time // since when it does not answer; zero: it does
	times   int       // that it did not, in a row
	fault   string
}

func openNoted(flags notesFlags, now func() time.Time, changed func()) (*noted, error) {
	keys, err := readKeys(flags.keys)
	if err != nil {
		return nil, err
	}
	from, done, err := flags.open()
	if err != nil {
		return nil, err
	}
	if from.unread != nil { // --git was given, and is no address
		done()
		return nil, from.unread
	}
	name := strings.TrimSuffix(path.Base(strings.ReplaceAll(from.code.URL(), ":", "/")), ".git")
	return &noted{remotes: from, flags: flags, name: name, keys: keys, now: now, changed: changed, done: done, diffs: newDiffs(), seen: &sight{}}, nil
}

func (n *noted) close() { n.done() }

// poll asks the repository once, and looks at it where something is another.
func (n *noted) poll(ctx context.Context) {
	look, err := n.look(ctx)
	if ctx.Err() != nil {
		return // it was told to stop
	}
	n.mu.Lock()
	before, wasLost := n.fault, n.times >= lostAfter
	if err == nil {
		n.fetched, n.failing, n.times, n.fault = n.now(), time.Time{}, 0, ""
	} else {
		if n.failing.IsZero() {
			n.failing = n.now()
		}
		n.times, n.fault = n.times+1, printable(err.Error())
	}
	if look != nil {
		n.seen = look
	}
	moved := look != nil || n.fault != before || wasLost != (n.times >= lostAfter)
	n.mu.Unlock()
	if moved {
		n.changed()
	}
}

// look fetches, and sees what there is; nil: the same as last time.
func (n *noted) look(ctx context.Context) (*sight, error) {
	if _, err := n.ledger.Fetch(ctx, record.Ref("*")); err != nil {
		return nil, err
	}
	branch, err := n.code.DefaultBranch(ctx)
	if err != nil && !errors.Is(err, gitsource.ErrNotFound) { // an empty one has none, and may have a ledger
		return nil, err
	}
	if err == nil {
		if _, err := n.code.Fetch(ctx, branch, record.Ref("*")); err != nil {
			return nil, err
		}
	}
	refs := n.code.Local()
	for ref, hash := range n.ledger.Local() {
		refs["ledger "+ref] = hash
	}
	if maps.Equal(refs, n.refs) && n.now().Sub(n.looked) < lookAgain {
		return nil, nil
	}
	seen, err := n.see(ctx)
	if err == nil {
		n.refs, n.looked = refs, n.now()
	}
	return seen, err
}

// last is what was seen last, and why it may be otherwise by now.
func (n *noted) last() (*sight, string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.times < lostAfter {
		return n.seen, ""
	}
	return n.seen, fmt.Sprintf("the repository %s does not answer since %s: %s", n.name, n.failing.UTC().Format(time.DateTime+" MST"), n.fault)
}

// shown is the repository itself, and its ledger where that is another.
func (n *noted) shown() []view.Repository {
	n.mu.Lock()
	defer n.mu.Unlock()
	of := view.Repository{Name: n.name, URL: n.code.URL(), Fetched: n.fetched, Error: n.fault, Failing: n.failing}
	if n.seen.branch != nil {
		of.Branch, of.Tip = n.seen.branch.branch, n.seen.branch.tip
	}
	if n.ledger == n.code {
		return []view.Repository{of}
	}
	books := view.Repository{Name: n.name + ".ledger", URL: n.ledger.URL(), Fetched: n.fetched, Error: n.fault, Failing: n.failing}
	return []view.Repository{of, books}
}

// see reads the notes and the branch.
func (n *noted) see(ctx context.Context) (*sight, error) {
	lines, err := readLines(ctx, n.ledger, n.keys)
	if err != nil {
		return nil, err
	}
	branch, err := lookAround(ctx, n.remotes)
	switch {
	case errors.Is(err, gitsource.ErrNotFound):
		branch = nil // nothing was committed yet
	case err != nil:
		return nil, err
	}
	if n.shares {
		lines = slices.DeleteFunc(lines, func(j record.Judged) bool { return branch == nil || branch.apps[j.Line.Application].app == nil })
	}
	made := &sight{branch: branch, lines: byApplication(lines), keyed: !n.keys.Empty(), words: map[string]commitWords{}, histories: map[string]aged{}}
	rows := lastWords(lines)
	if branch != nil {
		branch.look(ctx, rows, n.now())
		made.faults = branch.faults
	}
	if err := made.readWords(ctx, openCommits(n.flags, n.remotes)); err != nil {
		return nil, err
	}
	made.tell(rows)
	return made, nil
}

package promote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
)

// holdLabel on a request keeps it where it is.
const holdLabel = "sluice/hold"

// lane is a branch and its merge request: each asks for one move of the pin.
type lane struct {
	Subject
	branch  string
	message func(revision string) string // of the commit that moves the pin there
}

// promotion asks for a candidate, and revert for the release that was proven before one that failed.
func (s Subject) promotionLane() lane {
	return lane{s, "sluice/promote/" + s.Application + "/" + s.Environment, s.promotes}
}

func (s Subject) revertLane() lane {
	return lane{s, "sluice/revert/" + s.Application + "/" + s.Environment, s.reverts}
}

// ask is what a lane is to ask for.
type ask struct {
	revision    string
	title, text string
	// ready is what sluice/promotable says of it; nil: nothing.
	ready *forge.Status
}

// known is the branch and the request of an environment as they are.
type known struct {
	head    string // of the branch; empty: there is none
	asks    string // the revision that the branch pins
	base    string // what the branch's one commit stands on
	foreign bool   // somebody else committed there, and it was not merged or given up yet
	request forge.MergeRequest
	closed  string // the revision that the last request asked for, where a person closed it
}

// requests reads the branch and its requests.
func (k *Keeper) requests(ctx context.Context, l lane) (known, error) {
	var now known
	ref := "refs/heads/" + l.branch
	in := k.ledger(l.Subject)
	refs, err := in.Git.Fetch(ctx, ref)
	if err != nil {
		return now, fmt.Errorf("read branch %q: %w", l.branch, err)
	}
	if now.head = refs[ref]; now.head != "" {
		if err := k.read(ctx, l, &now); err != nil {
			return now, err
		}
	}
	if k.Forge == nil {
		return now, nil
	}
	found, err := k.Forge.Find(ctx, l.branch)
	if err != nil {
		return now, err
	}
	if i := slices.IndexFunc(found.Open, func(m forge.MergeRequest) bool { return m.Target == in.Branch }); i >= 0 {
		now.request = found.Open[i]
	}
	if now.request.Number == 0 && now.head == found.Last.Head { // the forge keeps with the request what was committed
		now.foreign = false
	}
	if last := found.Last; last.State == forge.RequestClosed && !strings.Contains(last.Text, endedMark) {
		now.closed = k.askedBy(l, last)
	}
	return now, nil
}

// askedBy is the revision that a request asked for: by its text, or where somebody took that out by the branch that it had.
// Empty: nobody knows any more.
func (k *Keeper) askedBy(l lane, last forge.MergeRequest) string {
	if revision := askedFor(last.Text); revision != "" {
		return revision
	}
	tree, err := k.ledger(l.Subject).Git.Tree(last.Head)
	if err != nil {
		return ""
	}
	return l.pinAt(tree)
}

// read finds out what the branch asks for, and whether it is as we made it: one commit that moves the pin and changes nothing
// else. Its message alone says little, since it stays when a commit is amended.
func (k *Keeper) read(ctx context.Context, l lane, now *known) error {
	in := k.ledger(l.Subject)
	commit, err := in.Git.Commit(now.head)
	if err != nil {
		return fmt.Errorf("read branch %q: %w", l.branch, err)
	}
	tree, err := in.Git.Tree(now.head)
	if err != nil {
		return fmt.Errorf("read branch %q: %w", l.branch, err)
	}
	now.asks = l.pinAt(tree)
	ours := false
	if len(commit.Parents) == 1 && strings.HasPrefix(commit.Message, firstLine(l.message(now.asks))) {
		now.base = commit.Parents[0]
		ours, err = k.moves(ctx, l.Subject, *now, tree)
	}
	if !ours && err == nil { // what was merged with somebody's commits has had its say
		ours, err = in.Git.IsAncestor(ctx, now.head, in.Tip)
	}
	now.foreign = !ours
	return err
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// moves reports whether the commit of a branch is a move of the pin, as we would make it, and no more.
func (k *Keeper) moves(ctx context.Context, s Subject, now known, tree *gitsource.Tree) (bool, error) {
	git := k.ledger(s).Git
	paths, err := git.ChangedPaths(ctx, now.base, now.head)
	if err != nil || !slices.Equal(paths, []string{s.file()}) {
		return false, err
	}
	base, err := git.Tree(now.base)
	if err != nil {
		return false, fmt.Errorf("read %.7s: %w", now.base, err)
	}
	files, err := pin(base, s.file(), now.asks)
	if err != nil {
		return false, nil //nolint:nilerr // where we could not have made it, it is not ours
	}
	content, err := readFile(tree, s.file())
	return string(content) == string(files[s.file()].Content), err
}

// keep has branch and request ask for this.
func (k *Keeper) keep(ctx context.Context, l lane, now known, a ask) (forge.MergeRequest, error) {
	fixed := why(now)
	if fixed != "" && now.asks != a.revision {
		return now.request, nil // what it says is to be what it has
	}
	if fixed != "" {
		a.text += fmt.Sprintf("\nThis request is not moved to newer revisions: %s.\n", fixed)
	}
	draft := forge.Draft{Source: l.branch, Target: k.ledger(l.Subject).Branch, Title: a.title, Text: a.text}
	head, err := k.move(ctx, l, now, a.revision, fixed, draft)
	if err != nil || k.Forge == nil {
		return now.request, err
	}
	request := now.request
	if request.Number == 0 {
		request, err = k.Forge.Create(ctx, draft)
		if err == nil {
			k.Log.Info("Merge request was opened", "app", l.Application, "env", l.Environment, "revision", a.revision, "request", request.URL)
		}
	} else {
		request, err = k.Forge.Update(ctx, request, forge.Change{Title: a.title, Text: a.text})
	}
	if err != nil || a.ready == nil {
		return request, err
	}
	return request, k.Forge.SetStatus(ctx, head, *a.ready)
}

// why a request is not moved; empty: it may be.
func why(now known) string {
	switch r := now.request; {
	case now.foreign && now.head != "":
		return "somebody else committed to its branch"
	case len(r.Approvals) > 0:
		return "it has the approval of " + strings.Join(r.Approvals, ", ")
	case slices.Contains(r.Labels, holdLabel):
		return "it has the label " + holdLabel
	case r.Queued:
		return "it is about to be merged"
	}
	return ""
}

// move has the branch ask for a revision, on top of the tip, and returns its head. One that asks for it already stays, as long
// as it can be merged: an unrelated commit moves no request.
func (k *Keeper) move(ctx context.Context, l lane, now known, revision, fixed string, draft forge.Draft) (string, error) {
	if fixed != "" {
		return now.head, nil
	}
	if now.asks == revision && k.mergeable(l.Subject, now) {
		return now.head, nil
	}
	files, err := k.files(l.Subject, revision)
	if err != nil {
		return "", err
	}
	asked, err := k.Git.Commit(revision)
	if err != nil {
		return "", fmt.Errorf("read %.7s: %w", revision, err)
	}
	var options []string
	if k.PushOptions {
		options = forge.PushOptions(draft)
	}
	in := k.ledger(l.Subject)
	written, err := in.Git.Publish(ctx, gitsource.Branch{
		Ref: "refs/heads/" + l.branch, Old: now.head, Onto: in.Tip, Files: files, Message: l.message(revision), Time: asked.Time,
	}, options...)
	if err != nil {
		return "", fmt.Errorf("push branch %q: %w", l.branch, err)
	}
	return written.Commit, nil
}

// mergeable reports whether the release file is still what the branch was made from.
func (k *Keeper) mergeable(s Subject, now known) bool {
	in := k.ledger(s)
	tip, err := in.Git.Tree(in.Tip)
	if err != nil {
		return false
	}
	base, err := in.Git.Tree(now.base)
	if err != nil {
		return false
	}
	a, errA := readFile(tip, s.file())
	b, errB := readFile(base, s.file())
	return errA == nil && errB == nil && string(a) == string(b)
}

// withdraw closes a request that is not right any more, and takes its branch away. What somebody else committed stays.
func (k *Keeper) withdraw(ctx context.Context, l lane, now known, reason string) error {
	if now.foreign && now.head != "" {
		return nil
	}
	if now.request.Number != 0 {
		text := fmt.Sprintf("%s\n**Withdrawn: %s**\n%s\n", now.request.Text, reason, endedMark)
		if _, err := k.Forge.Update(ctx, now.request, forge.Change{Text: text}); err != nil {
			return err
		}
		if err := k.Forge.Close(ctx, now.request.Number, ""); err != nil { // a comment may need one more right
			return err
		}
		k.Log.Info("Merge request was withdrawn", "app", l.Application, "env", l.Environment, "reason", reason, "request", now.request.URL)
	}
	if now.head == "" {
		return nil
	}
	if err := k.ledger(l.Subject).Git.Remove(ctx, gitsource.Removal{Ref: "refs/heads/" + l.branch, Old: now.head}); err != nil {
		return fmt.Errorf("delete branch %q: %w", l.branch, err)
	}
	return nil
}

func readFile(tree *gitsource.Tree, file string) ([]byte, error) {
	data, err := fs.ReadFile(tree, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return data, nil
}

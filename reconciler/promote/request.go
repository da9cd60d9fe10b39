package promote

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
)

// holdLabel on a request keeps it where it is.
const holdLabel = "sluice/hold"

// ask is what a lane is to ask for.
type ask struct {
	picks       picks
	title, text string
	// ready is what sluice/promotable says of it; nil: nothing.
	ready *forge.Status
}

// known is the branch and the request of an environment as they are.
type known struct {
	head    string // of the branch; empty: there is none
	asks    picks  // what the branch asks for
	base    string // what the branch's one commit stands on
	foreign bool   // somebody else committed there, and it was not merged or given up yet
	request forge.MergeRequest
	closed  picks // what the last request asked for, where a person closed it
	unsaid  bool  // of closed: its text does not say it any more, and it is what its branch had
}

// requests reads the branch and its requests.
func (k *Keeper) requests(ctx context.Context, l lane) (known, error) {
	var now known
	ref := "refs/heads/" + l.branch
	refs, err := l.in.Git.Fetch(ctx, ref)
	if err != nil {
		return now, fmt.Errorf("read branch %q: %w", l.branch, err)
	}
	if now.head = refs[ref]; now.head != "" {
		if err := l.read(ctx, &now); err != nil {
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
	if i := slices.IndexFunc(found.Open, func(m forge.MergeRequest) bool { return m.Target == l.in.Branch }); i >= 0 {
		now.request = found.Open[i]
	}
	if now.request.Number == 0 && now.head == found.Last.Head { // the forge keeps with the request what was committed
		now.foreign = false
	}
	if last := found.Last; last.State == forge.RequestClosed && !strings.Contains(last.Text, endedMark) {
		if now.closed = l.said(last.Text); len(now.closed) == 0 {
			now.closed, now.unsaid = l.askedBy(ctx, last.Head), true
		}
	}
	return now, nil
}

// askedBy is what its branch asked for, which may be gone by now. Nothing: nobody knows any more.
func (l lane) askedBy(ctx context.Context, head string) picks {
	asked, _, err := l.asksAt(ctx, head)
	if err != nil {
		return nil
	}
	return asked
}

// asksAt is what a head of its branch asks for.
func (l lane) asksAt(ctx context.Context, head string) (asked picks, commit gitsource.Commit, err error) {
	if commit, err = l.in.Git.Commit(head); err != nil {
		return nil, commit, fmt.Errorf("read branch %q: %w", l.branch, err)
	}
	if asked, err = l.asks(ctx, commit); err != nil {
		return nil, commit, fmt.Errorf("read branch %q: %w", l.branch, err)
	}
	return asked, commit, nil
}

// read finds out what the branch asks for, and whether it is as we made it: one commit that writes what is asked for and changes
// nothing else. Its message alone says little, since it stays when a commit is amended.
func (l lane) read(ctx context.Context, now *known) error {
	asked, commit, err := l.asksAt(ctx, now.head)
	if err != nil {
		return err
	}
	now.asks = asked
	ours := false
	if len(commit.Parents) == 1 && strings.HasPrefix(commit.Message, firstLine(l.message(now.asks))) {
		now.base = commit.Parents[0]
		ours, err = l.made(ctx, *now)
	}
	if !ours && err == nil { // what was merged with somebody's commits has had its say
		if ours, err = l.in.Git.IsAncestor(ctx, now.head, l.in.Tip); !ours && err == nil {
			ours, err = l.contained(ctx, now.head)
		}
	}
	now.foreign = !ours
	return err
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// keep has branch and request ask for this.
func (k *Keeper) keep(ctx context.Context, l lane, now known, a ask) (forge.MergeRequest, error) {
	fixed := why(now)
	if fixed != "" && !maps.Equal(now.asks, a.picks) {
		return now.request, nil // what it says is to be what it has
	}
	if fixed != "" {
		a.text += fmt.Sprintf("\nThis request is not moved to newer revisions: %s.\n", fixed)
	}
	draft := forge.Draft{Source: l.branch, Target: l.in.Branch, Title: a.title, Text: a.text}
	head, err := k.move(ctx, l, now, a.picks, fixed, draft)
	if err != nil || k.Forge == nil {
		return now.request, err
	}
	request := now.request
	if request.Number == 0 {
		request, err = k.Forge.Create(ctx, draft)
		if err == nil {
			l.log.Info("Merge request was opened", "title", a.title, "request", request.URL)
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

// move has the branch ask for this, on top of the tip, and returns its head. One that asks for it already stays, as long
// as it would be the same there: an unrelated commit moves no request.
func (k *Keeper) move(ctx context.Context, l lane, now known, asked picks, fixed string, draft forge.Draft) (string, error) {
	if fixed != "" {
		return now.head, nil
	}
	if maps.Equal(now.asks, asked) && l.fits(ctx, now) {
		return now.head, nil
	}
	files, err := l.files(ctx, l.in.Tip, asked)
	if err != nil {
		return "", err
	}
	var last time.Time // the same for the same
	for _, revision := range asked {
		commit, err := k.Git.Commit(revision)
		if err != nil {
			return "", fmt.Errorf("read %.7s: %w", revision, err)
		}
		if commit.Time.After(last) {
			last = commit.Time
		}
	}
	var options []string
	if k.PushOptions {
		options = forge.PushOptions(draft)
	}
	written, err := l.in.Git.Publish(ctx, gitsource.Branch{
		Ref: "refs/heads/" + l.branch, Old: now.head, Onto: l.in.Tip, Files: files, Message: l.message(asked), Time: last,
	}, options...)
	if err != nil {
		return "", fmt.Errorf("push branch %q: %w", l.branch, err)
	}
	return written.Commit, nil
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
		l.log.Info("Merge request was withdrawn", "reason", reason, "request", now.request.URL)
	}
	if now.head == "" {
		return nil
	}
	if err := l.in.Git.Remove(ctx, gitsource.Removal{Ref: "refs/heads/" + l.branch, Old: now.head}); err != nil {
		return fmt.Errorf("delete branch %q: %w", l.branch, err)
	}
	return nil
}

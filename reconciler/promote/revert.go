package promote

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// Fallen is a release that failed, and was taken back. The zero value: none was.
type Fallen struct {
	Revision, Reason string
	// Trigger is the commit that brought it; empty: it is not known.
	Trigger string
	Proven  string // the revision that serves again
}

// Revert keeps the merge request that has Git say what serves after a failure: the pin goes back, or where the tip is followed
// the files do; by: commit pins without a person. It is withdrawn when Git asks for something else than what failed. A person
// who closed it is not asked again. Code that has its ledger elsewhere is only read: where the tip is followed, going back is for
// people then.
func (k *Keeper) Revert(ctx context.Context, s Subject, fallen Fallen) (Outcome, error) {
	if s.Ledger != nil && !s.follows().Pin {
		return Outcome{Reason: fmt.Sprintf("%.7s is to be reverted by hand: the code is only read, as it has its ledger elsewhere", fallen.Revision)}, nil
	}
	l := k.revertLane(s)
	commits := k.MayCommit && s.promotion().By == config.ByCommit
	var known known
	var err error
	if !commits {
		if known, err = k.requests(ctx, l); err != nil {
			return Outcome{After: forge.RetryAfter(err, s.Now)}, err
		}
	}
	stands := false
	if fallen.Proven != "" {
		if stands, err = k.stands(ctx, s, fallen); err != nil {
			return Outcome{}, err
		}
	}
	if !stands {
		k.beside = beside{}
		return Outcome{}, k.withdraw(ctx, l, known, "Git does not ask for what failed any more")
	}
	out := Outcome{Candidate: fallen.Proven, Due: true, Reason: fmt.Sprintf("%.7s is to be asked for again", fallen.Proven)}
	if commits {
		out.Pin, out.Reason, err = k.pin(ctx, l, fallen.Proven, out.Reason)
		return out, err
	}
	if asked := known.closed[s.file()]; known.request.Number == 0 && asked != "" && (asked == fallen.Revision || known.unsaid && asked == fallen.Proven) {
		return Outcome{Reason: "a person closed the request to go back"}, nil
	}
	text, err := k.wayBack(ctx, l, fallen)
	if errors.Is(err, errNotRestored) {
		return Outcome{Reason: err.Error()}, k.withdraw(ctx, l, known, err.Error())
	}
	if err != nil {
		return Outcome{}, err
	}
	title := fmt.Sprintf("Revert %s in %s to %.7s", s.Application, s.Environment, fallen.Proven)
	out.Request, err = k.keep(ctx, l, known, ask{picks: picks{s.file(): fallen.Proven}, title: title, text: text})
	return out, err
}

// wayBack is the text of the request.
func (k *Keeper) wayBack(ctx context.Context, l lane, fallen Fallen) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%.7s failed in **%s** and was taken back: %s\n\nThe proven release %s serves again. Merge this to have Git say so; ",
		fallen.Revision, l.Environment, plain(fallen.Reason), fallen.Proven)
	if l.follows().Pin {
		b.WriteString("a fix that is promoted does as well.\n")
	} else {
		b.WriteString("a fix that is pushed does as well.\n")
		if err := k.restoring(ctx, l, fallen, &b); err != nil {
			return "", err
		}
	}
	err := k.commits(ctx, fallen.Proven, fallen.Revision, &b)
	if errors.Is(err, gitsource.ErrNotFound) { // the branch was rewritten since
		err = nil
	}
	fmt.Fprintf(&b, "\n"+askedMark+"\n", fallen.Revision)
	return b.String(), err
}

// restoring tells which files go back, and whom that concerns too.
func (k *Keeper) restoring(ctx context.Context, l lane, fallen Fallen, b *strings.Builder) error {
	files, err := l.files(ctx, l.Tip, picks{l.file(): fallen.Proven})
	if err != nil {
		return err
	}
	draft, err := k.Git.Draft(ctx, l.Tip, files)
	if err != nil {
		return err
	}
	if err := k.restores(ctx, l.Subject, draft.Revision(), fallen.Proven); err != nil {
		return err
	}
	paths, err := k.Git.ChangedPaths(ctx, l.Tip, draft.Revision())
	if err != nil {
		return err
	}
	b.WriteString("\nWhat it was rendered from is as it was then:\n\n")
	for _, name := range paths[:min(len(paths), listed)] {
		fmt.Fprintf(b, "- %s\n", plain(name))
	}
	if more := len(paths) - listed; more > 0 {
		fmt.Fprintf(b, "- and %d more\n", more)
	}
	others, err := k.others(ctx, l.Subject, draft)
	others.tell(b)
	return err
}

// stood is whether what failed stands, as it was found out last.
type stood struct {
	tip    string
	fallen Fallen
	stands bool
}

// stands reports whether Git asks for what failed still, without a break since its trigger: what came back since by another
// commit is to be tried again.
func (k *Keeper) stands(ctx context.Context, s Subject, fallen Fallen) (bool, error) {
	tip := k.ledger(s).Tip
	if k.stood.tip == tip && k.stood.fallen == fallen {
		return k.stood.stands, nil
	}
	stands, err := k.asksFor(ctx, s, fallen)
	if err == nil {
		k.stood = stood{tip, fallen, stands}
	}
	return stands, err
}

func (k *Keeper) asksFor(ctx context.Context, s Subject, fallen Fallen) (bool, error) {
	in := k.ledger(s)
	revision := in.Tip
	for range longestPast {
		same, err := k.asksSo(ctx, s, revision, fallen.Revision)
		if err != nil || !same || revision == fallen.Trigger || fallen.Trigger == "" {
			return same, err
		}
		parent, more, err := in.Git.FirstParent(revision)
		if err != nil || !more {
			return false, err
		}
		revision = parent
	}
	return true, nil // it is older than that
}

// asksSo reports whether a commit asked for what failed, by the same word to try it.
func (k *Keeper) asksSo(ctx context.Context, s Subject, revision, failed string) (bool, error) {
	tree, err := k.ledger(s).Git.Tree(revision)
	if err != nil {
		return false, fmt.Errorf("read %.7s: %w", revision, err)
	}
	words := s.wordsAt(tree)
	if s.follows().Pin || words.Retry != s.Release.Retry {
		return words.Retry == s.Release.Retry && words.Revision == failed, nil
	}
	now, _, there, err := k.render(ctx, s, revision)
	if err != nil || !there {
		return false, err
	}
	then, _, there, err := k.render(ctx, s, failed)
	if errors.Is(err, gitsource.ErrNotFound) {
		return false, nil
	}
	return there && now.same(then), err
}

func (s Subject) follows() config.Follow {
	if env, ok := s.Rules.Environment(s.Environment); ok {
		return env.Follow
	}
	return config.Follow{Pin: true}
}

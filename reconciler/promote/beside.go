package promote

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// Of other environments at most 500 are looked at, and for a minute: at some 20 ms for a render that is 10 s the first time, and
// later only what each of them read is compared.
const (
	mostBeside  = 500
	longestLook = time.Minute
)

// beside is which other environments a draft changes, as it was found out last.
type beside struct {
	tip, draft string
	memos      memos
	changed    []string
	unseen     int // how many were not looked at
}

// others finds out which other environments of the repository a draft on the tip changes: those that follow the tip too.
func (k *Keeper) others(ctx context.Context, s Subject, draft *gitsource.Tree) (beside, error) {
	if k.beside.tip == s.Tip && k.beside.draft == draft.Revision() {
		return k.beside, nil
	}
	found := beside{tip: s.Tip, draft: draft.Revision(), memos: k.beside.memos}
	tip, err := k.Git.Tree(s.Tip)
	if err != nil {
		return found, fmt.Errorf("read %.7s: %w", s.Tip, err)
	}
	all, err := s.neighbours(tip)
	if err != nil {
		return found, err
	}
	limited, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	for i, other := range all {
		changes, err := false, error(nil)
		if i < mostBeside && limited.Err() == nil {
			changes, err = found.changes(limited, other, tip, draft)
		}
		switch {
		case ctx.Err() != nil:
			return found, ctx.Err()
		case i >= mostBeside || limited.Err() != nil || err != nil: // what cannot be rendered there keeps nobody from going back
			found.unseen++
		case changes:
			found.changed = append(found.changed, other.Application+"/"+other.Environment)
		}
	}
	k.beside = found
	return found, nil
}

// neighbours are all other environments of the repository that follow the tip.
func (s Subject) neighbours(tip *gitsource.Tree) (all []Subject, err error) {
	dirs, err := config.Discover(tip, s.Repository)
	if err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		app, _ := config.Load(tip, dir)
		if app == nil {
			continue
		}
		for _, env := range app.Environments {
			other := s
			other.Application, other.Environment, other.Dir, other.Rules = app.Metadata.Name, env.Name, dir, app
			itself := other.Application == s.Application && other.Environment == s.Environment
			if !itself && env.Follow.Tip() && env.State != config.Absent {
				all = append(all, other)
			}
		}
	}
	return all, nil
}

// changes reports whether an environment renders to something else at the draft than at the tip.
func (b *beside) changes(ctx context.Context, s Subject, tip, draft *gitsource.Tree) (bool, error) {
	before, ok := s.at(tip, s.Environment)
	after, still := s.at(draft, s.Environment)
	if !ok || !still {
		return ok != still, nil
	}
	memo := b.memos.of(s.Application + "/" + s.Environment)
	now, err := memo.of(ctx, s.Renderer, tip, s.Charts, before)
	if err != nil {
		return false, err
	}
	then, err := memo.of(ctx, s.Renderer, draft, s.Charts, after)
	if err != nil || now.fault != nil && then.fault != nil {
		return false, err
	}
	return !now.same(then), nil
}

// tell says it in a request.
func (b beside) tell(text *strings.Builder) {
	switch {
	case len(b.changed) > 0:
		fmt.Fprintf(text, "\n**It changes what these render to as well:** %s\n", plain(strings.Join(b.changed, ", ")))
	case b.unseen == 0:
		text.WriteString("\nNo other environment of this repository renders to anything else with it.\n")
	}
	if b.unseen > 0 {
		fmt.Fprintf(text, "\n%d other environments were not looked at: it may change them too.\n", b.unseen)
	}
}

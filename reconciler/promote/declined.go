package promote

import (
	"context"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// longestPast bounds how many commits are looked at for earlier pins.
const longestPast = 1000

// declined is the newest revision that a person moved the pin back from, or whose merge request a person closed: no
// candidate up to it is asked for again. Empty: none was.
func (k *Keeper) declined(ctx context.Context, s Subject, closed string) (string, error) {
	newest := ""
	for _, revision := range append(k.pinsBefore(s), closed) {
		if revision == "" || revision == s.Release.Revision {
			continue
		}
		if newer, err := k.after(ctx, s, revision); err != nil || !newer {
			continue // the present pin is a later word
		}
		if newest != "" {
			if newer, err := k.Git.IsAncestor(ctx, newest, revision); err != nil || !newer {
				continue
			}
		}
		newest = revision
	}
	return newest, ctx.Err()
}

// pinsBefore are the earlier pins in the history of the branch that has them.
func (k *Keeper) pinsBefore(s Subject) []string {
	in := k.ledger(s)
	if k.past.tip == in.Tip {
		return k.past.pins
	}
	var pins []string
	revision, last := in.Tip, s.Release.Revision
	for range longestPast {
		parent, ok, err := in.Git.FirstParent(revision)
		if err != nil || !ok {
			break
		}
		tree, err := in.Git.Tree(parent)
		if err != nil {
			break
		}
		if pin := s.wordsAt(tree).Revision; pin != last && pin != "" {
			pins, last = append(pins, pin), pin
		}
		revision = parent
	}
	k.past = past{tip: in.Tip, pins: pins}
	return pins
}

// past are the earlier pins before a tip.
type past struct {
	tip  string
	pins []string
}

// wordsAt is the release file at a revision, wherever the application lay then; nothing where there is none, or it makes no
// sense.
func (s Subject) wordsAt(tree *gitsource.Tree) config.Release {
	var was []string
	if env, ok := s.Rules.Environment(s.Environment); ok {
		was = env.Was
	}
	dir, err := s.dirAt(tree)
	if err != nil {
		return config.Release{}
	}
	words, _, err := config.LoadRelease(tree, dir, s.Environment, was)
	if err != nil {
		return config.Release{}
	}
	return words
}

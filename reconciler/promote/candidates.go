package promote

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// farthest bounds how many commits are looked at, from the tip back to the pin: a promotion that is further behind begins
// with one that is nearer.
const farthest = 500

// candidates are the revisions from the tip back to the pin at which the target renders, the newest first, each with the
// environments that it is proven in.
func (k *Keeper) candidates(ctx context.Context, s Subject) ([]policies.Candidate, error) {
	proven := map[string][]record.Line{}
	for _, from := range s.promotion().From {
		proven[from] = record.Proven(s.Lines[from], record.Subject{Application: s.Application, Environment: from})
	}
	var found []policies.Candidate
	revision := s.Tip
	for range farthest {
		if after, err := k.after(ctx, s, revision); err != nil || !after {
			return found, err
		}
		candidate, ok, err := k.candidate(ctx, s, revision, proven)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, candidate)
		}
		parent, more, err := k.Git.FirstParent(revision)
		if err != nil {
			return nil, fmt.Errorf("read history before %.7s: %w", revision, err)
		}
		if !more {
			break
		}
		revision = parent
	}
	return found, nil
}

// after reports whether a revision of the branch comes after the pin. Where the branch was rewritten that is all that the pin
// does not come from.
func (k *Keeper) after(ctx context.Context, s Subject, revision string) (bool, error) {
	pin := s.Release.Revision
	if pin == "" || revision == pin {
		return pin == "", nil
	}
	stands, err := k.Git.IsAncestor(ctx, pin, s.Tip)
	if err == nil && stands {
		return k.Git.IsAncestor(ctx, pin, revision)
	}
	before := false
	if err == nil {
		before, err = k.Git.IsAncestor(ctx, revision, pin)
	}
	if errors.Is(err, gitsource.ErrNotFound) { // nothing is known of the pin any more
		return true, nil
	}
	return !before, err
}

// candidate is a revision as one that could be promoted; false where it does not render.
func (k *Keeper) candidate(ctx context.Context, s Subject, revision string, proven map[string][]record.Line) (policies.Candidate, bool, error) {
	tree, err := k.Git.Tree(revision)
	if err != nil {
		return policies.Candidate{}, false, fmt.Errorf("read %.7s: %w", revision, err)
	}
	c := policies.Candidate{Revision: revision}
	for _, from := range s.promotion().From {
		req, ok := s.at(tree, from)
		if !ok || len(proven[from]) == 0 {
			continue
		}
		rendered, err := k.memos.of(from).of(ctx, s.Renderer, tree, s.Charts, req)
		if err != nil {
			return c, false, err
		}
		attested, ok := attestation(s.Lines[from], proven[from], rendered)
		if !ok || rendered.fault != nil {
			continue
		}
		attested.Environment = from
		attested.Soaked = attested.HealthyFor > 0
		c.From = append(c.From, attested)
	}
	digest, ok, err := k.digest(ctx, s, revision)
	c.Digest = digest
	return c, ok, err
}

// digest is what the target environment renders to at a revision; false where it does not.
func (k *Keeper) digest(ctx context.Context, s Subject, revision string) (string, bool, error) {
	tree, err := k.Git.Tree(revision)
	if err != nil {
		return "", false, fmt.Errorf("read %.7s: %w", revision, err)
	}
	req, ok := s.at(tree, s.Environment)
	if !ok {
		return "", false, nil
	}
	rendered, err := k.memos.of(s.Environment).of(ctx, s.Renderer, tree, s.Charts, req)
	if err != nil || rendered.fault != nil {
		return "", false, err
	}
	return rendered.digest, true, nil
}

// attestation is what the notes of an environment say of a release that renders so.
func attestation(lines, proven []record.Line, rendered made) (policies.Attested, bool) {
	same := func(l record.Line) bool {
		return l.Inputs != "" && l.Inputs == rendered.inputs || l.Digest != "" && l.Digest == rendered.digest
	}
	i := slices.IndexFunc(proven, same)
	if i < 0 {
		return policies.Attested{}, false
	}
	a := policies.Attested{Revision: proven[i].Revision, Healthy: proven[i].At}
	for _, line := range record.History(lines, proven[i].Subject()) { // the newest first
		if same(line) && (line.Phase == policies.Failed || line.Phase == policies.RolledBack) {
			break // it had to begin anew
		}
		if line.Phase == policies.Healthy && same(line) {
			a.HealthyFor = max(a.HealthyFor, time.Duration(line.Evidence.Soaked*float64(time.Second)))
		}
	}
	return a, true
}

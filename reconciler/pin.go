package reconciler

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// followed is the revision that the environment follows.
func (p *Pass) followed(ctx context.Context) (string, error) {
	if !p.Rules.Follow.Pin {
		return p.Place.snap.follow(p.Rules.Follow, p.Application)
	}
	file, pin, tip := p.Place.releaseFile(p.Application, p.Environment), p.Words.Revision, p.Place.snap.tip
	switch {
	case pin == "":
		return "", fmt.Errorf("%s: revision: is not set, and the environment follows its pin", file)
	case p.target.pin == ancestry{pin, tip}:
		return pin, nil
	}
	known, err := p.Place.source.git.IsAncestor(ctx, pin, tip)
	if err != nil && !errors.Is(err, gitsource.ErrNotFound) {
		return "", fmt.Errorf("%s: revision: %w", file, err)
	}
	facts := policies.PinFacts{
		Revision: pin, Branch: p.Place.source.repo.Branch, OnBranch: known, ProvenHere: p.provenHere(ctx, pin, known), First: p.first(),
		Hotfix: p.Words.Hotfix != nil && p.Words.Hotfix.Revision == pin,
	}
	if from := p.comesFrom(); known && !facts.ProvenHere && !facts.Hotfix && !facts.First && len(from) > 0 {
		if facts.ProvenIn, err = p.provenIn(ctx, pin, from); err != nil {
			return "", fmt.Errorf("%s: revision: %w", file, err)
		}
	}
	if why := policies.MayPin(p.comesFrom(), facts); why != "" {
		p.Again = lookAgain // it may come to be proven, which no commit tells of
		return "", fmt.Errorf("%s: revision: %s", file, why)
	}
	p.target.pin = ancestry{pin, tip}
	return pin, nil
}

// comesFrom are the environments that releases come from.
func (p *Pass) comesFrom() []string {
	if p.Rules.Promotion == nil {
		return nil
	}
	return p.Rules.Promotion.From
}

// first reports whether nothing was ever proven here.
func (p *Pass) first() bool {
	state := p.target.held.saved.State
	return state.Proven == (policies.Release{}) && len(state.Sequence) == 0
}

// provenHere reports whether a revision was proven here. For one on the branch the state's word will do; branches are rewritten,
// and then a note that counts has to name it, by which Git keeps it too. Notes that cannot be read prove nothing.
func (p *Pass) provenHere(ctx context.Context, revision string, onBranch bool) bool {
	state := p.target.held.saved.State
	if onBranch {
		for _, proof := range state.Sequence {
			if proof.Revision == revision {
				return true
			}
		}
		if state.Proven.Revision == revision || len(p.comesFrom()) == 0 {
			return state.Proven.Revision == revision
		}
	}
	lines, err := p.agent.notes.of(ctx, p.Place.source, p.Key)
	if err != nil {
		return false
	}
	counting := record.Counting(lines, record.Verify(lines, p.agent.keyring(p.site)))
	for _, line := range record.Proven(counting, record.Subject{Application: p.Application, Environment: p.Environment}) {
		if line.Revision == revision {
			return true
		}
	}
	return false
}

// provenIn are the environments among those that releases come from in which a pin was ever proven, or what is the same there.
// What has begun here was let in before.
func (p *Pass) provenIn(ctx context.Context, pin string, from []string) ([]string, error) {
	if p.target.held.saved.State.Release.Revision == pin {
		return from, nil
	}
	subject := promote.Subject{
		Application: p.Application, Environment: p.Environment, Repository: p.Place.source.repo, Dir: p.Place.dir, Rules: p.Place.app,
		Lines: map[string][]record.Line{}, Capabilities: p.site.capabilities(), Renderer: p.site.renders(), Charts: p.agent.chartsOf(p.Application),
	}
	for _, environment := range from {
		lines, err := p.agent.notes.of(ctx, p.Place.source, Key{p.Application, environment})
		if err != nil {
			return nil, fmt.Errorf("read notes of %s: %w: %w", environment, gitsource.ErrUnavailable, err)
		}
		subject.Lines[environment] = record.Counting(lines, record.Verify(lines, p.agent.keyring(p.site)))
	}
	return promote.ProvenIn(ctx, p.Place.source.git, subject, pin, from)
}

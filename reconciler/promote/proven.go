package promote

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// ProvenIn are the environments among some in which a revision, or what is the same there, was ever proven, by the subject's
// lines. It counts too where that was withdrawn later: whoever pins it knows of it.
func ProvenIn(ctx context.Context, git *gitsource.Repository, s Subject, revision string, from []string) (in []string, err error) {
	for _, environment := range from {
		ever := slices.DeleteFunc(slices.Clone(s.Lines[environment]), func(l record.Line) bool {
			return l.Phase != policies.Healthy || l.Environment != environment
		})
		proven := slices.ContainsFunc(ever, func(l record.Line) bool { return l.Revision == revision })
		if !proven && len(ever) > 0 {
			if proven, err = attested(ctx, git, s, environment, revision, ever); err != nil {
				return nil, err
			}
		}
		if proven {
			in = append(in, environment)
		}
	}
	return in, nil
}

// attested reports whether what an environment renders to at a revision is in some lines.
func attested(ctx context.Context, git *gitsource.Repository, s Subject, environment, revision string, lines []record.Line) (bool, error) {
	tree, err := git.Tree(revision)
	if err != nil {
		return false, fmt.Errorf("read %.7s: %w", revision, err)
	}
	req, ok := s.at(tree, environment)
	if !ok {
		return false, nil
	}
	rendered, err := new(memo).of(ctx, s.Renderer, tree, s.Charts, req)
	if err != nil || rendered.fault != nil {
		return false, err
	}
	_, ok = attestation(lines, lines, rendered)
	return ok, nil
}

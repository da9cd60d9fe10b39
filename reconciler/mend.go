package reconciler

import (
	"context"
	"fmt"

	"github.com/sluice-cd/sluice/reconciler/record"
)

// mend makes the closing lines of the last releases again where the notes lack them: whoever may push may delete them.
// It is done when everything is compared; a Git server that is away is asked the next time.
func (p *Pass) mend(ctx context.Context) error {
	t, src, saved := p.target, p.Place.source, &p.target.held.saved
	if !p.Verify || src == nil || !src.notes() || len(saved.Outbox.Closed) == 0 {
		return nil
	}
	lines, err := p.agent.notes.of(ctx, src, p.Key)
	if err != nil {
		p.log.Debug("Notes were not compared", "err", err)
		return nil
	}
	for _, lost := range saved.Outbox.Lost(lines, record.Verify(lines, p.agent.keyring(p.site))) {
		made, chain, err := p.site.maker.Make(saved.Chain.WithKey(p.site.maker.Signer.KeyID()), lost)
		if err != nil {
			return fmt.Errorf("make note line again: %w", err)
		}
		saved.Chain, t.unsaid = chain, append(t.unsaid, made)
		p.post(made)
	}
	return nil
}

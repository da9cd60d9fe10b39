package reconciler

import (
	"context"
	"errors"
	"strings"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// guard asks the rules that manifests must pass before anything is applied. They are those of agent.yaml, which stay
// while the process runs: what passed once need not be asked again.
func guard(_ context.Context, p *Pass) Outcome {
	t := p.target
	if p.Wanted.Release == (policies.Release{}) || t.guarded {
		return next
	}
	kinds := p.Allowed.Kinds
	g := policies.Guard{
		Namespaces: p.Allowed.Namespaces, Reserved: append(config.ReservedNamespaces(), p.agent.config.StateNamespace),
		Allow: kinds.Allow, ClusterWide: kinds.ClusterWide, Deny: kinds.Deny,
	}
	if refused := g.Check(t.objects); len(refused) > 0 {
		release := p.Wanted.Release
		p.Wanted.Release = policies.Release{}
		return p.refuseRelease(release, errors.New(strings.Join(refused, "; ")))
	}
	t.guarded = true
	return next
}

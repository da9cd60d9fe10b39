package reconciler

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/rollout/analysis"
)

// guard asks the rules that manifests must pass before anything is applied. They are those of agent.yaml, which stay
// while the process runs: what passed once need not be asked again.
func guard(_ context.Context, p *Pass) Outcome {
	t := p.target
	if fault := p.unaskable(); fault != "" && p.Wanted.Release != (policies.Release{}) && !p.rollsBack() && !p.Wanted.Release.Same(t.held.saved.State.Release) {
		release := p.Wanted.Release
		p.Wanted.Release = policies.Release{}
		return p.refuseRelease(release, errors.New(fault))
	}
	if p.Wanted.Release == (policies.Release{}) || t.guarded {
		return next
	}
	kinds := p.Allowed.Kinds
	g := policies.Guard{
		Namespaces: p.Allowed.Namespaces, Reserved: append(config.ReservedNamespaces(), p.agent.config.StateNamespace),
		Allow: kinds.Allow, ClusterWide: kinds.ClusterWide, Deny: kinds.Deny,
	}
	refused := g.Check(due(t.objects, p.Rules.Rollout.Tests))
	refused = append(refused, twice(t.objects)...)
	for _, a := range p.Rules.Rollout.Analysis {
		if a.Job != "" && jobFor(t.objects, a.Job) == nil {
			refused = append(refused, fmt.Sprintf("rollout.analysis[%s].job: no Job has the annotation %s: %s", a.Name, analysis.Annotation, a.Job))
		}
	}
	if len(refused) > 0 && p.rollsBack() { // it passed when it was proven here
		p.log.Warn("Roll-back was let through", "revision", p.Wanted.Release.Revision, "reason", strings.Join(refused, "; "))
		p.target.warned = refused
		refused = nil
	}
	if sealed := p.unopened(t.objects); len(sealed) > 0 { // a roll-back could not send them either
		refused = append(refused, sealed...)
		p.Again = sooner(p.Again, keysAgain)
	}
	if len(refused) > 0 {
		release := p.Wanted.Release
		p.Wanted.Release = policies.Release{}
		return p.refuseRelease(release, errors.New(strings.Join(refused, "; ")))
	}
	t.guarded = true
	return next
}

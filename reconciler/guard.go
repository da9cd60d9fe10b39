package reconciler

import (
	"context"
	"errors"
	"strings"

	"github.com/sluice-cd/sluice/policies"
)

// reserved namespaces are nobody's; the agent's own is added to them.
var reserved = [...]string{"kube-system", "kube-public", "kube-node-lease"}

// guard asks the rules that manifests must pass before anything is applied.
func guard(_ context.Context, p *Pass) Outcome {
	if p.Wanted.Release == (policies.Release{}) {
		return next
	}
	t := p.target
	if t.objects == nil && t.guarded == p.agent.rulesVersion {
		return next // passed before, by the same rules, and dropped since
	}
	kinds := p.Allowed.Kinds
	g := policies.Guard{
		Namespaces: p.Allowed.Namespaces, Reserved: append(reserved[:], p.agent.config.StateNamespace),
		Allow: kinds.Allow, ClusterWide: kinds.ClusterWide, Deny: kinds.Deny,
	}
	if refused := g.Check(t.objects); len(refused) > 0 {
		p.Wanted.Release = policies.Release{}
		t.mu.Lock()
		t.basis.known = false
		t.mu.Unlock()
		return p.refuse(p.Revision, errors.New(strings.Join(refused, "; ")))
	}
	t.guarded = p.agent.rulesVersion
	return next
}

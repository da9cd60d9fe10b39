package reconciler

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// twoStages is an application whose production takes what was proven in staging.
const twoStages = `apiVersion: sluice.dev/v1alpha1
kind: Application
metadata: {name: shop}
environments:
- {name: staging, namespace: bed-staging, source: {directory: {path: deploy}}}
- {name: production, namespace: bed-production, source: {directory: {path: deploy}}, follow: pin, promotion: {from: staging}}
`

// TestPinThatIsNotProven: once something is proven here, only what is proven where it comes from may be pinned, or a hotfix.
func TestPinThatIsNotProven(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	production := Key{"shop", "production"}
	chain := record.Chain{Application: "shop", Environment: "staging"}
	healthy := func(revision string, p *Pass) {
		t.Helper()
		line := record.Line{Phase: policies.Healthy, Revision: revision, At: time.Now(), Digest: p.Wanted.Release.Digest, Inputs: p.Wanted.Release.Inputs}
		proof, next, err := b.site.maker.Make(chain, line)
		if err == nil {
			chain = next
			_, err = b.agent.catalog.sources[0].git.AppendNotes(t.Context(), record.Ref("staging"), map[string][]string{revision: {proof.Text()}}, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		b.agent.notes.forget(b.agent.catalog.sources[0], "staging")
	}
	pin := func(revision, more string) *Pass {
		b.files(map[string]string{"shop/releases/production.yaml": "revision: " + revision + "\n" + more})
		return b.look(production)
	}
	refused := func(p *Pass) {
		t.Helper()
		if reason := p.Wanted.Refused.Reason; !strings.Contains(reason, "never proven in staging") || p.Again == 0 {
			t.Errorf("it is refused with %q, and looked at again after %s", reason, p.Again)
		}
	}
	allowed := func(p *Pass, revision string) {
		t.Helper()
		if p.Wanted.Release.Revision != revision {
			t.Errorf("it is refused: %s", p.Wanted.Refused.Reason)
		}
	}
	first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
	p := pin(first, "")
	allowed(p, first) // nothing is proven here yet
	b.became(p, policies.Healthy)
	p.target.held.saved.State.Proven = p.Wanted.Release
	p.target.held.saved.State.Sequence = []policies.Proof{{Release: p.Wanted.Release}}

	second := b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")})
	refused(pin(second, ""))
	allowed(pin(second, "hotfix: {revision: "+second+"}\n"), second)
	refused(pin(second, "hotfix: {revision: "+first+"}\n"))
	allowed(pin(first, ""), first) // it was proven here
	later := b.git.Commit(t, "shop", gittest.Change{Files: map[string]string{"README": "nothing of the shop"}})
	refused(pin(later, ""))
	healthy(second, b.look(Key{"shop", "staging"}))
	b.agent.target(production).pin = ancestry{}
	allowed(b.look(production), later) // which is the same there
	allowed(pin(second, ""), second)
	t.Run("AnotherKeyProvesNothing", func(t *testing.T) {
		forger, err := record.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		b.site.maker.Signer = forger
		b.agent.target(production).pin = ancestry{}
		refused(b.look(production))
	})
}

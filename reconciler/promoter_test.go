package reconciler

import (
	"testing"

	"github.com/sluice-cd/sluice/policies"
)

// TestRequestToGoBackOutlivesTheProcess: it is withdrawn when it is known that nothing is to be taken back, and not before.
func TestRequestToGoBackOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for _, s := range b.agent.sites {
		s.isReady, s.shape, s.maker = true, b.site.shape, b.site.maker
	}
	production := Key{"shop", "production"}
	first := b.files(map[string]string{"shop/sluice.yaml": twoStages, "shop/deploy/a.yaml": configMap("a", "1")})
	second := b.files(map[string]string{"shop/deploy/a.yaml": configMap("a", "2")})
	b.files(map[string]string{"shop/releases/production.yaml": "revision: " + second + "\n"})
	promoter := b.agent.newPromoter(b.agent.catalog.sources[0])
	asked := func(status Status) bool {
		t.Helper()
		b.agent.status.set(production, status)
		promoter.seen = map[Key]sight{} // it is looked at whatever moved
		promoter.round(t.Context())
		return b.git.Git(t, "shop", "for-each-ref", reverts+production.String()) != ""
	}
	failed := Status{Key: production, Phase: policies.RolledBack, Revision: second, Proven: first, Reason: "it failed"}
	if !asked(failed) {
		t.Error("nobody is asked to move the pin back")
	}
	if !asked(Status{}) {
		t.Error("it is withdrawn by a process that has just begun")
	}
	if !asked(Status{Key: production, Verdict: Retry, Reason: "the API server does not answer"}) {
		t.Error("it is withdrawn while nothing is known of the cluster")
	}
	if asked(Status{Key: production, Phase: policies.Healthy, Revision: second}) {
		t.Error("it is asked for although all is well")
	}
}

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestPromotionOutlivesItsForge: a forge whose API is down, slow, full or out of its mind delays nothing but what is told there,
// and is told all of it afterwards.
func TestPromotionOutlivesItsForge(t *testing.T) {
	s, p, first := atForge(t, "promotion-outage")
	r := p.AwaitMergeRequest(t, "the first release", proposes(first))
	image, revisions := firstImage, map[string]string{}
	faults := map[string]world.Fault{
		"Down":     {Code: http.StatusInternalServerError, Body: "oops"},
		"Dropping": {Drop: true},
		"Full":     {Code: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "3"}},
		"Nonsense": {Code: http.StatusOK, Body: `{"message": [`},
		"Slow":     {Delay: 8 * time.Second},
	}
	release := func(t *testing.T, name string) string {
		t.Helper()
		s.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
		next := imageName + "1.30.0-" + strings.ToLower(name)
		s.Repo.Edit(t, stagingDeployment, image, next)
		s.Repo.Edit(t, productionDeployment, image, next)
		image = next
		return s.Repo.Commit(t, "Image "+name)
	}
	before := len(p.Gate.Requests("", "/api/"))
	for _, name := range sorted(faults) {
		t.Run(name+"ItDelaysNoRelease", func(t *testing.T) {
			before := len(p.Gate.Requests("", "/api/"))
			fault := faults[name]
			fault.Path = "/api/"
			p.Gate.Heal()
			p.Gate.Fail(fault)
			began := time.Now()
			revisions[name] = release(t, name)
			s.AwaitPhase(t, "staging", revisions[name], "Healthy")
			t.Logf("from the push until it was Healthy in staging: %s, with %d requests to the forge", time.Since(began).Round(time.Millisecond), len(p.Gate.Requests("", "/api/"))-before)
		})
	}
	if asked := len(p.Gate.Requests("", "/api/")) - before; asked > 100 {
		t.Errorf("a forge that is away was asked %d times", asked)
	}
	t.Run("APinThatIsPushedIsReleased", func(t *testing.T) {
		s.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
		s.Repo.Write(t, "releases/production.yaml", "revision: "+revisions["Down"]+"\n")
		s.Repo.Commit(t, "Pin it by hand")
		s.AwaitPhase(t, "production", revisions["Down"], "Healthy")
	})
	t.Run("AfterwardsAllIsTold", func(t *testing.T) {
		p.Gate.Heal()
		healed := time.Now()
		newest := revisions["Slow"]
		s.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
		s.Repo.Write(t, "README", "The forge is back\n") // it would be asked within a minute
		s.Repo.Commit(t, "An unrelated commit")
		now := p.AwaitMergeRequest(t, "the newest release", proposes(newest))
		t.Logf("from the end of the outage until the request was there: %s", time.Since(healed).Round(time.Millisecond))
		world.Await(t, 30*time.Second, "the request says that it may be merged", func() error {
			head := p.MergeRequest(t, now.Number).Head.SHA // it is put on the tip of that time
			if got := p.Statuses(t, head)["sluice/promotable/shop/production"]; got.State != "success" {
				return fmt.Errorf("%s is %q: %s, the request was at %s", head, got.State, got.Description, now.Head.SHA)
			}
			return nil
		})
		for _, name := range sorted(revisions) {
			p.AwaitStatus(t, revisions[name], "sluice/shop/staging", "success")
		}
		p.AwaitStatus(t, revisions["Down"], "sluice/shop/production", "success")
		if open := p.MergeRequests(t, "open"); len(open) != 1 || now.Number != r.Number {
			t.Errorf("%d requests are open, want one", len(open))
		}
	})
}

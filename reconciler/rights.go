package reconciler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// ErrNoCluster is that credentials are in a Secret, and no cluster to read it from was named.
var ErrNoCluster = errors.New("they are in a Secret, and no cluster is named")

// ForgeRights is what the forge of one repository does not let the agent's credentials do.
type ForgeRights struct {
	Repository string
	Kind       config.ForgeKind
	// Untried: there are no credentials, as at a GitLab that opens merge requests by push options.
	Untried bool
	Missing []forge.Right
	Err     error // it could not be found out
}

// Rights tries what the agent of these rules may do at the forge of each repository and ledger that has one, without an agent. Nothing is
// changed anywhere. Secrets are read through core, which may be nil.
func Rights(ctx context.Context, rules *config.Agent, core typed.CoreV1Interface) []ForgeRights {
	a := &Agent{config: rules, core: core, log: slog.New(slog.DiscardHandler), now: time.Now, metrics: newMetrics(nil)}
	var all []ForgeRights
	ledgers := map[string]bool{}
	for _, repo := range rules.Repositories {
		tried := []config.Repository{repo}
		if l := repo.WriteBack.Ledger; l != nil && !ledgers[l.URL] {
			ledgers[l.URL] = true
			tried = append(tried, repo.Ledger())
		}
		for _, repo := range tried {
			if repo.Forge == nil {
				continue
			}
			found := ForgeRights{Repository: repo.Name, Kind: repo.Forge.Kind}
			found.Untried, found.Missing, found.Err = a.rights(ctx, repo)
			all = append(all, found)
		}
	}
	return all
}

func (a *Agent) rights(ctx context.Context, repo config.Repository) (untried bool, missing []forge.Right, err error) {
	if f := repo.Forge; a.core == nil && (f.Token != nil && f.Token.Secret != "" || f.App != nil && f.App.PrivateKey.Secret != "") {
		return false, nil, fmt.Errorf("credentials of forge of repository %q: %w", repo.Name, ErrNoCluster)
	}
	client, err := a.openForge(repo)
	if err != nil || client == nil {
		return client == nil && err == nil, nil, err
	}
	missing, err = client.Rights(ctx)
	if repo.WriteBack.Ledger != nil { // the rest is done there
		missing = slices.DeleteFunc(missing, func(r forge.Right) bool { return !r.ToTell() })
	}
	return false, missing, err
}

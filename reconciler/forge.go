package reconciler

import (
	"fmt"
	"net/http"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/gitsource/trust"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// openForge makes the client of a repository's forge; nil where there is none, or nothing to show to it. It sends nothing, but
// may read the credentials.
func (a *Agent) openForge(repo config.Repository) (*forge.Client, error) {
	f := repo.Forge
	if f == nil || f.Token == nil && f.App == nil {
		return nil, nil
	}
	conf := forge.Config{Kind: forge.Kind(f.Kind), URL: repo.URL, API: f.API, Repository: f.Repository, Pending: f.Pending, Budget: a.budgets[accountOf(repo)], Now: a.now}
	of := fmt.Sprintf("forge of repository %q", repo.Name)
	where := f.Token
	if f.App != nil {
		where = &f.App.PrivateKey
	}
	secrets := a.credentialsOf(of, where)
	first, err := secrets.get()
	if err != nil {
		return nil, err
	}
	if conf.Transport, err = trusting(of, first.CA); err != nil {
		return nil, err
	}
	if f.App == nil {
		conf.Token = func() (gitsource.Secret, error) {
			now, err := secrets.get()
			return now.Token, err
		}
		return forge.Open(conf)
	}
	if conf.App, err = forge.NewApp(int64(f.App.ID), int64(f.App.Installation), first.SSHKey); err != nil {
		return nil, fmt.Errorf("%s: %w", of, err)
	}
	return forge.Open(conf)
}

// trusting is a transport that trusts these certificates beside the system's.
func trusting(of string, ca []byte) (http.RoundTripper, error) {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok || len(ca) == 0 {
		return http.DefaultTransport, nil
	}
	believes, err := trust.TLS(ca)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", of, err)
	}
	t = t.Clone()
	t.TLSClientConfig = believes
	return t, nil
}

package main

import (
	"context"
	"net/url"
	"os"
	"path/filepath"

	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/charts"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
)

// chartAccess is how charts from elsewhere are fetched on a person's machine: with what `helm registry login` and `docker login`
// left for the host, unless credentials were given. The zero value is that.
type chartAccess struct {
	given gitsource.Credentials
	host  string // that given is for
	plain bool   // registries are asked without TLS
}

// server is the one of an address.
func (a chartAccess) server(address string) (*charts.Server, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	return charts.NewServer(charts.Config{Host: u.Host, PlainHTTP: a.plain, Credentials: func() (gitsource.Credentials, error) {
		if u.Host == a.host {
			return a.given, nil
		}
		found := loggedIn(u.Host)
		found.CA = a.given.CA
		return found, nil
	}}), nil
}

// loggedIn are the credentials that other programs keep for a host; where there are none, or they cannot be read, it is asked
// without.
func loggedIn(host string) (found gitsource.Credentials) {
	for _, file := range loginFiles() {
		store, err := credentials.NewStore(file, credentials.StoreOptions{})
		if err != nil {
			continue
		}
		known, err := store.Get(context.Background(), credentials.ServerAddressFromRegistry(host))
		if err != nil || known.Username == "" && known.AccessToken == "" {
			continue
		}
		return gitsource.Credentials{
			Username: known.Username, Password: gitsource.NewSecret(known.Password), Token: gitsource.NewSecret(known.AccessToken),
		}
	}
	return found
}

// loginFiles are those of helm and docker: https://helm.sh/docs/helm/helm_registry_login/
func loginFiles() (files []string) {
	if file := os.Getenv("HELM_REGISTRY_CONFIG"); file != "" {
		files = append(files, file)
	} else if dir, err := os.UserConfigDir(); err == nil {
		files = append(files, filepath.Join(dir, "helm", "registry", "config.json"))
	}
	if dir := os.Getenv("DOCKER_CONFIG"); dir != "" {
		files = append(files, filepath.Join(dir, "config.json"))
	} else if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".docker", "config.json"))
	}
	return files
}

// chartStore keeps charts in the user's cache folder.
func chartStore() (*charts.Store, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	return charts.NewStore(filepath.Join(dir, "sluice", "charts"), charts.DefaultLimit), nil
}

// fetchedCharts are read from the cache, which is opened when the first is wanted.
func fetchedCharts(ctx context.Context) elsewhere.Source {
	return func(l config.Locked) ([]byte, error) {
		store, err := chartStore()
		if err != nil {
			return nil, err
		}
		return elsewhere.Cache{Store: store, Server: chartAccess{}.server}.Source(ctx)(l)
	}
}

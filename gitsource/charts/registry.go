package charts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/sluice-cd/sluice/gitsource"
)

const (
	// mediaChart is the layer of an artifact that has the archive:
	// https://helm.sh/docs/topics/registries/#helm-chart-manifest
	mediaChart  = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	maxManifest = 4 << 20 // as registries bound it
	maxTags     = 20_000
)

// repository is that of a chart, oci://host/path/name.
func (at *session) repository(address string) (*remote.Repository, error) {
	repo, err := remote.NewRepository(strings.TrimPrefix(address, "oci://"))
	if err != nil {
		return nil, errors.New("not the address of a chart in a registry")
	}
	repo.PlainHTTP, repo.MaxMetadataBytes = at.config.PlainHTTP, maxManifest
	own := repo.Reference.Registry
	repo.Client = &auth.Client{
		Client: at.client, Header: map[string][]string{"User-Agent": {agentName}}, ClientID: agentName,
		Credential: func(_ context.Context, host string) (auth.Credential, error) {
			if !strings.EqualFold(own, at.config.Host) || host != repo.Reference.Host() {
				return auth.EmptyCredential, nil
			}
			return credential(at.known), nil
		},
	}
	return repo, nil
}

func credential(k gitsource.Credentials) auth.Credential {
	if k.Username != "" || !k.Password.Empty() {
		return auth.Credential{Username: k.Username, Password: k.Password.Reveal()}
	}
	return auth.Credential{AccessToken: k.Token.Reveal()}
}

// blob is the archive by its digest. No tag is asked for: it may name another one by now.
func (at *session) blob(ctx context.Context, address, sum string) ([]byte, error) {
	repo, err := at.repository(address)
	if err != nil {
		return nil, err
	}
	scheme := "https"
	if repo.PlainHTTP {
		scheme = "http"
	}
	ref := repo.Reference
	ctx = auth.AppendRepositoryScope(ctx, ref, auth.ActionPull)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("%s://%s/v2/%s/blobs/sha256:%s", scheme, ref.Host(), ref.Repository, sum), nil)
	if err != nil {
		return nil, plain(err)
	}
	res, err := repo.Client.Do(req)
	if err != nil {
		return nil, explain(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if err := checkStatus(res.StatusCode); err != nil {
		return nil, err
	}
	return readAll(res.Body, res.ContentLength, MaxArchive)
}

// tags are the versions of a chart in a registry, where a tag has _ for the + of a version.
func (at *session) tags(ctx context.Context, address string) ([]Version, error) {
	repo, err := at.repository(address)
	if err != nil {
		return nil, err
	}
	var all []Version
	err = repo.Tags(ctx, "", func(tags []string) error {
		for _, tag := range tags {
			all = append(all, Version{Version: strings.ReplaceAll(tag, "_", "+"), url: address, tag: tag})
		}
		if len(all) > maxTags {
			return fmt.Errorf("%w: more than %d tags", ErrTooLarge, maxTags)
		}
		return nil
	})
	if errors.Is(err, ErrTooLarge) {
		return nil, err
	}
	return all, explain(err)
}

// layer is the digest of the archive that a tag names at present.
func (at *session) layer(ctx context.Context, address, tag string) (string, error) {
	repo, err := at.repository(address)
	if err != nil {
		return "", err
	}
	found, body, err := repo.FetchReference(ctx, tag)
	if err != nil {
		return "", explain(err)
	}
	defer body.Close() //nolint:errcheck // it was only read
	data, err := readAll(body, found.Size, maxManifest)
	if err != nil {
		return "", err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(data, &manifest); err != nil {
		return "", errors.New("what the tag names is no manifest")
	}
	i := slices.IndexFunc(manifest.Layers, func(l ocispec.Descriptor) bool { return l.MediaType == mediaChart })
	if i < 0 || manifest.Layers[i].Digest.Validate() != nil || manifest.Layers[i].Digest.Algorithm() != "sha256" {
		return "", errors.New("what the tag names is no Helm chart")
	}
	return manifest.Layers[i].Digest.Encoded(), nil
}

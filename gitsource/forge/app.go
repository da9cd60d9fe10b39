package forge

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-github/v92/github"

	"github.com/sluice-cd/sluice/gitsource"
)

// tokenAuthority shows what it is given; nil shows nothing.
type tokenAuthority func() (gitsource.Secret, error)

func (f tokenAuthority) secret(context.Context) (gitsource.Secret, error) {
	if f == nil {
		return gitsource.Secret{}, nil
	}
	s, err := f()
	if err != nil {
		return gitsource.Secret{}, fmt.Errorf("read the forge's token: %w", err)
	}
	return s, nil
}

func (tokenAuthority) rejected(gitsource.Secret) {}

// App is an installation of a GitHub App. It makes the tokens it acts with, which last an hour, and renews them:
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app
// It may be used concurrently, and is shared by the clients of one installation.
type App struct {
	id           int64
	installation int64
	key          *rsa.PrivateKey

	turn    chan struct{} // holds one token, taken by whoever looks at the fields below
	token   gitsource.Secret
	expires time.Time
	rights  *github.InstallationPermissions
}

// NewApp reads the private key, PEM as GitHub hands it out. Installation zero is looked up by the repository that is
// asked for first.
func NewApp(id, installation int64, key gitsource.Secret) (*App, error) {
	block, _ := pem.Decode([]byte(key.Reveal()))
	if block == nil {
		return nil, errors.New("read private key of GitHub App: it is no PEM")
	}
	parsed, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		other, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("read private key of GitHub App: neither PKCS #1 nor PKCS #8")
		}
		var ok bool
		if parsed, ok = other.(*rsa.PrivateKey); !ok {
			return nil, errors.New("read private key of GitHub App: not an RSA key")
		}
	}
	if id <= 0 {
		return nil, fmt.Errorf("id %d of GitHub App must be positive", id)
	}
	return &App{id: id, installation: installation, key: parsed, turn: make(chan struct{}, 1)}, nil
}

// renewal is how long before its end a token is replaced: long enough for a request that is under way, and for clocks
// that differ.
const renewal = 5 * time.Minute

// installed is an App in the eyes of one client.
type installed struct {
	app         *App
	client      *github.Client // shows the App's own signature
	owner, name string
	now         func() time.Time
}

func (i *installed) enter(ctx context.Context) error {
	select {
	case i.app.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (i *installed) leave() { <-i.app.turn }

func (i *installed) secret(ctx context.Context) (gitsource.Secret, error) {
	if err := i.enter(ctx); err != nil {
		return gitsource.Secret{}, err
	}
	defer i.leave()
	a := i.app
	if !a.token.Empty() && i.now().Add(renewal).Before(a.expires) {
		return a.token, nil
	}
	if a.installation == 0 {
		found, _, err := i.client.Apps.GetRepositoryInstallation(ctx, i.owner, i.name)
		if err != nil {
			return gitsource.Secret{}, fmt.Errorf("find installation of GitHub App %d: %w", a.id, explain(ctx, err))
		}
		a.installation = found.GetID()
	}
	made, _, err := i.client.Apps.CreateInstallationToken(ctx, a.installation, nil)
	if err != nil {
		return gitsource.Secret{}, fmt.Errorf("make token of GitHub App %d: %w", a.id, explain(ctx, err))
	}
	if made.GetToken() == "" || !made.GetExpiresAt().After(i.now()) {
		return gitsource.Secret{}, fmt.Errorf("make token of GitHub App %d: %w", a.id, odd("no token that lasts"))
	}
	a.token, a.expires, a.rights = gitsource.NewSecret(made.GetToken()), made.GetExpiresAt().Time, made.Permissions
	return a.token, nil
}

// rejected drops a token that was revoked, as happens when the installation's rights are changed.
func (i *installed) rejected(secret gitsource.Secret) {
	i.app.turn <- struct{}{}
	defer i.leave()
	if i.app.token == secret {
		i.app.token = gitsource.Secret{}
	}
}

// permissions are those of the present token.
func (i *installed) permissions(ctx context.Context) (*github.InstallationPermissions, error) {
	if _, err := i.secret(ctx); err != nil {
		return nil, err
	}
	if err := i.enter(ctx); err != nil {
		return nil, err
	}
	defer i.leave()
	return i.app.rights, nil
}

// appAuthority shows the App's signature, by which tokens are made.
type appAuthority struct {
	app *App
	now func() time.Time
}

// secret is a JSON Web Token as GitHub wants it: made a minute ago for clocks that differ, and good for less than ten:
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
func (a appAuthority) secret(context.Context) (gitsource.Secret, error) {
	now := a.now()
	claims, err := json.Marshal(map[string]any{
		"iss": fmt.Sprint(a.app.id), "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(8 * time.Minute).Unix(),
	})
	if err != nil {
		return gitsource.Secret{}, err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.app.key, crypto.SHA256, sum[:])
	if err != nil {
		return gitsource.Secret{}, fmt.Errorf("sign as GitHub App %d: %w", a.app.id, err)
	}
	return gitsource.NewSecret(signed + "." + encode(signature)), nil
}

func (appAuthority) rejected(gitsource.Secret) {}

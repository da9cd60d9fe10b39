package reconciler

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

const (
	// credentialTimeout bounds the read of credentials from a Secret.
	credentialTimeout = 10 * time.Second
	// credentialAge is how long credentials are used before they are read again: an idle agent asks its cluster
	// nothing at each poll. A refusal by the Git server has them read at once.
	credentialAge = 5 * time.Minute
)

// credentials are those of one repository or provider. It may be used concurrently.
type credentials struct {
	of   string // whose they are, for people
	read func(context.Context) (map[string][]byte, error)

	mu    sync.Mutex
	last  gitsource.Credentials
	until time.Time
}

// credentials returns how to get in to a repository; nil where it needs none.
func (a *Agent) credentials(repo config.Repository) *credentials {
	return a.credentialsOf(fmt.Sprintf("repository %q", repo.Name), repo.Credentials)
}

func (a *Agent) credentialsOf(of string, where *config.Credentials) *credentials {
	if where == nil {
		return nil
	}
	ref := *where
	return &credentials{of: of, read: func(ctx context.Context) (map[string][]byte, error) { return a.ReadCredentials(ctx, ref) }}
}

// ReadCredentials reads what agent.yaml refers to, from its folder or from the Secret beside the agent. It may be called
// concurrently.
func (a *Agent) ReadCredentials(ctx context.Context, of config.Credentials) (map[string][]byte, error) {
	if of.Directory != "" {
		return config.LoadCredentials(of.Directory)
	}
	return a.secretValues(ctx, of.Secret)
}

func (c *credentials) get() (gitsource.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.until) {
		return c.last, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), credentialTimeout)
	defer cancel()
	values, err := c.read(ctx)
	if err != nil {
		return gitsource.Credentials{}, fmt.Errorf("credentials of %s: %w", c.of, err)
	}
	c.last, c.until = gitsource.CredentialsFrom(values), time.Now().Add(credentialAge)
	return c.last, nil
}

// forget has them read again at the next connection.
func (c *credentials) forget() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.Time{}
}

// secretValues reads the known keys of a Secret beside the agent.
func (a *Agent) secretValues(ctx context.Context, name string) (map[string][]byte, error) {
	core, err := a.home()
	if err != nil {
		return nil, err
	}
	secret, err := core.Secrets(a.config.StateNamespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read Secret %s/%s: %w", a.config.StateNamespace, name, err)
	}
	return config.PickCredentials(secret.Data)
}

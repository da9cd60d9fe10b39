package apply

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// Field managers of ours.
const (
	// Manager owns what Git says.
	Manager = "sluice"
	// ScaleManager owns a number of replicas that Git no longer has, until somebody else sets it.
	ScaleManager = "sluice-scale"
	// AgentManager owns what the agent makes for itself, such as a namespace.
	AgentManager = "sluice-agent"
)

// Config says how to reach a cluster and as whom.
type Config struct {
	REST  *rest.Config // the agent's own identity; it must be allowed to impersonate. Not changed
	Agent string       // name of this agent, put on every object; required
	// HashKey keys the hashes of Secrets, so that nobody can guess a value from the saved state. It must stay the
	// same over restarts; empty: one that lives as long as the process, at the cost of a look at each Secret after
	// a restart.
	HashKey []byte
	// Parallel is how many requests may be in flight for the whole cluster; zero: 20, well below the 49 seats that
	// a client certificate gets from the API server's priority and fairness.
	Parallel int
	// Timeout bounds one request; zero: 30 s, the longest that a webhook may take.
	Timeout time.Duration
	// Reserved are namespaces in which nothing is ever written or deleted, and which are not written or deleted
	// themselves.
	Reserved []string
}

// Cluster is one cluster seen by one agent. It is safe for concurrent use.
type Cluster struct {
	agent    string
	key      []byte
	reserved []string
	timeout  time.Duration
	slots    chan struct{}
	config   *rest.Config
	base     http.RoundTripper
	kinds    *kinds
	self     *Client

	mu      sync.Mutex
	uid     string
	clients map[string]*Client
}

// New connects and asks what the cluster serves. All clients share one connection. There is no limit of requests in
// a second: the API server's priority and fairness decides.
func New(ctx context.Context, cfg Config) (*Cluster, error) {
	if cfg.REST == nil || cfg.Agent == "" {
		return nil, fmt.Errorf("connect to cluster: configuration and name of the agent are required")
	}
	rc := rest.CopyConfig(cfg.REST)
	rc.QPS, rc.RateLimiter = -1, nil
	rc.WarningHandler, rc.WarningHandlerWithContext = rest.NoWarnings{}, nil
	rc.UserAgent = Manager + "/" + cfg.Agent
	impersonate := rc.Impersonate
	rc.Impersonate = rest.ImpersonationConfig{}
	base, err := rest.TransportFor(rc)
	if err != nil {
		return nil, fmt.Errorf("connect to cluster: %w", err)
	}
	c := &Cluster{
		agent: cfg.Agent, key: slices.Clone(cfg.HashKey), reserved: slices.Clone(cfg.Reserved),
		timeout: cfg.Timeout, config: rc, base: base, clients: map[string]*Client{},
	}
	if len(c.key) == 0 {
		c.key = []byte(rand.Text())
	}
	if c.timeout == 0 {
		c.timeout = 30 * time.Second
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = 20
	}
	c.slots = make(chan struct{}, cfg.Parallel)
	if c.self, err = c.client("", impersonate); err != nil {
		return nil, err
	}
	if c.kinds, err = newKinds(ctx, rc, c.self.http); err != nil {
		return nil, fmt.Errorf("ask what the cluster serves: %w", err)
	}
	return c, nil
}

// As returns a client that acts as a service account, "namespace/name". A name of another form gives a client whose
// every call is an error: nothing ever falls back to the agent's own rights.
func (c *Cluster) As(serviceAccount string) *Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.clients[serviceAccount]; ok {
		return known
	}
	who, err := impersonation(serviceAccount)
	if err != nil {
		return &Client{cluster: c, account: serviceAccount, broken: err}
	}
	made, err := c.client(serviceAccount, who)
	if err != nil {
		return &Client{cluster: c, account: serviceAccount, broken: err}
	}
	c.clients[serviceAccount] = made
	return made
}

// Impersonated returns a configuration that acts as a service account, "namespace/name", for watches. Nil: the name
// has another form.
func (c *Cluster) Impersonated(serviceAccount string) *rest.Config {
	who, err := impersonation(serviceAccount)
	if err != nil {
		return nil
	}
	config := rest.CopyConfig(c.config)
	config.Impersonate = who
	return config
}

// impersonation is who a service account is to the API server. No groups are named, since the API server then gives it
// those of a service account by itself, and the agent needs no right to impersonate groups.
func impersonation(serviceAccount string) (rest.ImpersonationConfig, error) {
	ns, name, _ := strings.Cut(serviceAccount, "/")
	if ns == "" || name == "" || strings.Contains(name, "/") {
		return rest.ImpersonationConfig{}, fmt.Errorf("service account %q: %w", serviceAccount, ErrServiceAccount)
	}
	return rest.ImpersonationConfig{UserName: "system:serviceaccount:" + ns + ":" + name}, nil
}

// Self returns a client that acts as the agent. Objects of applications are none of its business.
func (c *Cluster) Self() *Client { return c.self }

func (c *Cluster) client(account string, as rest.ImpersonationConfig) (*Client, error) {
	rt := c.base
	if as.UserName != "" {
		rt = transport.NewImpersonatingRoundTripper(transport.ImpersonationConfig{
			UserName: as.UserName, UID: as.UID, Groups: as.Groups, Extra: as.Extra,
		}, c.base)
	}
	made := &Client{cluster: c, account: account, http: &http.Client{Transport: rt}}
	dyn, err := dynamic.NewForConfigAndClient(c.config, made.http)
	if err != nil {
		return nil, fmt.Errorf("connect to cluster: %w", err)
	}
	made.dynamic = dyn
	return made, nil
}

// UID identifies the cluster: the UID of its namespace kube-system.
func (c *Cluster) UID(ctx context.Context) (string, error) {
	c.mu.Lock()
	uid := c.uid
	c.mu.Unlock()
	if uid != "" {
		return uid, nil
	}
	ns, err := c.self.get(ctx, namespaceKind, ID{Kind: "Namespace", Name: "kube-system"})
	if err != nil {
		return "", fmt.Errorf("identify cluster: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uid = string(ns.GetUID())
	return c.uid, nil
}

// EnsureNamespace creates a namespace with labels, as the agent itself, and reports whether it did. One that exists
// is left as it is.
func (c *Cluster) EnsureNamespace(ctx context.Context, name string, labels map[string]string) (created bool, err error) {
	if slices.Contains(c.reserved, name) {
		return false, fmt.Errorf("create namespace %q: %w", name, ErrReserved)
	}
	id := ID{Kind: "Namespace", Name: name}
	switch live, err := c.self.get(ctx, namespaceKind, id); {
	case err == nil && live.GetDeletionTimestamp() != nil:
		return false, fmt.Errorf("create namespace %q: the old one is still being deleted", name)
	case err == nil:
		return false, nil
	case !apierrors.IsNotFound(err):
		return false, fmt.Errorf("look at namespace %q: %w", name, err)
	}
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	obj.SetName(name)
	obj.SetLabels(labels)
	switch err := c.self.create(ctx, namespaceKind, id, obj, AgentManager, false); {
	case apierrors.IsAlreadyExists(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("create namespace %q: %w", name, err)
	}
	return true, nil
}

// Hash is [Hash] with the key of the cluster.
func (c *Cluster) Hash(obj *unstructured.Unstructured) string { return Hash(obj, c.key) }

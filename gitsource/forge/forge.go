package forge

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// Kind is what software a forge runs.
type Kind string

// Forgejo speaks Gitea's API; it has a name of its own because that is what its users look for.
const (
	GitHub  Kind = "github"
	GitLab  Kind = "gitlab"
	Gitea   Kind = "gitea"
	Forgejo Kind = "forgejo"
)

func (k Kind) gitea() bool { return k == Gitea || k == Forgejo }

// Config says which repository of which forge is meant.
type Config struct {
	// Kind of the forge. It is not guessed from a host's name.
	Kind Kind
	// URL is the Git address of the repository, as gitsource takes it.
	URL string
	// API is the address of the forge's API. Empty derives it from URL: https://api.github.com for github.com, else the
	// host, with /api/v3 for a GitHub server. Needed where a GitLab does not lie at its host's root.
	API string
	// Repository is the path of the repository, such as "owner/name". Empty derives it from URL.
	Repository string
	// Token is asked at each request, so that it can be rotated. Nil, without an App, means none: public repositories
	// can be read.
	Token func() (gitsource.Secret, error)
	// App acts instead of a token, at GitHub. Clients of one installation share one.
	App *App
	// Transport carries the requests, with its proxy and trusted certificates. Nil means http.DefaultTransport.
	Transport http.RoundTripper
	// Budget is shared by the clients of one account. Nil gives this client one of its own, with LimitsOf(Kind, 1).
	Budget *Budget
	// Timeout bounds each request, the answer's last byte included. Zero means 30 s, thrice what GitHub gives itself.
	Timeout time.Duration
	// Pending says whether SetStatus posts pending ones. Nil means yes, but not at GitLab, where a pending status makes
	// a pipeline run for as long as a canary does.
	Pending *bool
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Client is one repository at a forge. All methods may be called concurrently. None waits for anything but its answer:
// what has to come later is an [Error] that says when.
type Client struct {
	kind     Kind
	pending  bool
	statuses statusAPI
	requests requestAPI
	rights   rightsAPI
	known    *knownStatuses
	wire     *transport
}

// Open prepares a client and sends nothing.
func Open(cfg Config) (*Client, error) {
	api, path, err := cfg.place()
	if err != nil {
		return nil, fmt.Errorf("open forge: %w", err)
	}
	if cfg.Transport == nil {
		cfg.Transport = http.DefaultTransport
	}
	if cfg.Budget == nil {
		cfg.Budget = NewBudget(LimitsOf(cfg.Kind, 1))
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	t := &transport{
		kind: cfg.Kind, api: api, base: cfg.Transport, auth: tokenAuthority(cfg.Token), budget: cfg.Budget,
		now: cfg.Now, timeout: cfg.Timeout, counts: &counts{},
	}
	c := &Client{kind: cfg.Kind, pending: cfg.Kind != GitLab, known: newKnownStatuses(cfg.Now), wire: t}
	if cfg.Pending != nil {
		c.pending = *cfg.Pending
	}
	switch cfg.Kind {
	case GitHub:
		err = c.openGitHub(api, path, cfg.App)
	case GitLab:
		err = c.openGitLab(api, path)
	case Gitea, Forgejo:
		c.openGitea(api, path)
	}
	if err != nil {
		return nil, fmt.Errorf("open forge %q: %w", api.Host, err)
	}
	return c, nil
}

// Requests counts what was sent since Open.
func (c *Client) Requests() Counts {
	n := c.wire.counts
	return Counts{Reads: n.reads.Load(), Writes: n.writes.Load(), Limited: n.limited.Load(), Failed: n.failed.Load()}
}

// Budget is what the client's account may still send.
func (c *Client) Budget() *Budget { return c.wire.budget }

// place is where the API and the repository are.
func (cfg Config) place() (*url.URL, string, error) {
	switch cfg.Kind {
	case GitHub, GitLab, Gitea, Forgejo:
	default:
		return nil, "", fmt.Errorf("kind %q is none of github, gitlab, gitea, forgejo", cfg.Kind)
	}
	if cfg.App != nil && cfg.Kind != GitHub {
		return nil, "", fmt.Errorf("kind %q has no apps", cfg.Kind)
	}
	api, path := cfg.API, strings.Trim(cfg.Repository, "/")
	if api == "" || path == "" {
		derivedAPI, derivedPath, err := derive(cfg.Kind, cfg.URL)
		if err != nil {
			return nil, "", err
		}
		if api == "" {
			api = derivedAPI
		}
		if path == "" {
			path = derivedPath
		}
	}
	u, err := url.Parse(strings.TrimRight(api, "/"))
	switch {
	case err != nil, u.Host == "", u.Scheme != "http" && u.Scheme != "https":
		return nil, "", fmt.Errorf("API address is no http or https URL")
	case u.User != nil:
		return nil, "", fmt.Errorf("API address of host %q has a user in it", u.Host)
	}
	names := strings.Split(path, "/")
	for _, name := range names {
		if name == "" || name == "." || name == ".." {
			return nil, "", fmt.Errorf("repository path %q has an empty part", path)
		}
	}
	if len(names) < 2 || len(names) > 2 && cfg.Kind != GitLab {
		return nil, "", fmt.Errorf("repository path %q is not owner and name", path)
	}
	return u, path, nil
}

// derive reads a Git address the way the forge builds it.
func derive(kind Kind, address string) (api, path string, err error) {
	a, err := wire.ParseAddress(address)
	if err != nil {
		return "", "", err
	}
	host, scheme := strings.ToLower(a.Host), a.Scheme
	if scheme == "ssh" {
		host, _, _ = strings.Cut(host, ":") // the port is that of SSH
		scheme = "https"
	}
	path = strings.TrimSuffix(strings.Trim(a.Path, "/"), ".git")
	if plain, err := url.PathUnescape(path); err == nil && a.Scheme != "ssh" {
		path = plain
	}
	switch {
	case kind == GitHub && (host == "github.com" || host == "ssh.github.com" || host == "www.github.com"):
		return "https://api.github.com", path, nil
	case kind == GitHub && strings.HasSuffix(host, ".ghe.com"):
		return "https://api." + host, path, nil
	case kind == GitHub:
		return scheme + "://" + host + "/api/v3", path, nil
	case kind == GitLab && host == "altssh.gitlab.com":
		host = "gitlab.com"
	case kind.gitea():
		// Gitea has no groups: what comes before owner and name is where it lies.
		if names := strings.Split(path, "/"); len(names) > 2 {
			n := len(names) - 2
			host += "/" + strings.Join(names[:n], "/")
			path = strings.Join(names[n:], "/")
		}
	}
	return scheme + "://" + host, path, nil
}

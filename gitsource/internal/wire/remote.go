package wire

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Service is the program that a conversation is held with.
type Service string

// The two services that every Git server has.
const (
	UploadPack  Service = "git-upload-pack"
	ReceivePack Service = "git-receive-pack"
)

// Auth is what is shown to the server. All fields are optional, except KnownHosts for SSH.
type Auth struct {
	User       string
	Password   string
	Token      string
	Key        []byte // PEM
	Passphrase string
	KnownHosts []byte
	CA         []byte // PEM bundle, added to the system's
}

// secrets are the values that must never be repeated.
func (a Auth) secrets() []string {
	var all []string
	for _, s := range []string{a.Password, a.Token, a.Passphrase} {
		if s != "" {
			all = append(all, s)
		}
	}
	return all
}

// Config says which repository a Remote talks to.
type Config struct {
	Address Address
	Auth    func() (Auth, error) // asked at each connection; nil: none
	Timeout time.Duration        // longest wait for an answer, or for the next bytes of a pack; must not be 0
	Temp    string               // folder for a short-lived copy of known_hosts; "" is the system's
}

// Remote is one repository on a server. It may be used concurrently.
type Remote struct {
	cfg Config

	mu     sync.Mutex
	client *http.Client // for the certificate authorities in ca
	ca     string
	learnt learnt
}

// learnt is what earlier answers said about an HTTP server, so that the next request can skip the greeting.
type learnt struct {
	base     string // after a redirect; "" when unknown
	v2       bool
	pushCaps capabilities // nil when unknown
}

// New makes a Remote; it opens no connection.
func New(cfg Config) *Remote { return &Remote{cfg: cfg} }

// Close lets go of idle connections.
func (r *Remote) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil {
		r.client.CloseIdleConnections()
	}
}

func (r *Remote) auth() (Auth, error) {
	if r.cfg.Auth == nil {
		return Auth{}, nil
	}
	a, err := r.cfg.Auth()
	if err != nil {
		return Auth{}, fmt.Errorf("read credentials: %w", err)
	}
	return a, nil
}

// channel is one conversation with one service.
type channel interface {
	// greeting returns what the server says first.
	greeting(ctx context.Context) (io.ReadCloser, error)
	// call sends a request and returns the answer. Nothing is sent after the last one.
	call(ctx context.Context, request []byte, last bool) (io.ReadCloser, error)
	// explain adds what the server said aside to an error about a broken conversation.
	explain(ctx context.Context, err error) error
	close()
}

func (r *Remote) dial(ctx context.Context, service Service, auth Auth) (channel, error) {
	if r.cfg.Address.Scheme == "ssh" {
		return dialSSH(ctx, r.cfg, service, auth)
	}
	return r.dialHTTP(service, auth)
}

// limited gives an operation the configured time.
func (r *Remote) limited(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.cfg.Timeout, r.tooSlow())
}

func (r *Remote) tooSlow() error {
	return fmt.Errorf("%w: no answer within %s", ErrUnavailable, r.cfg.Timeout)
}

package charts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/trust"
)

const (
	// MaxArchive is how large a packed chart may be: what a render takes in as one file.
	MaxArchive = 5 << 20
	// maxIndex: the largest public one has 20 MiB.
	maxIndex = 64 << 20
	// slowest is how long a server may take to begin an answer.
	slowest = 30 * time.Second

	agentName = "sluice"
)

// Config says how to talk to a server. The zero value talks to any, anonymously.
type Config struct {
	// Host is the only one that gets the credentials, host or host:port as in the address.
	Host string
	// Credentials are read for each request; nil: there are none.
	Credentials func() (gitsource.Credentials, error)
	// PlainHTTP asks a registry without TLS.
	PlainHTTP bool
}

// Server is where charts are fetched from. It may be used concurrently.
type Server struct{ config Config }

// NewServer makes a Server. It reaches nothing.
func NewServer(c Config) *Server { return &Server{c} }

// session is one conversation: the credentials that hold for it, and a client that trusts what they say.
type session struct {
	config Config
	known  gitsource.Credentials
	client *http.Client
	close  func()
}

// open begins a conversation about an address.
func (s *Server) open(about string) (*session, error) {
	at := &session{config: s.config}
	if s.config.Credentials != nil {
		var err error
		if at.known, err = s.config.Credentials(); err != nil {
			return nil, err
		}
	}
	believes, err := trust.TLS(at.known.CA)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: slowest, ResponseHeaderTimeout: slowest,
		MaxResponseHeaderBytes: 64 << 10, DisableCompression: true, // of an archive its own bytes are wanted
		TLSClientConfig: believes,
	}
	at.client, at.close = &http.Client{Transport: t, CheckRedirect: checkRedirect}, t.CloseIdleConnections
	if !strings.HasPrefix(about, "http://") && !s.config.PlainHTTP {
		at.client.Transport = tlsOnly{t}
	}
	return at, nil
}

// tlsOnly refuses what would go without TLS, such as a password to where a registry says that tokens are given out.
type tlsOnly struct{ http.RoundTripper }

func (t tlsOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" {
		return nil, fmt.Errorf("refused to ask %s without TLS", req.URL.Host)
	}
	return t.RoundTripper.RoundTrip(req)
}

// checkRedirect follows a redirect to another server without the credentials, and only to https. It compares with the first
// request, because Go copies the headers from there.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) >= 5:
		return errors.New("follow redirect: more than 5")
	case sameOrigin(first.URL, req.URL):
	case req.URL.Scheme != "https":
		return fmt.Errorf("follow redirect: refused to %s without TLS", req.URL.Host)
	default:
		req.Header.Del("Authorization")
		req.Header.Del("Cookie")
	}
	req.Header.Del("Referer")
	return nil
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

// Fetch gets the archive at an address, https://, http:// or the oci://host/path of a registry, if its SHA-256 is the one
// asked for, in hex.
func (s *Server) Fetch(ctx context.Context, address, sum string) ([]byte, error) {
	data, err := s.fetch(ctx, address, sum)
	if err == nil {
		if got := sumOf(data); got != sum {
			err = fmt.Errorf("%w: its digest is sha256:%s, the lock says sha256:%s", ErrOther, got, sum)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", shown(address), err)
	}
	return data, nil
}

func (s *Server) fetch(ctx context.Context, address, sum string) ([]byte, error) {
	at, err := s.open(address)
	if err != nil {
		return nil, err
	}
	defer at.close()
	if strings.HasPrefix(address, "oci://") {
		return at.blob(ctx, address, sum)
	}
	return at.get(ctx, address, MaxArchive)
}

// get reads a body of at most so many bytes.
func (at *session) get(ctx context.Context, address string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, plain(err)
	}
	req.Header.Set("User-Agent", agentName)
	if strings.EqualFold(req.URL.Host, at.config.Host) {
		switch k := at.known; {
		case k.Username != "" || !k.Password.Empty():
			req.SetBasicAuth(k.Username, k.Password.Reveal())
		case !k.Token.Empty():
			req.Header.Set("Authorization", "Bearer "+k.Token.Reveal())
		}
	}
	res, err := at.client.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if err := checkStatus(res.StatusCode); err != nil {
		return nil, err
	}
	return readAll(res.Body, res.ContentLength, most)
}

// readAll reads what is said to be so long, -1 where nothing was said. A body that ends early is an error.
func readAll(from io.Reader, length, most int64) ([]byte, error) {
	tooLarge := fmt.Errorf("%w: more than %d MiB", ErrTooLarge, most>>20)
	if length > most {
		return nil, tooLarge
	}
	data, err := io.ReadAll(io.LimitReader(from, most+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read answer: %w", plain(err))
	case int64(len(data)) > most:
		return nil, tooLarge
	}
	return data, nil
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// shown is an address for people: a query may be a secret.
func shown(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address
}

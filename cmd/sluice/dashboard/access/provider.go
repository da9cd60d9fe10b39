package access

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Secret is what a client proves itself to its provider with.
type Secret struct {
	Token string
	CA    []byte // an authority beside the system's, in PEM
}

// provider is what is known of the login service. It may be used concurrently.
type provider struct {
	issuer string
	secret func(context.Context) (Secret, error)
	log    *slog.Logger
	now    func() time.Time

	mu     sync.Mutex
	known  *oidc.Provider
	client *http.Client
	fresh  time.Time // until when known need not be asked for again
	next   time.Time // when it may be asked after a failure
	wait   time.Duration
	said   string
}

const (
	// answerTime bounds one request to the provider: somebody waits in front of a page.
	answerTime = 5 * time.Second
	// asksAgain is how old may be what it says of itself.
	asksAgain = time.Hour
	// The wait after a failure doubles.
	leastWait = time.Second
	mostWait  = time.Minute
	// longestAnswer bounds what it may say.
	longestAnswer = 1 << 20
)

// get returns the provider. One that is away is asked at most once in a while, and what was known before counts until then.
func (p *provider) get(ctx context.Context) (*oidc.Provider, *http.Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.known != nil && now.Before(p.fresh) {
		return p.known, p.client, nil
	}
	if now.Before(p.next) {
		if p.known != nil {
			return p.known, p.client, nil
		}
		return nil, nil, errAway
	}
	// Who asked may go away: that says nothing of the provider.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	known, client, err := p.discover(ctx)
	if err != nil {
		p.wait = min(max(2*p.wait, leastWait), mostWait)
		p.next = p.now().Add(p.wait)
		p.tell(err)
		if p.known != nil {
			return p.known, p.client, nil
		}
		return nil, nil, errAway
	}
	p.known, p.client, p.fresh, p.wait, p.next = known, client, now.Add(asksAgain), 0, time.Time{}
	p.tell(nil)
	return known, client, nil
}

// errAway is returned while the provider does not answer; why was logged.
var errAway = errors.New("the login service does not answer")

func (p *provider) discover(ctx context.Context) (*oidc.Provider, *http.Client, error) {
	secret, err := p.secret(ctx)
	if err != nil {
		return nil, nil, err
	}
	client, err := clientOf(secret.CA)
	if err != nil {
		return nil, nil, err
	}
	known, err := oidc.NewProvider(oidc.ClientContext(ctx, client), p.issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s: %w", p.issuer, err)
	}
	return known, client, nil
}

// tell logs an error that is another than the last. Its owner holds mu.
func (p *provider) tell(err error) {
	said := ""
	if err != nil {
		said = brief(err)
	}
	if said == p.said {
		return
	}
	if p.said = said; said != "" {
		p.log.Error("Login service was not reached", "err", said)
		return
	}
	p.log.Info("Login service answered again")
}

// brief is an error without the page that a provider, or what stands before it, may have sent with it.
func brief(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
	}
	return text
}

// clientOf returns what asks a provider: for so long, for so much, and nobody else than it was told to.
func clientOf(ca []byte) (*http.Client, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second,
	}
	if len(ca) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(ca) {
			return nil, errors.New("its ca.crt has no certificate")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Transport: bounded{transport}, Timeout: answerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// bounded reads so much of an answer.
type bounded struct{ base http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.base.RoundTrip(r)
	if err == nil {
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(answer.Body, longestAnswer), answer.Body}
	}
	return answer, err
}

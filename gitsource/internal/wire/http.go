package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/gitsource/trust"
)

// errStale says that a request which skipped the greeting was not understood: the repository moved or changed.
var errStale = errors.New("what was known of the server no longer holds")

const agentName = "git/2 (sluice)"

type httpChannel struct {
	remote  *Remote
	service Service
	auth    Auth
	client  *http.Client
}

func (r *Remote) dialHTTP(service Service, auth Auth) (channel, error) {
	client, err := r.clientFor(auth.CA)
	if err != nil {
		return nil, err
	}
	return &httpChannel{remote: r, service: service, auth: auth, client: client}, nil
}

// clientFor keeps one client, and with it its connections, until the certificate authorities change.
func (r *Remote) clientFor(ca []byte) (*http.Client, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.client != nil && r.ca == string(ca) {
		return r.client, nil
	}
	believes, err := trust.TLS(ca)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4,
		IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 20 * time.Second, TLSClientConfig: believes,
	}
	if r.client != nil {
		r.client.CloseIdleConnections()
	}
	r.client, r.ca = &http.Client{Transport: t, CheckRedirect: checkRedirect}, string(ca)
	return r.client, nil
}

// checkRedirect lets only a greeting be redirected, never from https to http, and drops the credentials where the
// target is another host or port. It compares with the first request, because Go copies the headers from there.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case first.Method != http.MethodGet:
		return http.ErrUseLastResponse
	case len(via) >= 5:
		return errors.New("follow redirect: more than 5")
	case first.URL.Scheme == "https" && req.URL.Scheme != "https":
		return errors.New("follow redirect: refused from https to http")
	}
	if !sameOrigin(first.URL, req.URL) {
		req.Header.Del("Authorization")
		req.Header.Del("Cookie")
	}
	req.Header.Del("Referer")
	return nil
}

func sameOrigin(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

func (c *httpChannel) base() string {
	c.remote.mu.Lock()
	defer c.remote.mu.Unlock()
	if c.remote.learnt.base != "" {
		return c.remote.learnt.base
	}
	return c.remote.cfg.Address.base()
}

func (c *httpChannel) request(ctx context.Context, method, target string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", agentName)
	if c.service == UploadPack {
		req.Header.Set("Git-Protocol", "version=2")
	}
	own, err := url.Parse(c.remote.cfg.Address.base())
	if err != nil || !sameOrigin(own, req.URL) { // a redirect led elsewhere: nothing of ours goes there
		return req, err
	}
	user, secret := c.auth.User, c.auth.Password
	if c.auth.Token != "" {
		secret = c.auth.Token
		if user == "" {
			user = "x-access-token" // hosted forges take any name beside a token; GitHub documents this one
		}
	}
	if user == "" {
		user = c.remote.cfg.Address.User
	}
	if secret != "" || c.auth.User != "" {
		req.SetBasicAuth(user, secret)
	}
	return req, nil
}

const infoRefs = "/info/refs"

func (c *httpChannel) greeting(ctx context.Context) (io.ReadCloser, error) {
	c.remote.forget()
	req, err := c.request(ctx, http.MethodGet, c.base()+infoRefs+"?service="+string(c.service), nil)
	if err != nil {
		return nil, err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return nil, plainURLError(err)
	}
	if err := c.check(res, "advertisement"); err != nil {
		res.Body.Close()
		return nil, err
	}
	if end := res.Request.URL; strings.HasSuffix(end.Path, infoRefs) {
		moved := url.URL{Scheme: end.Scheme, Host: end.Host, Path: strings.TrimSuffix(end.Path, infoRefs)}
		c.remote.learnBase(moved.String())
	}
	return res.Body, nil
}

func (c *httpChannel) call(ctx context.Context, body []byte, _ bool) (io.ReadCloser, error) {
	req, err := c.request(ctx, http.MethodPost, c.base()+"/"+string(c.service), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-"+string(c.service)+"-request")
	req.Header.Set("Accept", "application/x-"+string(c.service)+"-result")
	res, err := c.client.Do(req)
	if err != nil {
		return nil, plainURLError(err)
	}
	if err := c.check(res, "result"); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res.Body, nil
}

// plainURLError drops the URL that net/http repeats: whoever calls us names the repository.
func plainURLError(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// check gives a status code its kind.
func (c *httpChannel) check(res *http.Response, answer string) error {
	code := res.StatusCode
	stale := code >= 300 && code < 400 || code == http.StatusNotFound || code == http.StatusMethodNotAllowed ||
		code == http.StatusBadRequest || code == http.StatusUnsupportedMediaType
	switch {
	case code == http.StatusOK:
		want := "application/x-" + string(c.service) + "-" + answer
		if got := res.Header.Get("Content-Type"); got != want {
			return fmt.Errorf("%w: answered with content type %q, not as a Git server", ErrUnavailable, clean(got, c.auth.secrets()))
		}
		return nil
	case code == http.StatusUnauthorized:
		return fmt.Errorf("%w: %s", ErrAuth, c.said(res))
	case code == http.StatusForbidden && c.service == ReceivePack:
		return fmt.Errorf("%w: %s", ErrReadOnly, c.said(res))
	case code == http.StatusForbidden:
		return fmt.Errorf("%w: %s", ErrAuth, c.said(res))
	case code == http.StatusNotFound || code == http.StatusGone:
		return fmt.Errorf("%w: %s (%w)", ErrNotFound, c.said(res), errStale)
	case stale:
		return fmt.Errorf("%w: %s (%w)", ErrUnavailable, c.said(res), errStale)
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, c.said(res))
}

// said is the status and, where the server sent plain text, its first words.
func (c *httpChannel) said(res *http.Response) string {
	text := fmt.Sprintf("status %d", res.StatusCode)
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1024)) //nolint:errcheck // only to say more
		if words := clean(string(body), c.secrets(res.Request)); words != "" {
			text += ": " + words
		}
	}
	return text
}

// secrets are the credentials and the form in which they were sent.
func (c *httpChannel) secrets(req *http.Request) []string {
	all := c.auth.secrets()
	if _, sent, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok {
		all = append(all, sent)
	}
	return all
}

func (c *httpChannel) explain(_ context.Context, err error) error { return err }
func (c *httpChannel) close()                                     {}

func (r *Remote) knowsV2() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.learnt.v2
}

func (r *Remote) learnV2() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.learnt.v2 = r.cfg.Address.Scheme != "ssh" // there the greeting cannot be skipped
}

func (r *Remote) learnBase(base string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.learnt.base = base
}

func (r *Remote) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.learnt = learnt{}
}

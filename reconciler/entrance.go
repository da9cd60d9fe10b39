package reconciler

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource/trust"
)

// entrance shows the credentials to one host, and trusts the authority that comes with them. It may be used concurrently.
type entrance struct {
	address     string
	credentials *credentials // nil: there are none

	mu   sync.Mutex
	ca   string
	base *http.Transport
}

// RoundTrip implements http.RoundTripper.
func (e *entrance) RoundTrip(request *http.Request) (*http.Response, error) {
	if e.credentials == nil {
		base, err := e.transport("")
		if err != nil {
			return nil, err
		}
		return base.RoundTrip(request)
	}
	shown, err := e.credentials.get()
	if err != nil {
		return nil, err
	}
	base, err := e.transport(string(shown.CA))
	if err != nil {
		return nil, err
	}
	request = request.Clone(request.Context())
	at, err := url.Parse(e.address)
	switch {
	case err != nil || request.URL.Host != at.Host || request.URL.Scheme != at.Scheme: // whoever else is asked gets nothing
	case !shown.Token.Empty():
		request.Header.Set("Authorization", "Bearer "+shown.Token.Reveal())
	case shown.Username != "" || !shown.Password.Empty():
		request.SetBasicAuth(shown.Username, shown.Password.Reveal())
	}
	return base.RoundTrip(request)
}

// transport is the one that trusts the system's authorities and this one.
func (e *entrance) transport(ca string) (*http.Transport, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.base != nil && e.ca == ca {
		return e.base, nil
	}
	believes, err := trust.TLS([]byte(ca))
	if err != nil {
		return nil, fmt.Errorf("its %w", err)
	}
	made := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: perProvider, IdleConnTimeout: 90 * time.Second,
		TLSClientConfig: believes,
	}
	if e.base != nil {
		e.base.CloseIdleConnections()
	}
	e.base, e.ca = made, ca
	return made, nil
}

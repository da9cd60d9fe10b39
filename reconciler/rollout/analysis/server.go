package analysis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Answer is what a provider said: one of the fields is set.
type Answer struct {
	Value   string // a number, or for a web server any text
	Missing string // why there is no value
	Good    string // the provider itself says that it is well, and how
	Bad     string // or that it is not
	Running bool   // nothing yet: ask again
}

// ErrRefused is a server that does not take the credentials.
var ErrRefused = errors.New("it refuses the credentials")

// mostAnswer is what is read of an answer: a thousand times what one value needs.
const mostAnswer = 1 << 20

// mostHops bounds redirections within a host.
const mostHops = 5

// Server is where a provider is and how it is spoken to. It may be used concurrently.
type Server struct {
	// URL is the address below which everything is asked.
	URL string
	// Timeout bounds each request, redirections and answer included.
	Timeout time.Duration
	// Transport adds the credentials. Nil: there are none.
	Transport http.RoundTripper
}

// do makes one request below the server's address and reads the answer.
func (s Server) do(ctx context.Context, method, path, query string, body io.Reader) (status int, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	base, err := url.Parse(s.URL)
	if err != nil {
		return 0, nil, errors.New("its address cannot be read")
	}
	at := base.JoinPath(path)
	at.RawQuery = query
	request, err := http.NewRequestWithContext(ctx, method, at.String(), body)
	if err != nil {
		return 0, nil, errors.New("its address cannot be read")
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{Transport: s.Transport, CheckRedirect: within(base)}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, s.plain(ctx, err)
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(response.Body, mostAnswer+1))
	switch {
	case err != nil:
		return 0, nil, s.plain(ctx, err)
	case len(answer) > mostAnswer:
		return 0, nil, fmt.Errorf("its answer is larger than %d bytes", mostAnswer)
	case response.StatusCode == http.StatusUnauthorized, response.StatusCode == http.StatusForbidden:
		return 0, nil, fmt.Errorf("%w (status %d)", ErrRefused, response.StatusCode)
	}
	return response.StatusCode, answer, nil
}

// within follows redirections to the same host alone: what lies behind another was allowed by nobody.
func within(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(request *http.Request, via []*http.Request) error {
		switch {
		case request.URL.Scheme != base.Scheme || request.URL.Host != base.Host:
			return errors.New("it leads to another host, which is not followed")
		case len(via) > mostHops:
			return errors.New("it leads on and on")
		}
		return nil
	}
}

// plain is an error without address, ports and times, so that the same problem gives the same text.
func (s Server) plain(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("it did not answer within %s", s.Timeout)
	}
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	var unknown *net.DNSError
	if errors.As(err, &unknown) {
		return errors.New("its host is not known")
	}
	var dial *net.OpError
	if errors.As(err, &dial) {
		err = dial.Err
	}
	return err
}

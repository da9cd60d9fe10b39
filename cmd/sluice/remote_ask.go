package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/trust"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/view"
)

const (
	// askWithin bounds a question, and largestAnswer what is read of it: the board of 10,000 environments has some 20 MB.
	askWithin     = 30 * time.Second
	largestAnswer = 64 << 20
	// mostAnswers bounds the histories that are kept for when the agent is away.
	mostAnswers = 64
)

// login is how the agent is told who asks.
type login = gitsource.Credentials

// agentAddress reads the address of an agent's dashboard, and how to get in.
func agentAddress(address, credentials string) (url.URL, func() (login, error), error) {
	plain, found := apart(address)
	if !strings.Contains(plain, "://") {
		plain = "http://" + plain
	}
	of, err := url.Parse(plain)
	if err != nil || of.Host == "" || of.User != nil || of.Scheme != "http" && of.Scheme != "https" {
		return url.URL{}, nil, errors.New("--agent must be the address of a dashboard, as http://127.0.0.1:8090")
	}
	of.Path, of.RawPath, of.RawQuery, of.Fragment = strings.TrimSuffix(of.Path, "/")+"/api/v1/", "", "", ""
	if credentials == "" {
		return *of, func() (login, error) { return found, nil }, nil
	}
	return *of, func() (login, error) {
		values, err := config.LoadCredentials(credentials)
		return gitsource.CredentialsFrom(values), err
	}, nil
}

// clientFor makes what asks. It follows nobody elsewhere: a login page is no answer, and credentials are for one address.
func clientFor(who func() (login, error)) (*http.Client, error) {
	credentials, err := who()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ResponseHeaderTimeout = askWithin
	if transport.TLSClientConfig, err = trust.TLS(credentials.CA); err != nil {
		return nil, fmt.Errorf("--credentials: %w", err)
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// request makes a request for what is below the API. Credentials are read anew each time, so that they can be rotated.
func (r *remote) request(ctx context.Context, query url.Values, names ...string) (*http.Request, error) {
	path := r.api.Path
	for _, name := range names {
		if strings.Trim(name, ".") == "" {
			return nil, view.ErrUnknown // they would lead elsewhere
		}
		path += url.PathEscape(name) + "/"
	}
	below := url.URL{Scheme: r.api.Scheme, Host: r.api.Host, RawQuery: query.Encode()}
	below.RawPath = strings.TrimSuffix(path, "/")
	var err error
	if below.Path, err = url.PathUnescape(below.RawPath); err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, below.String(), nil)
	if err != nil {
		return nil, err
	}
	who, err := r.login()
	if err != nil {
		return nil, err
	}
	switch token := who.Token.Reveal(); {
	case token != "":
		request.Header.Set("Authorization", "Bearer "+token)
	case who.Username != "":
		request.SetBasicAuth(who.Username, who.Password.Reveal())
	}
	request.Header.Set("Accept", "application/json")
	return request, nil
}

// read asks for what is below the API, and returns all that is answered.
func (r *remote) read(ctx context.Context, query url.Values, names ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	request, err := r.request(ctx, query, names...)
	if err != nil {
		return nil, err
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return nil, fault(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, r.largest+1))
	switch {
	case err != nil:
		return nil, fault(err)
	case int64(len(raw)) > r.largest:
		return nil, fmt.Errorf("the answer has more than %d bytes", r.largest)
	case answer.StatusCode != http.StatusOK:
		return nil, refused(answer.StatusCode, raw)
	}
	return raw, nil
}

// fault leaves out the address of a failed request: it is said beside it.
func fault(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// refused is the error that an answer is.
func refused(status int, raw []byte) error {
	var said struct{ Error, Kind string }
	_ = json.Unmarshal(raw, &said) // what is no JSON says nothing
	switch {
	case said.Kind == "unknown":
		return view.ErrUnknown
	case said.Kind == "elsewhere":
		return view.ErrElsewhere
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status >= 300 && status < 400:
		return fmt.Errorf("it asks who looks (%d): --credentials say so", status)
	case said.Error != "":
		return fmt.Errorf("it says: %s", printable(said.Error))
	}
	return fmt.Errorf("it answers with status %d", status)
}

func decodeAnswer(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("its answer is not understood: %w", err)
	}
	return nil
}

// ask asks for what is below the API, and keeps the answer for when the agent is away.
func (r *remote) ask(ctx context.Context, into any, query url.Values, names ...string) error {
	key := strings.Join(names, "/")
	raw, err := r.read(ctx, query, names...)
	if err == nil {
		err = decodeAnswer(raw, into)
	}
	if err == nil && query == nil {
		r.answers.keep(key, raw)
	}
	return err
}

// orLast takes the answer of before where there is none now, and has it said that it is old. What there is not is no failure.
func (r *remote) orLast(err error, into any, old func(), names ...string) error {
	if err == nil || errors.Is(err, view.ErrUnknown) || errors.Is(err, view.ErrElsewhere) {
		return err
	}
	raw, ok := r.answers.of(strings.Join(names, "/"))
	if !ok || decodeAnswer(raw, into) != nil {
		return err
	}
	old()
	return nil
}

// answers are the last ones.
type answers struct {
	mu   *sync.Mutex
	kept map[string][]byte
}

func newAnswers() answers { return answers{&sync.Mutex{}, map[string][]byte{}} }

func (a answers) keep(key string, raw []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, there := a.kept[key]; !there && len(a.kept) >= mostAnswers {
		clear(a.kept)
	}
	a.kept[key] = raw
}

func (a answers) of(key string) ([]byte, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	raw, ok := a.kept[key]
	return raw, ok
}

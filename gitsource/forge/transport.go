package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
)

const (
	// maxBody is more than 100 merge requests with the longest texts that GitHub takes, 64 KiB each.
	maxBody = 16 << 20
	// maxPages of a list are read; 100 entries each make 10,000.
	maxPages     = 100
	maxRedirects = 5
)

// transport is the one place through which the libraries reach a forge. It keeps to the budget, shows the credentials to
// the forge's own host alone, reads answers whole within limits of time and size, and makes an [Error] of everything that
// is not a success, so that the libraries see only answers they can use. It never waits and never sends twice.
type transport struct {
	kind    Kind
	api     *url.URL
	base    http.RoundTripper
	auth    authority
	budget  *Budget
	now     func() time.Time
	timeout time.Duration
	counts  *counts
}

// authority gives the secret to show, and is told when the forge did not accept it.
type authority interface {
	secret(ctx context.Context) (gitsource.Secret, error)
	rejected(gitsource.Secret)
}

// Counts are requests since the client was opened, for metrics.
type Counts struct {
	Reads, Writes uint64 // sent
	Limited       uint64 // held back by the budget, or refused by the forge for their number
	Failed        uint64 // sent, and neither a success nor limited
}

type counts struct{ reads, writes, limited, failed atomic.Uint64 }

// client is what the libraries are given.
func (t *transport) client() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: t.follow}
}

// follow lets a repository that was renamed be found, as long as the request stays what it was and where it was.
func (t *transport) follow(req *http.Request, via []*http.Request) error {
	e := &Error{Problem: Refused, Request: via[0].Method + " " + via[0].URL.Path}
	switch {
	case len(via) > maxRedirects:
		e.Message = "too many redirects"
	case !t.ours(req.URL):
		e.Message = fmt.Sprintf("redirected to another host, %q", req.URL.Host)
	case req.Method != via[0].Method:
		e.Message = "moved: the repository's address has to be changed to its new one"
	default:
		return nil
	}
	return e
}

func (t *transport) ours(u *url.URL) bool { return u.Scheme == t.api.Scheme && u.Host == t.api.Host }

// RoundTrip is for net/http.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	write := req.Method != http.MethodGet && req.Method != http.MethodHead
	e := &Error{Request: req.Method + " " + req.URL.Path}
	if !t.ours(req.URL) {
		closeBody(req)
		e.Problem, e.Message = Refused, fmt.Sprintf("host %q is not the forge's", req.URL.Host)
		return nil, e
	}
	secret, err := t.auth.secret(req.Context())
	if err != nil {
		closeBody(req)
		var known *Error
		if errors.As(err, &known) || req.Context().Err() != nil {
			return nil, err
		}
		e.Problem, e.Message, e.cause = Unavailable, cut(err.Error(), 200), err
		return nil, e
	}
	if until := t.budget.begin(t.now(), write); !until.IsZero() {
		closeBody(req)
		t.counts.limited.Add(1)
		e.Problem, e.Message, e.Until = RateLimited, "held back to stay within the forge's limits", until
		return nil, e
	}
	defer func() { t.budget.end(t.now(), write) }()
	if write {
		t.counts.writes.Add(1)
	} else {
		t.counts.reads.Add(1)
	}
	resp, err := t.send(req, secret, e)
	switch {
	case err == nil:
		return resp, nil
	case Is(err, RateLimited):
		t.counts.limited.Add(1)
	default:
		t.counts.failed.Add(1)
	}
	return nil, err
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

// send has one conversation. e is what an error begins with.
func (t *transport) send(req *http.Request, secret gitsource.Secret, e *Error) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), t.timeout)
	defer cancel()
	out := req.Clone(ctx)
	out.Header.Del("Private-Token")
	out.Header.Set("User-Agent", "sluice")
	out.Header.Del("Authorization")
	if !secret.Empty() {
		scheme := "Bearer "
		if t.kind.gitea() {
			scheme = "token "
		}
		out.Header.Set("Authorization", scheme+secret.Reveal())
	}
	resp, err := t.base.RoundTrip(out)
	if err != nil {
		return nil, t.silent(req.Context(), e, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, t.silent(req.Context(), e, err)
	}
	e.Status = resp.StatusCode
	limited := t.heed(resp.Header)
	switch {
	case resp.StatusCode >= 400:
		t.judge(e, resp, body, limited)
		if resp.StatusCode == http.StatusUnauthorized {
			t.auth.rejected(secret)
		}
		e.Message = scrub(e.Message, secret)
		return nil, e
	case len(body) > maxBody:
		e.Problem, e.Message = Unavailable, fmt.Sprintf("the answer is larger than %d MiB", maxBody>>20)
		return nil, e
	case resp.StatusCode < 300 && len(bytes.TrimSpace(body)) > 0 && !json.Valid(body):
		e.Problem, e.Message = Unavailable, "the answer is no JSON"
		return nil, e
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Request = req
	return resp, nil
}

// silent is for a forge that did not answer to the end.
func (t *transport) silent(ctx context.Context, e *Error, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e.Problem, e.cause = Unavailable, err
	e.Message = "no answer: " + cut(err.Error(), 200)
	if errors.Is(err, context.DeadlineExceeded) {
		e.Message = fmt.Sprintf("no whole answer within %s", t.timeout)
	}
	return e
}

// scrub is for a forge that repeats what it was sent.
func scrub(message string, secret gitsource.Secret) string {
	if secret.Empty() {
		return message
	}
	return strings.ReplaceAll(message, secret.Reveal(), secret.String())
}

// pages reads a list to its end. fetch returns the number of the next page, zero after the last.
func pages[T any](fetch func(page int) ([]T, int, error)) ([]T, error) {
	var all []T
	for page := 1; page != 0; {
		items, next, err := fetch(page)
		if err != nil {
			return nil, err
		}
		if next != 0 && next <= page || next > maxPages {
			return nil, odd("page %d is followed by page %d", page, next)
		}
		all, page = append(all, items...), next
	}
	return slices.Clip(all), nil
}

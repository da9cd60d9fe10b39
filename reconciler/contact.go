package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// contact is when a repository or a cluster answered. It may be used concurrently; the zero value is one that was not asked yet.
type contact struct {
	mu       sync.Mutex
	answered time.Time // the last time
	failing  time.Time // since when it does not; zero: it does
	times    int       // that it did not, in a row
	fault    string
	changed  func() // told when it ceases to answer, or does again; nil: nobody is
}

// tell notes an answer, or why there was none.
func (c *contact) tell(at time.Time, err error) {
	c.mu.Lock()
	before, text := c.fault, ""
	if err == nil {
		c.answered, c.failing, c.times = at, time.Time{}, 0
	} else {
		if text = oneLine(err.Error()); c.failing.IsZero() {
			c.failing = at
		}
		c.times++
	}
	moved := before != text || c.times == lostAfter
	c.fault = text
	changed := c.changed
	c.mu.Unlock()
	if moved && changed != nil {
		changed()
	}
}

// lostAfter is how many times in a row somebody does not answer before what they said last counts as old.
const lostAfter = 2

// standing is what is known of somebody.
type standing struct {
	answered, failing time.Time
	fault             string
	lost              bool
}

func (c *contact) stands() standing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return standing{c.answered, c.failing, c.fault, c.times >= lostAfter}
}

// heard has every client that is made of a configuration tell whether the cluster answers.
func (c *contact) heard(conf *rest.Config, now func() time.Time) {
	conf.Wrap(func(next http.RoundTripper) http.RoundTripper { return ear{next, c, now} })
}

// ear hears whether requests are answered.
type ear struct {
	next    http.RoundTripper
	contact *contact
	now     func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (e ear) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := e.next.RoundTrip(request)
	if err == nil || !errors.Is(request.Context().Err(), context.Canceled) { // who does not wait learns nothing
		e.contact.tell(e.now(), cmp.Or(err, unusable(response)))
	}
	return response, err
}

// unusable is why nothing can be known by an answer: whoever gave it is no API server that works, or does not know us any more.
func unusable(response *http.Response) error {
	if response != nil && (response.StatusCode == http.StatusUnauthorized || response.StatusCode >= http.StatusInternalServerError) {
		return fmt.Errorf("the answer is %s", response.Status)
	}
	return nil
}

// WrappedRoundTripper lets client-go find the transport below.
func (e ear) WrappedRoundTripper() http.RoundTripper { return e.next }

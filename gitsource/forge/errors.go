package forge

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Problem says what became of a request that did not succeed. Its values are read by people.
type Problem string

const (
	// RateLimited says that the account has asked too much. Nothing is sent before Error.Until.
	RateLimited Problem = "rate limited"
	// NotAllowed says that the credentials are not accepted or lack a right; a person has to change something.
	NotAllowed Problem = "not allowed"
	// NotFound says that it is not there, or the credentials may not see it; forges do not tell which.
	NotFound Problem = "not found"
	// Exists says that an open merge request of that branch is there already. Find gives it.
	Exists Problem = "there already"
	// Refused says that the forge understood and will not do it. The same request will fare no better.
	Refused Problem = "refused"
	// Unavailable says that the forge cannot be reached, is too slow, or answers nonsense. Worth another try later.
	Unavailable Problem = "unavailable"
)

// Error is every error of a forge; errors of an ended context are returned as they are. Its text holds no secret and no
// times, so that the same trouble reads the same.
type Error struct {
	Problem Problem
	// Status is the HTTP status, zero where there was no answer.
	Status int
	// Request is the method and the path, without the query.
	Request string
	// Message is in the forge's own words, at most 300 characters. It may be empty.
	Message string
	// Right that is lacking, as the forge calls it. Empty where the forge does not say.
	Right string
	// Until is when the next request may be sent. Zero leaves it to the caller's back-off.
	Until time.Time

	cause error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Problem))
	if e.Status != 0 {
		b.WriteString(" (" + strconv.Itoa(e.Status) + ")")
	}
	if e.Request != "" {
		b.WriteString(": " + e.Request)
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Right != "" {
		b.WriteString(": needs " + e.Right)
	}
	return b.String()
}

// Unwrap is what lies below: a failed connection, say.
func (e *Error) Unwrap() error { return e.cause }

// ReadOnly says that the credentials may not do it, for callers that know no forge.
func (e *Error) ReadOnly() bool { return e.Problem == NotAllowed }

// Is returns whether an error of a forge has this problem.
func Is(err error, problem Problem) bool {
	var e *Error
	return errors.As(err, &e) && e.Problem == problem
}

// RetryAfter is how long the caller should wait before the next request: until the time that the forge named, else zero,
// which leaves it to the caller's own back-off.
func RetryAfter(err error, now time.Time) time.Duration {
	var e *Error
	if !errors.As(err, &e) || e.Until.IsZero() {
		return 0
	}
	return max(e.Until.Sub(now), 0)
}

// explain makes of what a library returns an Error, or the cause of an ended context.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &e):
		return e
	}
	return nonsense(err)
}

// safely calls a library. Some stumble over answers that no forge should give, such as a list with null in it; that is one
// more way of an answer to make no sense.
func safely(ctx context.Context, call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = odd("%v", r)
		}
	}()
	return explain(ctx, call())
}

// nonsense is an answer that is not what its documentation says.
func nonsense(cause error) error {
	return &Error{Problem: Unavailable, Message: "the answer makes no sense: " + cut(cause.Error(), 200), cause: cause}
}

// odd is nonsense that no library would see.
func odd(format string, args ...any) error { return nonsense(fmt.Errorf(format, args...)) }

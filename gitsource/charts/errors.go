package charts

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// What a caller can tell apart with errors.Is. The others are worth another try soon.
var (
	// ErrNotFound: the server answers and does not have it.
	ErrNotFound = errors.New("not found")
	// ErrAuth: the server does not accept the credentials, or wants some.
	ErrAuth = errors.New("authentication refused")
	// ErrOther: the archive is not the one that was asked for.
	ErrOther = errors.New("the archive is another one")
	// ErrTooLarge: more bytes than are taken in.
	ErrTooLarge = errors.New("too large")
)

// Lasting reports whether an error stays until somebody changes something at the server or in the lock.
func Lasting(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrOther) || errors.Is(err, ErrTooLarge)
}

// checkStatus gives a status code its kind.
func checkStatus(code int) error {
	switch code {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w: status %d", ErrAuth, code)
	case http.StatusNotFound, http.StatusGone:
		return fmt.Errorf("%w: status %d", ErrNotFound, code)
	}
	return fmt.Errorf("status %d", code)
}

// explain gives the error of a registry its kind. What the server wrote is left out: it may repeat what it was sent.
func explain(err error) error {
	var answer *errcode.ErrorResponse
	switch {
	case err == nil:
		return nil
	case errors.As(err, &answer):
		return checkStatus(answer.StatusCode)
	case errors.Is(err, errdef.ErrNotFound):
		return ErrNotFound
	case errors.Is(err, auth.ErrBasicCredentialNotFound):
		return fmt.Errorf("%w: it wants credentials", ErrAuth)
	}
	return plain(err)
}

// plain drops the URL that net/http repeats, which may have a signature in it: whoever calls us names the address.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

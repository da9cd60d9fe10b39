package world

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// Account is somebody whom the forge knows: a person, or an agent.
type Account struct {
	// Name and Token are what Git and the API take. The administrator has none, and they take the password instead.
	Name, Token string
	password    string // for the login at the forge's pages
}

// RefusedError is an answer of the forge's API that is no success.
type RefusedError struct {
	Method, Path string
	Code         int
	Text         string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s %s: %d: %s", e.Method, e.Path, e.Code, e.Text)
}

// Call asks the API, whose documentation the forge itself has at /api/swagger, as somebody. in and out are JSON, and may
// be nil. A *RefusedError has what the forge answered instead of a success.
func (f *Forge) Call(by Account, method, path string, in, out any) error {
	body := bytes.NewBuffer(nil)
	if in != nil {
		if err := json.NewEncoder(body).Encode(in); err != nil {
			return err
		}
	}
	request, err := http.NewRequest(method, f.URL+"/api/v1"+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if by.Token != "" {
		request.Header.Set("Authorization", "token "+by.Token)
	} else {
		request.SetBasicAuth(by.Name, by.password)
	}
	answer, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if answer.StatusCode >= 300 {
		return &RefusedError{method, path, answer.StatusCode, string(bytes.TrimSpace(text))}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s %s: %w: %s", method, path, err, text)
	}
	return nil
}

// must is Call where an error is a failure.
func (f *Forge) must(t testing.TB, by Account, method, path string, in, out any) {
	t.Helper()
	if err := f.Call(by, method, path, in, out); err != nil {
		t.Fatal(err)
	}
}

// all asks for every page of a list.
func all[T any](t testing.TB, f *Forge, by Account, path string) []T {
	t.Helper()
	const most = 50 // Gitea's MAX_RESPONSE_ITEMS
	var out []T
	for page := 1; ; page++ {
		var some []T
		f.must(t, by, http.MethodGet, fmt.Sprintf("%s&limit=%d&page=%d", path, most, page), nil, &some)
		out = append(out, some...)
		if len(some) < most {
			return out
		}
	}
}

// NewAccount makes an account with one token. Scopes are Gitea's: all, write:repository, read:issue and so on.
func (f *Forge) NewAccount(t testing.TB, name string, scopes ...string) Account {
	t.Helper()
	account := Account{Name: name, password: rand.Text()}
	f.must(t, f.admin, http.MethodPost, "/admin/users", map[string]any{
		"username": name, "email": name + "@example.com", "password": account.password, "must_change_password": false,
	}, nil)
	account.Token = f.NewToken(t, name, scopes...)
	return account
}

// NewToken makes one more token for an account.
func (f *Forge) NewToken(t testing.TB, account string, scopes ...string) string {
	t.Helper()
	var token struct {
		SHA1 string `json:"sha1"`
	}
	f.must(t, f.admin, http.MethodPost, "/users/"+account+"/tokens", map[string]any{"name": rand.Text(), "scopes": scopes}, &token)
	return token.SHA1
}

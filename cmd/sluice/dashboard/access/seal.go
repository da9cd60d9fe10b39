package access

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// login is what is to be remembered between leading somebody to the provider and their coming back.
type login struct {
	Nonce    string    `json:"n"` // that the ID token has to have
	Verifier string    `json:"v"` // of PKCE
	Return   string    `json:"r"` // the page that was asked for
	Until    time.Time `json:"u"`
}

// sealer keeps logins where they cost nothing: in the state that comes back from the provider, encrypted and signed, and worth
// something only together with the cookie of the browser that began. So several tabs may log in at once.
type sealer struct{ aead cipher.AEAD }

func newSealer() (sealer, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("make key of logins: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

func (s sealer) seal(l login, browser string) (string, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, text, []byte(browser))), nil
}

var errNoLogin = errors.New("no login of this browser, or one too long ago")

func (s sealer) open(state, browser string, now time.Time) (login, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(state)
	if err != nil || browser == "" {
		return login{}, errNoLogin
	}
	text, err := s.aead.Open(nil, nil, sealed, []byte(browser))
	if err != nil {
		return login{}, errNoLogin
	}
	var l login
	if err := json.Unmarshal(text, &l); err != nil || !now.Before(l.Until) {
		return login{}, errNoLogin
	}
	return l, nil
}

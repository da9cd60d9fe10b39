package record

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const (
	keyPrefix = "ed25519:"
	pemType   = "PRIVATE KEY"
)

// Signer holds the agent's private key. It prints as its public key, is immutable, and may be used by many at
// once.
type Signer struct{ private ed25519.PrivateKey }

// NewKey makes a new key.
func NewKey() (*Signer, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	return &Signer{private}, nil
}

// ParseSigner reads a key that [Signer.PEM] wrote.
func ParseSigner(data []byte) (*Signer, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != pemType {
		return nil, errors.New("read signing key: no PEM block of type " + pemType)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read signing key: %w", err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("read signing key: it is not an ed25519 key")
	}
	return &Signer{private}, nil
}

// PEM returns the private key (PKCS #8); it belongs into a Secret.
func (s Signer) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(s.private)
	if err != nil {
		return nil, fmt.Errorf("write signing key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// Public returns the public key.
func (s Signer) Public() PublicKey {
	public, _ := s.private.Public().(ed25519.PublicKey)
	return PublicKey{string(public)}
}

// KeyID returns the ID of the public key.
func (s Signer) KeyID() string { return s.Public().ID() }

// String returns the public key's text.
func (s Signer) String() string { return s.Public().String() }

// Format prints the public key under every verb.
func (s Signer) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.Public().String()) }

// Sign signs a line that a [Chain] made for this key.
func (s Signer) Sign(l Line) (Line, error) {
	if l.Key != s.KeyID() {
		return Line{}, fmt.Errorf("sign line %q: it was made for key %q", l.ID, l.Key)
	}
	if l.text != "" {
		return Line{}, fmt.Errorf("sign line %q: it is signed already", l.ID)
	}
	payload := l.payload()
	l.Sig = base64.StdEncoding.EncodeToString(ed25519.Sign(s.private, []byte(payload)))
	l.text = payload + sigKey + l.Sig + sigEnd
	return l, nil
}

// PublicKey is a key that lines are verified with. The zero value verifies nothing. It is comparable.
type PublicKey struct{ raw string }

// ParsePublicKey reads "ed25519:<base64>".
func ParsePublicKey(text string) (PublicKey, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(text), keyPrefix)
	if !ok {
		return PublicKey{}, fmt.Errorf("parse public key %q: it must begin with %q", cut(clean(text), 80), keyPrefix)
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return PublicKey{}, fmt.Errorf("parse public key: %w", err)
	}
	if len(raw) != ed25519.PublicKeySize {
		return PublicKey{}, fmt.Errorf("parse public key: %d bytes, must be %d", len(raw), ed25519.PublicKeySize)
	}
	return PublicKey{string(raw)}, nil
}

// String returns the key as `agent.yaml` and `--keys FILE` have it.
func (k PublicKey) String() string {
	return keyPrefix + base64.StdEncoding.EncodeToString([]byte(k.raw))
}

// ID returns the short name of the key: the first 8 bytes of its SHA-256, in hex.
func (k PublicKey) ID() string {
	sum := sha256.Sum256([]byte(k.raw))
	return hex.EncodeToString(sum[:8])
}

func (k PublicKey) verifies(payload string, signature []byte) bool {
	return len(k.raw) == ed25519.PublicKeySize && ed25519.Verify(ed25519.PublicKey(k.raw), []byte(payload), signature)
}

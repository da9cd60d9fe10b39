package gitsource

import (
	"fmt"
	"io"
	"log/slog"
)

const redacted = "<redacted>"

// Secret is text that must not be seen: under every verb of fmt, in JSON and in slog it is "<redacted>". The zero value
// is the empty secret.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal gives the value. Every call of it is a place to look at in a review.
func (s Secret) Reveal() string { return s.value }

// Empty says that there is no value.
func (s Secret) Empty() bool { return s.value == "" }

// String is "<redacted>".
func (Secret) String() string { return redacted }

// Format writes "<redacted>" under every verb and flag.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) } //nolint:errcheck // fmt has no way to tell

// MarshalText is "<redacted>", for JSON, YAML and map keys.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue is "<redacted>".
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Credentials are what is shown to a server. All fields are optional, except KnownHosts for SSH.
type Credentials struct {
	// Username is the user of HTTP basic authentication or of SSH. Empty means the one in the URL, else "git" for SSH.
	Username string
	// Password is for HTTP basic authentication, or for SSH where there is no key.
	Password Secret
	// Token is sent over HTTP in place of a password; without a user name under one that the hosted forges accept.
	Token Secret
	// SSHKey is a private key in PEM, and SSHKeyPassphrase opens it.
	SSHKey           Secret
	SSHKeyPassphrase Secret
	// KnownHosts is the content of a known_hosts file. A host that it does not name is never talked to.
	KnownHosts []byte
	// CA holds certificates in PEM that are trusted for HTTPS besides the system's.
	CA []byte
}

// CredentialsFrom reads credentials by the names that Secrets and folders use: username, password, token, identity,
// identity-passphrase, known_hosts and ca.crt. Absent ones stay empty.
func CredentialsFrom(values map[string][]byte) Credentials {
	return Credentials{
		Username: string(values["username"]), Password: NewSecret(string(values["password"])),
		Token: NewSecret(string(values["token"])), SSHKey: NewSecret(string(values["identity"])),
		SSHKeyPassphrase: NewSecret(string(values["identity-passphrase"])),
		KnownHosts:       values["known_hosts"], CA: values["ca.crt"],
	}
}

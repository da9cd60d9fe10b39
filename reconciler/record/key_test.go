package record

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/policies"
)

func TestSignerSurvivesPEM(t *testing.T) {
	signer := newKey(t)
	data, err := signer.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseSigner(data)
	if err != nil {
		t.Fatal(err)
	}
	if again.Public() != signer.Public() || again.KeyID() != signer.KeyID() {
		t.Error("another key came back")
	}
	public, err := ParsePublicKey(signer.Public().String() + "\n")
	if err != nil || public != signer.Public() {
		t.Errorf("public key: %v, %v", public, err)
	}
	a, b := story(t, signer, "shop", Line{Phase: policies.Healthy, Revision: revA}), story(t, again, "shop", Line{Phase: policies.Healthy, Revision: revA})
	if a[0].Text() != b[0].Text() {
		t.Error("the same line was signed in two ways: a retried pass would write it twice")
	}
}

func TestSignerPrintsItsPublicKey(t *testing.T) {
	signer := newKey(t)
	private := base64.StdEncoding.EncodeToString(signer.private)
	encoded, err := json.Marshal(signer) //nolint:staticcheck // that nothing is exported is what is tested
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		for _, arg := range []any{signer, *signer} {
			if got := fmt.Sprintf(verb, arg); got != signer.Public().String() {
				t.Errorf("%s of %T: %s", verb, arg, got)
			}
		}
	}
	if strings.Contains(string(encoded), private[:20]) {
		t.Errorf("JSON: %s", encoded)
	}
}

func TestParseKeysRefuses(t *testing.T) {
	good := newKey(t).Public().String()
	cases := map[string]struct{ reason, text, want string }{
		"Prefix": {"other kinds of key are named as such", strings.TrimPrefix(good, keyPrefix), "must begin with"},
		"Base64": {"a copying mistake", good[:len(good)-3], "illegal base64"},
		"Size":   {"half a key", keyPrefix + "AAAA", "3 bytes, must be 32"},
		"Glob":   {"a glob that matches nothing would hide a mistake", good + " prod[", "syntax error in pattern"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := ParseKeyring([]byte("# keys\n\n" + tc.text))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "line 3") {
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
	for name, data := range map[string]string{
		"nothing": "", "a certificate": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"rubbish": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		if _, err := ParseSigner([]byte(data)); err == nil {
			t.Errorf("%s was taken for a private key", name)
		}
	}
}

func TestKeyringCountsByEnvironment(t *testing.T) {
	own, prod, retired, stranger := newKey(t), newKey(t), newKey(t), newKey(t)
	file := fmt.Sprintf("%s prod* eu-production # the other cluster\n%s\n", prod.Public(), retired.Public())
	ring, err := ParseKeyring([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	ring.entries = append(NewKeyring(own.Public()).entries, ring.entries...)
	cases := map[string]struct {
		reason      string
		key         *Signer
		environment string
		want        bool
	}{
		"Own":         {"the own key always counts", own, "anything", true},
		"Glob":        {"named by a glob", prod, "production", true},
		"SecondGlob":  {"named by the other one", prod, "eu-production", true},
		"NotNamed":    {"trusted for production is not trusted for staging", prod, "staging", false},
		"NoGlobs":     {"a key without globs counts everywhere", retired, "staging", true},
		"NotInTheSet": {"unknown", stranger, "production", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := len(ring.candidates(tc.key.KeyID(), tc.environment)) > 0; got != tc.want {
				t.Errorf("%s: counts %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
	one := NewKeyring(own.Public())
	if _, err := one.With(prod.Public()); err != nil {
		t.Fatal(err)
	}
	if len(one.candidates(prod.KeyID(), "production")) != 0 {
		t.Error("With changed the keyring that it was called on")
	}
}

package sops

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	agearmor "filippo.io/age/armor"
	"github.com/ProtonMail/go-crypto/openpgp"
	pgparmor "github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Material is what keys are made of, as a Secret or a folder holds it.
type Material struct {
	Age        []byte // identities, one a line: AGE-SECRET-KEY-1...
	PGP        []byte // private keys in armour, one after the other
	Passphrase []byte // of the OpenPGP keys; empty: they have none
}

// Keys open data keys. The zero value has none. They never print.
type Keys struct {
	identities []age.Identity
	entities   openpgp.EntityList
}

// Format writes that there is something and nothing of it.
func (Keys) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "<redacted>") } //nolint:errcheck // fmt has nowhere to report it

const maxDataKey = 1 << 10 // a data key has 32 bytes

// ParseKeys reads keys. No error shows anything of them.
func ParseKeys(m Material) (Keys, error) {
	var keys Keys
	if text := bytes.TrimSpace(m.Age); len(text) > 0 {
		identities, err := age.ParseIdentities(bytes.NewReader(text))
		if err != nil {
			return Keys{}, errors.New("age.agekey: must have one identity a line, which begins with AGE-SECRET-KEY-1") // theirs shows the line
		}
		keys.identities = identities
	}
	for rest := string(m.PGP); strings.TrimSpace(rest) != ""; {
		block, after := cutArmor(rest)
		rest = after
		entities, err := openpgp.ReadArmoredKeyRing(strings.NewReader(block))
		if err != nil {
			return Keys{}, errors.New("sops.asc: must be private keys in armour, -----BEGIN PGP PRIVATE KEY BLOCK-----")
		}
		for _, e := range entities {
			if err := unlock(e, m.Passphrase); err != nil {
				return Keys{}, err
			}
		}
		keys.entities = append(keys.entities, entities...)
	}
	if len(keys.identities)+len(keys.entities) == 0 {
		return Keys{}, errors.New("neither age.agekey nor sops.asc has a key")
	}
	return keys, nil
}

// cutArmor takes the first block of an armoured text.
func cutArmor(text string) (block, rest string) {
	const end = "-----END PGP PRIVATE KEY BLOCK-----"
	if i := strings.Index(text, end); i >= 0 {
		return text[:i+len(end)] + "\n", text[i+len(end):]
	}
	return text, ""
}

func unlock(e *openpgp.Entity, passphrase []byte) error {
	if e.PrivateKey == nil {
		return fmt.Errorf("sops.asc: key %X is a public one", e.PrimaryKey.Fingerprint)
	}
	if err := e.DecryptPrivateKeys(passphrase); err != nil {
		return fmt.Errorf("sops.asc: key %X wants another identity-passphrase", e.PrimaryKey.Fingerprint)
	}
	return nil
}

// dataKey opens the key of a file with the first of ours that fits.
func (k Keys) dataKey(m metadata) ([]byte, error) {
	if m.groups {
		return nil, errors.New("its key is split over groups (key_groups), which is not supported; encrypt it for one group")
	}
	var recipients []string
	for _, r := range m.age {
		if key, ok := k.openAge(r.sealed); ok {
			return key, nil
		}
		recipients = append(recipients, r.name)
	}
	for _, r := range m.pgp {
		if key, ok := k.openPGP(r.sealed); ok {
			return key, nil
		}
		recipients = append(recipients, "PGP "+r.name)
	}
	if len(recipients) == 0 {
		return nil, errors.New("it is encrypted neither for age nor for PGP; no key service is asked. Add a recipient: sops rotate --add-age")
	}
	return nil, fmt.Errorf("it is encrypted for %s, and none of the agent's keys is one of them", strings.Join(recipients, ", "))
}

func (k Keys) openAge(sealed string) ([]byte, bool) {
	if len(k.identities) == 0 {
		return nil, false
	}
	r, err := age.Decrypt(agearmor.NewReader(strings.NewReader(sealed)), k.identities...)
	if err != nil {
		return nil, false
	}
	return dataKeyOf(r)
}

func (k Keys) openPGP(sealed string) ([]byte, bool) {
	if len(k.entities) == 0 {
		return nil, false
	}
	block, err := pgparmor.Decode(strings.NewReader(sealed))
	if err != nil {
		return nil, false
	}
	message, err := openpgp.ReadMessage(block.Body, k.entities, nil, &packet.Config{})
	if err != nil {
		return nil, false
	}
	return dataKeyOf(message.UnverifiedBody)
}

func dataKeyOf(r io.Reader) ([]byte, bool) {
	key, err := io.ReadAll(io.LimitReader(r, maxDataKey))
	return key, err == nil && len(key) == 32
}

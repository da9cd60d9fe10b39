package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// The keys of a credential, as a Secret or a folder holds them.
const (
	CredentialUsername   = "username"
	CredentialPassword   = "password"
	CredentialToken      = "token"
	CredentialIdentity   = "identity"       // private key in PEM
	CredentialSSHKey     = "ssh-privatekey" // the same, as Secrets of type kubernetes.io/ssh-auth have it
	CredentialPassphrase = "identity-passphrase"
	CredentialKnownHosts = "known_hosts"
	CredentialCA         = "ca.crt"
	CredentialUsers      = "users"      // of the dashboard, with the hashes of their passwords
	CredentialAge        = "age.agekey" // age identities that decrypt Secrets, one a line
	CredentialPGP        = "sops.asc"   // OpenPGP private keys that do; identity-passphrase is theirs too
)

// CredentialKeys are all keys of a credential.
func CredentialKeys() []string {
	return []string{CredentialUsername, CredentialPassword, CredentialToken, CredentialIdentity, CredentialSSHKey,
		CredentialPassphrase, CredentialKnownHosts, CredentialCA, CredentialUsers, CredentialAge, CredentialPGP}
}

// maxCredential is what one value may have: a Secret's own limit. A system's bundle of authorities has 220 KB.
const maxCredential = 1 << 20

// LoadCredentials reads the known keys from a folder; files of other names are left alone. A folder without any
// of them is an error. No error shows a value.
func LoadCredentials(dir string) (map[string][]byte, error) {
	data := map[string][]byte{}
	for _, key := range CredentialKeys() {
		value, err := readBounded(filepath.Join(dir, key), maxCredential)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read credentials: %w", err)
		}
		data[key] = value
	}
	picked, err := PickCredentials(data)
	if err != nil {
		return nil, fmt.Errorf("read credentials in %q: %w", dir, err)
	}
	return picked, nil
}

// PickCredentials takes the known keys of a Secret's data. The line end that editors and echo leave behind a user
// name, password, token or passphrase is cut off; ssh-privatekey becomes identity where that is not there. Data
// without any known key, or with a value of more than 1 MiB, is an error that shows no value.
func PickCredentials(data map[string][]byte) (map[string][]byte, error) {
	picked := map[string][]byte{}
	for _, key := range CredentialKeys() {
		value, there := data[key]
		switch {
		case !there:
			continue
		case len(value) > maxCredential:
			return nil, fmt.Errorf("%s: is larger than %d bytes", key, maxCredential)
		}
		switch key {
		case CredentialUsername, CredentialPassword, CredentialToken, CredentialPassphrase:
			value = bytes.TrimRight(value, "\r\n")
		}
		picked[key] = bytes.Clone(value)
	}
	if len(picked) == 0 {
		return nil, fmt.Errorf("none of the keys %s is there", listed(CredentialKeys()))
	}
	if key, there := picked[CredentialSSHKey]; there {
		if _, both := picked[CredentialIdentity]; !both {
			picked[CredentialIdentity] = key
		}
		delete(picked, CredentialSSHKey)
	}
	return picked, nil
}

package record

import (
	"bufio"
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Keyring is the set of keys that count, and where. The zero value has none, and leaves every line unverified.
// It is immutable.
type Keyring struct{ entries []keyEntry }

type keyEntry struct {
	key          PublicKey
	id           string
	environments []string // globs; none: everywhere
}

// NewKeyring returns a keyring of keys that count for every environment: an agent's own, the present one first.
func NewKeyring(own ...PublicKey) Keyring {
	var ring Keyring
	for _, key := range own {
		ring.entries = append(ring.entries, keyEntry{key: key, id: key.ID()})
	}
	return ring
}

// With returns the keyring with one more key, which counts for the environments that one of the globs
// ([path.Match]) matches; without globs for all. Lost and rotated keys are added the same way: their lines go
// on counting.
func (r Keyring) With(key PublicKey, environments ...string) (Keyring, error) {
	for _, glob := range environments {
		if _, err := path.Match(glob, ""); err != nil {
			return Keyring{}, fmt.Errorf("add key %s: environment %q: %w", key.ID(), glob, err)
		}
	}
	return Keyring{append(slices.Clip(r.entries), keyEntry{key, key.ID(), slices.Clone(environments)})}, nil
}

// Empty reports whether there is no key at all.
func (r Keyring) Empty() bool { return len(r.entries) == 0 }

// ParseKeyring reads the file of `--keys`: on each line a public key and, after it, globs of the environments
// that it counts for (none: all). Empty lines and what follows a # are ignored.
func ParseKeyring(data []byte) (Keyring, error) {
	var ring Keyring
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		key, err := ParsePublicKey(fields[0])
		if err == nil {
			ring, err = ring.With(key, fields[1:]...)
		}
		if err != nil {
			return Keyring{}, fmt.Errorf("read keys: line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return Keyring{}, fmt.Errorf("read keys: %w", err)
	}
	return ring, nil
}

// candidates returns the keys of this ID that count for the environment. There may be more than one: an ID is a
// short hash, and a key may be listed twice.
func (r Keyring) candidates(id, environment string) []PublicKey {
	var keys []PublicKey
	for _, entry := range r.entries {
		if entry.id == id && entry.counts(environment) {
			keys = append(keys, entry.key)
		}
	}
	return keys
}

func (e keyEntry) counts(environment string) bool {
	return len(e.environments) == 0 || slices.ContainsFunc(e.environments, func(glob string) bool {
		matched, _ := path.Match(glob, environment)
		return matched
	})
}

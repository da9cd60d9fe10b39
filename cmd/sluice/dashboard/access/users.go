package access

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// users are names with the hashes of their passwords.
type users struct {
	hashes map[string][]byte
	// nobody is the hash that a name is compared with that there is not, of the same cost: so it takes the same time.
	nobody []byte
}

// The costs of a hash, as powers of two: 60 ms and 1 s.
const (
	leastCost = 10
	mostCost  = 14
)

// parseUsers reads lines name:hash, as htpasswd -B writes them. No error shows a hash. Without any line nobody is known.
func parseUsers(text []byte) (*users, error) {
	u := &users{hashes: map[string][]byte{}}
	cost, number := 0, 0
	for line := range bytes.Lines(text) {
		number++
		entry := strings.TrimSpace(string(line))
		if entry == "" || strings.HasPrefix(entry, "#") {
			continue
		}
		name, hash, found := strings.Cut(entry, ":")
		if !found || strings.TrimSpace(name) == "" || len(name) > longest || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("line %d: must be name:hash", number)
		}
		if u.hashes[name] != nil {
			return nil, fmt.Errorf("line %d: %q is there already", number, name)
		}
		c, err := bcrypt.Cost([]byte(hash))
		switch {
		case err != nil || len(hash) != 60:
			return nil, fmt.Errorf("line %d: the hash of %q must be bcrypt's, as htpasswd -nBC 12 makes it", number, name)
		case c < leastCost || c > mostCost:
			return nil, fmt.Errorf("line %d: the hash of %q must have a cost of %d..%d (got %d)", number, name, leastCost, mostCost, c)
		case cost != 0 && c != cost:
			return nil, fmt.Errorf("line %d: the hash of %q must have the cost of those before, %d (got %d), or the time would tell who there is", number, name, cost, c)
		}
		cost, u.hashes[name] = c, []byte(hash)
	}
	var err error
	u.nobody, err = bcrypt.GenerateFromPassword([]byte(rand.Text()), max(cost, leastCost))
	return u, err
}

// hash is what the password of a name is compared with.
func (u *users) hash(name string) (_ []byte, there bool) {
	if hash, ok := u.hashes[name]; ok {
		return hash, true
	}
	return u.nobody, false
}

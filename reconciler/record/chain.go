package record

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// maxSeq is the largest sequence number: JSON readers elsewhere have no more than 53 bits.
const maxSeq = 1<<53 - 1

// Chain is the end of the chain of one (application, environment, key). It is plain data and lies in the saved
// state; the zero value with its three names set is a chain without lines.
type Chain struct {
	Application string `json:"application"`
	Environment string `json:"environment"`
	Key         string `json:"key"`
	Seq         int64  `json:"seq,omitempty"`  // of the last line
	Head        string `json:"head,omitempty"` // hash of the last line
}

// Next makes the line the next one of the chain: it sets version, names, sequence, `prev`, key and id, and
// bounds its texts. Pure: the same chain and line give the same answer.
func (c Chain) Next(l Line) (Line, Chain) {
	l.V, l.text, l.Sig = Version, "", ""
	l.Application, l.Environment, l.Key = c.Application, c.Environment, c.Key
	l.Seq, l.Prev, l.ID = c.Seq+1, c.Head, ""
	l = bounded(l, nil)
	l.ID = hash(l.payload())[:16]
	c.Seq, c.Head = l.Seq, hash(l.payload())
	return l, c
}

// WithKey returns the chain for this key: the same one, or, after the key was changed, a new one that goes on
// counting where the old one ended.
func (c Chain) WithKey(id string) Chain {
	if c.Key != id {
		c.Key, c.Head = id, ""
	}
	return c
}

// Resume returns the chain as Git and the saved state together have it: where the notes are ahead (the state
// was lost, or is an old backup) it goes on after their last line. Sequence numbers go on after the last line
// that counts, whichever key wrote it. keys must hold the chain's own key; a chain without a key takes the first
// of them. A pass that has no saved state calls it before it makes its first line: begun without it, the chain
// would use numbers that Git has already, and both lines of a number count for nothing. If that happened all the
// same, calling it later mends what comes after.
func (c Chain) Resume(lines []ParsedLine, keys Keyring) Chain {
	if c.Key == "" && !keys.Empty() {
		c = c.WithKey(keys.entries[0].id)
	}
	last := c.Seq
	for _, line := range lines {
		l := line.Line
		if l.Subject() != (Subject{c.Application, c.Environment}) || l.Seq <= c.Seq || check(line, keys).Standing != Verified {
			continue
		}
		if l.Key == c.Key {
			c.Seq, c.Head = l.Seq, hash(l.payload())
		}
		last = max(last, l.Seq)
	}
	c.Seq = last
	return c
}

// Maker makes signed lines.
type Maker struct {
	Signer *Signer
	// Mask hides secret values in the texts of a line; it may be nil. It must be safe for concurrent use.
	Mask func(string) string
}

// Make makes the next line of the chain and signs it: what a pass does in its `save` phase. A chain of another
// key is continued under this one. The same arguments give the same line. It fails when the line names no
// application, no environment, no phase or no full revision, or has an impossible time.
func (m Maker) Make(c Chain, l Line) (Line, Chain, error) {
	l, next := c.WithKey(m.Signer.KeyID()).Next(bounded(l, m.Mask))
	if err := l.valid(); err != nil {
		return Line{}, c, fmt.Errorf("make line for %q in %q: %w", c.Application, c.Environment, err)
	}
	l, err := m.Signer.Sign(l)
	if err != nil {
		return Line{}, c, err
	}
	return l, next, nil
}

// valid refuses what no note could hold, so that one application's fault never spoils the push of others.
func (l Line) valid() error {
	switch {
	case !label(l.Application) || !label(l.Environment):
		return fmt.Errorf("application %q and environment %q must be DNS labels", l.Application, l.Environment)
	case l.Phase == "":
		return fmt.Errorf("phase is missing")
	case !fullHash(l.Revision):
		return fmt.Errorf("revision %q is no full commit hash", l.Revision)
	case l.Seq < 1 || l.Seq > maxSeq:
		return fmt.Errorf("sequence %d is out of range", l.Seq)
	case l.At.Year() < 1970 || l.At.Year() > 9999:
		return fmt.Errorf("time is out of range")
	}
	return nil
}

// label reports whether s is a DNS label; an environment becomes part of a ref's name.
func label(s string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return s != "" && len(s) <= 63 && strings.Trim(s, letters) == "" && strings.Trim(s, "-") == s
}

func fullHash(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && (len(s) == 40 || len(s) == 64) && s == strings.ToLower(s)
}

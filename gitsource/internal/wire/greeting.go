package wire

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Ref is a reference as the server has it now.
type Ref struct {
	Name   string
	Hash   string // what it points to: a commit, or an annotated tag
	Peeled string // for an annotated tag, the commit that it names; else ""
	Target string // for a symbolic one, the name of the other; else ""
}

// Commit is the hash of the commit that the reference leads to.
func (r Ref) Commit() string {
	if r.Peeled != "" {
		return r.Peeled
	}
	return r.Hash
}

// capabilities by name; a value is "" where there is none.
type capabilities map[string]string

func (c capabilities) add(word string) {
	name, value, _ := strings.Cut(word, "=")
	if name == "symref" && c[name] != "" {
		value = c[name] + " " + value
	}
	c[name] = value
}

func (c capabilities) has(name string) bool { _, ok := c[name]; return ok }

// greeting is what a server says first: in version 2 its capabilities, in older ones its references too.
type greeting struct {
	v2   bool
	caps capabilities
	refs []Ref
}

// readGreeting reads up to the flush. With capsOnly it stops as soon as the capabilities are known, and the rest of an
// old server's long list is left unread. Only references that keep says yes to are kept.
func readGreeting(in *packets, capsOnly bool, keep func(string) bool) (greeting, error) {
	g := greeting{caps: capabilities{}}
	first := true
	for {
		p, err := in.next()
		if err != nil {
			return g, noEOF(err)
		}
		if p.kind != packetData {
			return g, nil
		}
		line := p.line()
		switch {
		case strings.HasPrefix(line, "ERR "):
			return g, errServer{line[4:]}
		case strings.HasPrefix(line, "# service="):
			if p, err := in.next(); err != nil || p.kind != packetFlush {
				return g, errors.New("read greeting: no flush after the service line")
			}
		case line == "version 2":
			g.v2 = true
		case line == "version 1":
		case g.v2:
			g.caps.add(line)
		case strings.HasPrefix(line, "shallow "):
		default:
			if first {
				g.readCapabilities(&line)
				if first = false; capsOnly {
					return g, nil
				}
			}
			if err := g.addRef(line, keep); err != nil {
				return g, err
			}
		}
	}
}

// readCapabilities cuts the words behind the zero byte off the first line.
func (g *greeting) readCapabilities(line *string) {
	ref, words, _ := strings.Cut(*line, "\x00")
	*line = ref
	for _, w := range strings.Fields(words) {
		g.caps.add(w)
	}
}

func (g *greeting) addRef(line string, keep func(string) bool) error {
	hash, name, ok := strings.Cut(line, " ")
	if !ok || !IsHash(hash) {
		return fmt.Errorf("read greeting: %q is not a reference", clean(line, nil))
	}
	if name == "capabilities^{}" {
		return nil
	}
	if base, ok := strings.CutSuffix(name, "^{}"); ok {
		if n := len(g.refs); n > 0 && g.refs[n-1].Name == base {
			g.refs[n-1].Peeled = hash
		}
		return nil
	}
	if keep == nil || !keep(name) {
		return nil
	}
	ref := Ref{Name: name, Hash: hash}
	for _, pair := range strings.Fields(g.caps["symref"]) {
		if target, ok := strings.CutPrefix(pair, name+":"); ok {
			ref.Target = target
		}
	}
	g.refs = append(g.refs, ref)
	return nil
}

// checkFormat refuses a repository with hashes that we cannot store.
func (c capabilities) checkFormat() error {
	if f := c["object-format"]; f != "" && f != "sha1" {
		return fmt.Errorf("read greeting: object format %q is not supported", f)
	}
	return nil
}

// IsHash says whether s is a full hash in lower-case hexadecimal.
func IsHash(s string) bool {
	if len(s) != 40 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

type readCloser struct {
	io.Reader
	close func() error
}

func (r readCloser) Close() error { return r.close() }

package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"
)

// Limits that hold for every render. They are generous for people and small for bombs.
const (
	MaxFile    = 5 << 20  // bytes of one file, as Helm has it
	MaxOutput  = 64 << 20 // bytes of all manifests of one render
	MaxObjects = 10_000   // objects of one render
	MaxDepth   = 200      // nesting of one object; the API server's own structures stay below 100
)

const (
	maxExpandedBytes = 16 << 20 // what one file may grow to once its aliases are followed
	maxExpandedNodes = 1 << 20
)

const lfsHeader = "version https://git-lfs.github.com/spec/"

// Check refuses content that must not be parsed: a file over MaxFile, a Git LFS pointer, or YAML whose aliases
// multiply. Content that is not YAML at all passes; whoever parses it says what is wrong.
func Check(path string, data []byte) error {
	if len(data) > MaxFile {
		return Faultf(path, "file is larger than %d MiB", MaxFile>>20)
	}
	if bytes.HasPrefix(data, []byte(lfsHeader)) {
		return Faultf(path, "is a Git LFS pointer, not the content; keep what is rendered out of LFS")
	}
	if err := boundAliases(data); err != nil {
		return &Error{Path: path, Err: err}
	}
	return nil
}

// boundAliases follows the aliases of every document without expanding them. Without an anchor and an alias there
// is nothing to multiply, which spares most files the extra parse.
func boundAliases(data []byte) error {
	if bytes.IndexByte(data, '&') < 0 || bytes.IndexByte(data, '*') < 0 {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var node yaml.Node
		err := dec.Decode(&node)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return nil //nolint:nilerr // not YAML; the parser of this file will say so with its line
		}
		m := measure{seen: map[*yaml.Node]size{}}
		s, err := m.of(&node)
		if err != nil {
			return err
		}
		if s.bytes > maxExpandedBytes || s.nodes > maxExpandedNodes {
			return fmt.Errorf("aliases expand to more than %d MiB or %d nodes", maxExpandedBytes>>20, maxExpandedNodes)
		}
	}
}

type size struct{ nodes, bytes int64 }

// measure adds up what a node expands to; seen keeps each node's answer, so the work is linear in the file.
type measure struct{ seen map[*yaml.Node]size }

func (m measure) of(n *yaml.Node) (size, error) {
	if n == nil {
		return size{}, nil
	}
	if s, ok := m.seen[n]; ok {
		if s.nodes < 0 {
			return size{}, fmt.Errorf("line %d: an anchor contains itself", n.Line)
		}
		return s, nil
	}
	m.seen[n] = size{nodes: -1}
	total := size{nodes: 1, bytes: int64(len(n.Value)) + 1}
	children := n.Content
	if n.Alias != nil {
		children = []*yaml.Node{n.Alias}
	}
	for _, c := range children {
		s, err := m.of(c)
		if err != nil {
			return size{}, err
		}
		// Saturate: a bomb would overflow the counter.
		total.nodes = min(total.nodes+s.nodes, 1<<40)
		total.bytes = min(total.bytes+s.bytes, 1<<40)
	}
	m.seen[n] = total
	return total, nil
}

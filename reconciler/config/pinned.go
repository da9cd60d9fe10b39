package config

import (
	"errors"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice/render"
)

// ErrNoEnvironment says that the file has no environment of that name.
var ErrNoEnvironment = errors.New("there is no environment")

// ParseSource reads, of sluice.yaml at a pinned revision, how an environment is rendered, and nothing else:
// whatever other keys say or said, by the rules of today or of then, plays no part. The environment is found
// by its name, or by the first of its earlier names that is there. One that is not there is ErrNoEnvironment;
// a source that is not valid, or a file that is not YAML, is Faults.
func ParseSource(name string, data []byte, environment string, was ...string) (render.Source, error) {
	d := read(name, data)
	if !d.content() {
		return render.Source{}, d.faults.Err()
	}
	environments := d.lookup(d.root, "environments")
	for _, wanted := range append([]string{environment}, was...) {
		if block := d.blockNamed(environments, wanted); block != nil {
			source := d.source("environments["+wanted+"]", block)
			return source, d.faults.sorted().Err()
		}
	}
	if d.lookups > maxLookups {
		d.fault(0, "", "is too large to be searched, merges counted each time that they are used")
		return render.Source{}, d.faults.Err()
	}
	return render.Source{}, fmt.Errorf("%s: %w %q", name, ErrNoEnvironment, environment)
}

// source reads and validates the one key of a block that counts at a pinned revision.
func (d *document) source(at string, block *yaml.Node) render.Source {
	var source render.Source
	d.lines[at] = block.Line
	if n := d.lookup(block, "source"); n != nil {
		d.lines[at+".source"] = n.Line
		d.value(n, place{path: at + ".source"}, reflect.ValueOf(&source).Elem())
	}
	checkSource(d, at+".source", source)
	return source
}

// blockNamed is the first item of a list with that name, or nil.
func (d *document) blockNamed(list *yaml.Node, name string) *yaml.Node {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil
	}
	for _, item := range list.Content {
		if n := d.lookup(item, "name"); n != nil && n.Kind == yaml.ScalarNode && n.Value == name {
			return item
		}
	}
	return nil
}

// nameOf is the metadata.name of a document of our kind, "" if it cannot be told. Nothing else is read.
func nameOf(data []byte) string {
	d := read("", data)
	if !d.content() {
		return ""
	}
	if n := d.lookup(d.lookup(d.root, "metadata"), "name"); n != nil && n.ShortTag() == "!!str" {
		return n.Value
	}
	return ""
}

// maxLookups bounds the keys that are compared while names are looked for, merges counted each time.
const maxLookups = 2_000_000

// lookup is the value of a key of a mapping, or nil: aliases followed, merged mappings after own keys. It faults
// nothing, and finds nothing more once it was asked too much of one file.
func (d *document) lookup(n *yaml.Node, key string) *yaml.Node {
	return d.lookupIn(n, key, map[*yaml.Node]bool{})
}

// lookupIn leaves out the mappings that were searched before: what was not there is not there now.
func (d *document) lookupIn(n *yaml.Node, key string, searched map[*yaml.Node]bool) *yaml.Node {
	n = resolved(n)
	if n == nil || n.Kind != yaml.MappingNode || searched[n] || d.lookups > maxLookups {
		return nil
	}
	searched[n] = true
	d.lookups += len(n.Content)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, value := resolved(n.Content[i]), resolved(n.Content[i+1])
		switch {
		case k.Kind == yaml.ScalarNode && k.Value == key:
			return value
		case k.ShortTag() != "!!merge":
		case value.Kind == yaml.SequenceNode:
			merges = append(merges, value.Content...)
		default:
			merges = append(merges, value)
		}
	}
	for _, m := range merges {
		if value := d.lookupIn(m, key, searched); value != nil {
			return value
		}
	}
	return nil
}

// resolved is the node that an alias stands for. The parser lets no alias stand for an alias.
func resolved(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

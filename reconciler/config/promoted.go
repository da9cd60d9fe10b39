package config

import (
	"io/fs"
	"path"

	"go.yaml.in/yaml/v3"
)

// PromotedFrom are the environments that an environment is promoted from, as the sluice.yaml of a folder of a tree has them,
// however invalid the rest of it is. It is for showing alone: none where there is none, or where it cannot be told.
func PromotedFrom(tree fs.FS, dir, environment string) (from []string) {
	name := path.Join(dir, FileName)
	data, err := readTree(tree, name)
	if err != nil {
		return nil
	}
	d := read(name, data)
	if !d.content() {
		return nil
	}
	n := d.lookup(d.lookup(d.blockNamed(d.lookup(d.root, "environments"), environment), "promotion"), "from")
	switch {
	case n == nil:
	case n.Kind == yaml.ScalarNode:
		from = append(from, n.Value)
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			from = append(from, resolved(item).Value)
		}
	}
	return from
}
